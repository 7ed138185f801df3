//! What a directory sends, read and answered.
#![expect(clippy::unwrap_used, reason = "tests")]

mod patching;
mod reading;
