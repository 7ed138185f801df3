//! The host of sessions that go through Wane.
//!
//! Owns: the listener, who may connect and for how long without a login, both sockets of every session,
//! what its rules find in it, and the race of each session against the end of its grant. Refuses to know: any protocol (a kind's
//! broker speaks it), the store, keys, policy. It reaches the rest through one [`Port`].
//!
//! INVARIANT: a session is cut at its own copy of the deadline, whatever else works (held by
//! `a_session_ends_by_the_gateways_own_clock`), and nothing passes from the moment it is over (held by
//! `no_byte_passes_after_the_end`).

mod door;
mod findings;
mod hall;
mod inside;
mod line;
mod listen;
mod lobby;
mod pipe;
mod places;
mod port;
mod proof;
mod record;
mod serve;
mod tally;
mod task;

pub use hall::Hall;
pub use places::Limits;
pub use port::{Port, WebPort};
pub use serve::{Fronts, Gateway};
