//! A task: one exact command that was approved, and that it was run.

use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::id::LeaseId;
pub use crate::text::Task;
use crate::time::Time;

/// What the digest of a command is taken under.
const DOMAIN: &str = "wane.task.v1";

impl Task {
    /// What it is known by: see [`Task::digest_of`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Self::digest_of(self.as_str().as_bytes())
    }

    /// SHA-256 over `wane.task.v1`, a line feed, and the command, byte for byte.
    #[must_use]
    pub fn digest_of(command: &[u8]) -> Digest {
        Digest::of_bytes(DOMAIN, command)
    }
}

/// That the task of a grant was let run. It never is again, whatever came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The session that it was let run in.
    pub session: LeaseId,
    /// When.
    pub at: Time,
}
