//! Wane's own binary, as people run it: a server with a data folder, and people with a home each.
//!
//! Knows the command line and nothing of what is behind it: no crate of ours is called from here.

mod binary;
mod person;
mod server;
mod signer;
mod totp;

pub use person::PersonSession;
pub use server::{WaneServer, WaneServerBuilder};
pub use signer::{Apart, WaneSigner};
