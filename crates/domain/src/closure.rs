//! The evidence of how an access ended, in honest words.

use serde::{Deserialize, Serialize};

use crate::id::{GrantId, LeaseId, PersonId};
use crate::time::Time;

/// On what basis one lease counts as ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "basis")]
pub enum ClosureBasis {
    /// The target itself said that the artifact is not there. Only this reads "gone".
    AbsentReadBack {
        /// What the target answered.
        proof: String,
    },
    /// The target refused a login that it accepted before; sessions opened earlier are unknown.
    LoginRefusedReadBack {
        /// What the target answered.
        proof: String,
    },
    /// It is there still, because these grants give the same; it goes with the last of them.
    StillGiven {
        /// The grants.
        by: Vec<GrantId>,
        /// What the target answered.
        proof: String,
    },
    /// It is there still, as it was before Wane: for a reason that is not Wane's.
    Standing {
        /// What the target answered.
        proof: String,
    },
    /// Nothing can call it back; it ended by itself at this moment.
    Unrecallable {
        /// The moment.
        until: Time,
    },
}

impl ClosureBasis {
    /// The word people read.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::AbsentReadBack { .. } => "gone",
            Self::LoginRefusedReadBack { .. } => "login refused",
            Self::StillGiven { .. } => "still given",
            Self::Standing { .. } => "standing",
            Self::Unrecallable { .. } => "ran out",
        }
    }
}

/// Why a grant ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum EndCause {
    /// Its time was up.
    Expired,
    /// The holder gave it back.
    Returned,
    /// Somebody ended it.
    Revoked {
        /// Who.
        by: PersonId,
        /// Why.
        reason: String,
    },
    /// An approver took the approval back.
    DeniedAfterApproval {
        /// Who.
        by: PersonId,
        /// Why.
        reason: String,
    },
    /// A lock covers it.
    Locked {
        /// The lock.
        lock: String,
    },
    /// Policy, judged again, no longer allows it.
    LostEligibility {
        /// Why.
        reason: String,
    },
    /// It was never activated in its window.
    NeverActivated,
    /// Somebody took at the target what it gave.
    TakenAway {
        /// What the target answered.
        seen: String,
    },
    /// The one task that it was for was run.
    TaskDone {
        /// What came of it, as far as that was seen.
        outcome: String,
    },
    /// The job that it was for is over.
    JobOver {
        /// How: it said so, or was silent for too long.
        how: String,
    },
}

impl EndCause {
    /// The cause's name, for people and tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Returned => "returned",
            Self::Revoked { .. } => "revoked",
            Self::DeniedAfterApproval { .. } => "denied after approval",
            Self::Locked { .. } => "locked",
            Self::LostEligibility { .. } => "lost eligibility",
            Self::NeverActivated => "never activated",
            Self::TakenAway { .. } => "taken away",
            Self::TaskDone { .. } => "task done",
            Self::JobOver { .. } => "job over",
        }
    }
}

/// How one lease ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseEnd {
    /// The lease.
    pub lease: LeaseId,
    /// Its artifact at the target.
    pub artifact: String,
    /// On what basis it ended.
    pub basis: ClosureBasis,
    /// When that was established.
    pub at: Time,
}

/// How everything under a grant ended. Made only by [`crate::grant::Grant::close`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// Why it ended.
    pub cause: EndCause,
    /// How each lease ended; empty if nothing was ever made.
    pub leases: Vec<LeaseEnd>,
    /// When the last of it was established.
    pub at: Time,
}

impl Closure {
    /// One word for all of it: `gone` only if every artifact was read back absent.
    #[must_use]
    pub fn word(&self) -> &'static str {
        let weakest = self.leases.iter().map(|l| &l.basis).max_by_key(|b| match b {
            ClosureBasis::AbsentReadBack { .. } => 1,
            ClosureBasis::LoginRefusedReadBack { .. } => 2,
            ClosureBasis::StillGiven { .. } => 3,
            ClosureBasis::Standing { .. } => 4,
            ClosureBasis::Unrecallable { .. } => 5,
        });
        weakest.map_or("nothing was made", ClosureBasis::word)
    }
}
