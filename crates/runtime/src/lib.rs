//! System clock, OS entropy, supervised tasks, shutdown, a journal on disk: the only ambient authority.
//!
//! Owns: the calls that reach for the machine (its clock, its randomness, its signals, its task
//! spawner). Refuses to know: what anybody does with them. Everything else gets time and entropy
//! as arguments, through [`ambient`].

mod backoff;
mod clock;
mod entropy;
mod harden;
mod journal;
mod supervisor;

pub use backoff::Backoff;
pub use clock::{Machine, Readings, SystemClock};
pub use entropy::OsEntropy;
pub use harden::{HardenError, harden};
pub use journal::{JournalError, JournalFile};
pub use supervisor::{Cause, Shutdown, Supervisor};
use tokio::task::JoinError;
pub use tokio_util::sync::CancellationToken;

use std::sync::Arc;

use wane_domain::ambient::Ambient;

/// Does some work to its end, even if whoever waits for it goes away meanwhile.
///
/// # Errors
/// When it panics, or everything ends before it does.
#[expect(clippy::disallowed_methods, reason = "this is where tasks are spawned")]
pub async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
    tokio::spawn(work).await
}

/// The machine's clock and entropy, to be handed down from the binary.
#[must_use]
pub fn ambient() -> Ambient {
    Ambient::new(Arc::new(SystemClock::new()), Arc::new(OsEntropy))
}
