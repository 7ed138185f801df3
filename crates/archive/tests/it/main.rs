//! What the archive promises, on a real disk.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bench;
mod bucket;
mod crash;
mod trouble;
mod window;
