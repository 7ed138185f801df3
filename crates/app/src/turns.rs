//! Turns at what only one can do at a time: of a person at what is counted before it is added to, of a grant
//! at its lease.
//!
//! They hold within one process; a second one over the same store would need the store to count.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use tokio::sync::Mutex;

/// Those who share a queue wait for each other's commits now and then, and for nothing else.
const QUEUES: usize = 512;

/// Queues, one per id as far as they go.
#[derive(Debug)]
pub(crate) struct Turns {
    queues: Vec<Mutex<()>>,
    /// Nobody chooses their own id, so nobody chooses whom they wait for: a fixed hash will do.
    spread: BuildHasherDefault<DefaultHasher>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { queues: (0..QUEUES).map(|_| Mutex::new(())).collect(), spread: BuildHasherDefault::default() }
    }
}

impl Turns {
    /// The queue of an id.
    pub(crate) fn of(&self, id: impl Hash) -> &Mutex<()> {
        let at = usize::try_from(self.spread.hash_one(id)).unwrap_or_default().checked_rem(self.queues.len());
        at.and_then(|at| self.queues.get(at)).unwrap_or(&ONLY)
    }
}

static ONLY: Mutex<()> = Mutex::const_new(());
