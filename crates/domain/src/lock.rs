//! A lock ends what it covers and refuses anything new until it is lifted.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::id::{GrantId, LockId, PersonId, ResourceId, RoleId};
use crate::text::Reason;
use crate::time::Time;
use crate::transition::{Fact, IllegalTransition};

/// What a lock covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockTarget {
    /// Everything a person holds, and whatever they would ask for.
    Person(PersonId),
    /// Every grant on a resource.
    Resource(ResourceId),
    /// Every grant of a role.
    Role(RoleId),
    /// One grant.
    Grant(GrantId),
}

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Its id.
    pub id: LockId,
    /// What it covers.
    pub target: LockTarget,
    /// Why.
    pub reason: Reason,
    /// Who imposed it.
    pub by: PersonId,
    /// When.
    pub at: Time,
    /// Who lifted it, and when; none while it holds.
    pub lifted: Option<Lifted>,
}

/// Who lifted a lock, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// Who.
    pub by: PersonId,
    /// When.
    pub at: Time,
}

impl Lock {
    /// Imposes a lock.
    #[must_use]
    pub fn impose(id: LockId, target: LockTarget, reason: Reason, by: PersonId, at: Time) -> (Self, Fact) {
        let fact = Fact::new("lock.imposed", json!({ "lock": id, "target": target, "reason": reason }));
        (Self { id, target, reason, by, at, lifted: None }, fact)
    }

    /// Lifts it.
    ///
    /// # Errors
    /// When it is lifted already.
    pub fn lift(mut self, by: PersonId, at: Time) -> Result<(Self, Fact), IllegalTransition> {
        if self.lifted.is_some() {
            return Err(IllegalTransition { aggregate: "lock", state: "lifted", event: "be lifted", detail: None });
        }
        self.lifted = Some(Lifted { by, at });
        let fact = Fact::new("lock.lifted", json!({ "lock": self.id }));
        Ok((self, fact))
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.lifted.is_none()
    }

    /// Whether it covers this access.
    #[must_use]
    pub fn covers(&self, person: PersonId, resource: ResourceId, role: RoleId, grant: Option<GrantId>) -> bool {
        self.holds()
            && match self.target {
                LockTarget::Person(id) => id == person,
                LockTarget::Resource(id) => id == resource,
                LockTarget::Role(id) => id == role,
                LockTarget::Grant(id) => Some(id) == grant,
            }
    }
}
