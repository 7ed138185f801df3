//! Calls as clients make them, and as nobody should.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![expect(clippy::disallowed_types, reason = "clients pad by chance of their own")]

mod bindings;
mod calls;
mod client;
mod keys;
