//! What a directory sends, read and answered.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod patching;
mod reading;
