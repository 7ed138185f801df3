//! Idempotent passes that need no message from anyone: expire, revoke, sweep, confirm, inventory, judge
//! again, look for residue.
//!
//! Owns: *when* something is tried, and that one dead target delays no other. Refuses to know:
//! *how* anything ends (that is `app`), and any particular kind of target. Every pass takes no
//! input and may be repeated at any time; whatever a pass misses, the next finds in the store.

mod confirm;
mod engine;
mod inventory;
mod looking;
mod notices;
mod queues;
mod residue;
mod saying;
mod scan;
mod storeless;

pub use engine::{Engine, Settings};
pub use notices::Couriers;
pub use storeless::Storeless;
