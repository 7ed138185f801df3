//! Signatures of every sort, good and broken; OpenSSH's own judgement beside ours.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod hand;
mod judged;
mod passkeys;
mod ssh;
