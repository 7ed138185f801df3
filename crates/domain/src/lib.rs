//! Ids, time values, and the whole lifecycle from request to closure.
//!
//! Owns: what the words *request, decision, grant, lease, closure, lock* mean, and which
//! transition is legal. Refuses to know: I/O, async, clocks, randomness, SQL, HTTP, any kind
//! of target. Time and randomness come in as arguments.

pub mod ambient;
pub mod approval;
pub mod canonical;
pub mod catalogue;
pub mod closure;
pub mod decision;
pub mod delegation;
pub mod directory;
pub mod grant;
pub mod id;
pub mod issue;
pub mod lease;
pub mod lock;
pub mod package;
pub mod proved;
pub mod request;
pub mod secret;
pub mod session;
pub mod task;
pub mod terms;
pub mod text;
pub mod time;
pub mod transition;
pub mod workload;
pub mod world;

/// Constructors of evidence that must cross a crate. Not an interface: every caller is on the
/// allow-list of `cargo xtask lint`.
#[doc(hidden)]
pub mod evidence;
/// Constructors that bring aggregates back from the store. Same rule as [`evidence`].
#[doc(hidden)]
pub mod stored;
