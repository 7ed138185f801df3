//! The client against a real HTTP server on loopback that answers as the contract says, or badly.
#![expect(clippy::unwrap_used, reason = "tests")]

mod calls;
mod served;
mod stream;
