//! That somebody stands in for an approver who is away.
//!
//! Owns: when it holds, and what about. Refuses to know: who may approve what; whoever stands in may answer what the
//! other could, and that is looked at each time.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{DelegationId, PersonId, ResourceId};
use crate::text::{Name, Reason};
use crate::time::Time;

/// That one person stands in for another, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Its id.
    pub id: DelegationId,
    /// Who is away, and said so: nobody says it for another.
    pub by: PersonId,
    /// Who stands in.
    pub to: PersonId,
    /// From when.
    pub from: Time,
    /// Until when.
    pub until: Time,
    /// What about.
    pub scope: Scope,
    /// Why.
    pub reason: Option<Reason>,
    /// When it was said.
    pub since: Time,
    /// When it was taken back before its time, and by whom.
    pub ended: Option<Ended>,
}

/// What somebody stands in for; about what is not named, if anything is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// These resources; all if none is named.
    pub resources: BTreeSet<ResourceId>,
    /// What is asked on the paths of these policies; on all if none is named.
    pub policies: BTreeSet<Name>,
}

/// That it was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// By whom.
    pub by: PersonId,
    /// When.
    pub at: Time,
}

/// In whose place an approval was given, and by which leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsteadOf {
    /// Who could have given it.
    pub person: PersonId,
    /// Who said that somebody stands in.
    pub delegation: DelegationId,
}

impl Scope {
    /// Whether it is about what is asked on this resource, on the path of this policy.
    #[must_use]
    pub fn covers(&self, resource: ResourceId, policy: Option<&str>) -> bool {
        let named = policy.is_some_and(|policy| self.policies.iter().any(|name| name.as_str() == policy));
        (self.resources.is_empty() || self.resources.contains(&resource)) && (self.policies.is_empty() || named)
    }
}

impl Delegation {
    /// Whether somebody stands in at a moment.
    #[must_use]
    pub fn holds(&self, at: Time) -> bool {
        self.from <= at && at < self.until && self.ended.is_none_or(|ended| at < ended.at)
    }

    /// Whether it is over, or was taken back.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        self.until <= now || self.ended.is_some()
    }

    /// Whether what was approved under it at a moment counts, for what was begun at `used`.
    ///
    /// INVARIANT: what was approved in somebody's place outlives the time they were away, and is void from the moment
    /// the leave for it is taken back, but for what was begun before (held by `a_stand_in_counts_while_the_leave_is_there`).
    #[must_use]
    pub fn counts_for(&self, at: Time, used: Option<Time>) -> bool {
        let stands = match (&self.ended, used) {
            (None, _) => true,
            (Some(ended), Some(used)) => used < ended.at,
            (Some(_), None) => false,
        };
        self.holds(at) && stands
    }
}
