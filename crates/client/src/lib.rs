//! The typed client: one method per route of the contract.
//!
//! Owns how the wire is spoken: TLS, timeouts, bounds, idempotency keys, the event stream. Knows
//! nothing of the server but the contract. Holds no ambient power: the randomness of its keys is
//! handed in. A session's token only travels over TLS, or to this machine itself.

mod connect;
mod error;
mod events;
mod routes;
mod send;

pub use connect::{Bearer, Client, Connect, KeySource};
pub use error::ClientError;
pub use events::Events;
pub use routes::{Lines, runner_token};
