//! The kind with a signer as it is, and a real nginx that asks about each call.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod conformance;
mod exchanged;
mod guarded;
mod keys;
mod proofs;
mod tokens;
mod world;
