//! Calls as clients make them, and as nobody should.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bindings;
mod calls;
mod client;
mod keys;
