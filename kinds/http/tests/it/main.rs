//! The kind for web applications at a real nginx, behind the gateway.
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod gate;
