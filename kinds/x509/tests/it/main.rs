//! The kind with a signer as it is, and real servers that trust its authorities.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod authorities;
mod certificate;
mod conformance;
mod guarded;
mod ordered;
mod shown;
mod world;
