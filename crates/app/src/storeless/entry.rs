//! One thing that was done without the store, as the journal keeps it.

use serde::{Deserialize, Serialize};
use wane_audit::{Actor, Subjects};
use wane_domain::closure::{ClosureBasis, EndCause};
use wane_domain::id::{EventId, GrantId, LeaseId};
use wane_domain::lock::Lock;
use wane_domain::time::Time;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub(crate) enum What {
    /// It was said that a grant ends.
    Said { grant: GrantId, cause: EndCause },
    /// An artifact was ended at its target and read back.
    Cut { lease: LeaseId, artifact: String, basis: ClosureBasis },
    /// A lock was imposed.
    Locked { lock: Lock },
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The id of the record it becomes: however often it is booked, it is booked once.
    pub(crate) id: EventId,
    pub(crate) at: Time,
    pub(crate) actor: Actor,
    pub(crate) about: Subjects,
    pub(crate) what: What,
}

/// Where an entry is until it is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptWhere {
    /// In the journal, on disk: it outlives the process.
    Journal,
    /// In memory only, because the journal cannot be written or is full.
    Memory,
}

impl Entry {
    /// Whether nobody could say it again: what people ordered is in no store that could be read later,
    /// while what ran out is found to have run out.
    pub(crate) fn is_irreplaceable(&self) -> bool {
        match &self.what {
            What::Said { cause, .. } => !matches!(cause, EndCause::Expired | EndCause::NeverActivated),
            What::Locked { .. } => true,
            What::Cut { .. } => false,
        }
    }
}
