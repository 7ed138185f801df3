//! One thing that must end: a credential, an account, a session.
//!
//! A lease is written down before the outside world is touched and stays open until its end was
//! established at the target: `Intended → Live → Revoking → Gone` (and `Intended → Revoking`).
//! A failed end changes nothing but the retry history; there is no road out of `Revoking` but proof.

use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::closure::{ClosureBasis, LeaseEnd};
use crate::id::{GrantId, LeaseId, PersonId, ResourceId, RoleId};
use crate::text::Name;
use crate::time::Time;
use crate::transition::{Fact, IllegalTransition};

/// What sort of thing a lease stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseKind {
    /// A self-contained credential: a certificate, a token.
    Credential,
    /// An account at the target.
    Account,
    /// A session through the gateway: two connections that it carries and can cut.
    Session,
    /// A place in a group at the target. It carries no mark, and several leases may stand for the same one.
    Membership,
}

/// Where a lease stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum LeaseState {
    /// Written down; the target may or may not have been touched.
    Intended,
    /// Made and read back.
    Live {
        /// Since when.
        since: Time,
    },
    /// Being ended; an open debt until proof.
    Revoking {
        /// Since when.
        since: Time,
        /// Whether it was ever known to have been made.
        was_live: bool,
    },
    /// Its end was established.
    Gone {
        /// When.
        at: Time,
        /// On what basis.
        basis: ClosureBasis,
    },
}

impl LeaseState {
    /// The state's name, for people and tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Live { .. } => "live",
            Self::Revoking { .. } => "revoking",
            Self::Gone { .. } => "gone",
        }
    }
}

/// The retry history of an end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next: Option<Time>,
    /// What the last try met.
    pub last: Option<String>,
    /// Set when a person has to look: why it cannot be ended as it stands. Tries go on.
    pub quarantined: Option<String>,
    /// Set when nothing can call it back before this moment.
    pub unrecallable_until: Option<Time>,
}

/// The stored shape of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseData {
    /// Its id.
    pub id: LeaseId,
    /// The grant it hangs under.
    pub grant: GrantId,
    /// Who holds the grant.
    pub holder: PersonId,
    /// The resource.
    pub resource: ResourceId,
    /// The resource's kind.
    pub kind: Name,
    /// The role.
    pub role: RoleId,
    /// What sort of thing it is.
    pub what: LeaseKind,
    /// Its deterministic name at the target: `wane_` and the lease id's 26 characters.
    pub artifact: String,
    /// The target's own id for it, such as an oid.
    pub object: Option<String>,
    /// The kind's own notes, never a secret.
    pub notes: serde_json::Value,
    /// What was seen of it at the target before Wane had made anything: it is there for a reason that is not
    /// Wane's, and stays. Only a membership can have been there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
    /// When it must be gone by; never after its grant's end.
    pub end: Time,
    /// When it was intended.
    pub at: Time,
    /// When the target was seen to accept it.
    pub confirmed: Option<Time>,
    /// How its end is going.
    pub debt: Debt,
    /// Where it stands.
    pub state: LeaseState,
}

/// A lease. Begun only by [`crate::grant::Grant::lease`], changed only by [`Lease::apply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Lease {
    pub(crate) data: LeaseData,
}

impl Deref for Lease {
    type Target = LeaseData;
    fn deref(&self) -> &LeaseData {
        &self.data
    }
}

/// What can happen to a lease.
#[derive(Clone, Debug)]
pub enum LeaseEvent {
    /// The target was looked at before anything was made there.
    Prepared {
        /// What the lease stands for, in the target's own ids: the same for two leases of the same thing.
        object: String,
        /// The kind's notes.
        notes: serde_json::Value,
        /// What was seen of it, if it was there already and no other lease accounts for that.
        standing: Option<String>,
    },
    /// The target made it and it was read back.
    Made {
        /// The target's own id for it.
        object: Option<String>,
        /// The kind's notes.
        notes: serde_json::Value,
    },
    /// A self-contained credential was issued once more, or a secret replaced, under the same lease.
    Reissued {
        /// The kind's notes.
        notes: serde_json::Value,
    },
    /// The target was seen to accept it.
    Confirmed,
    /// Its grant was given more time, or less.
    Moved {
        /// The new end.
        end: Time,
    },
    /// It must end now.
    End,
    /// An end was tried and is not done.
    Tried {
        /// When to try next.
        next: Time,
        /// What it met.
        met: String,
        /// Why a person has to look, if so.
        quarantined: Option<String>,
        /// Before which moment nothing can call it back, if so.
        unrecallable_until: Option<Time>,
    },
    /// Its end was established.
    Proven {
        /// On what basis.
        basis: ClosureBasis,
    },
}

impl LeaseEvent {
    /// The event's name, for people and tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Prepared { .. } => "be prepared",
            Self::Made { .. } => "be made",
            Self::Reissued { .. } => "be issued again",
            Self::Confirmed => "be confirmed",
            Self::Moved { .. } => "be moved",
            Self::End => "be ended",
            Self::Tried { .. } => "be tried",
            Self::Proven { .. } => "be proven gone",
        }
    }
}

impl Lease {
    /// The whole life of a lease in one function.
    ///
    /// # Errors
    /// When the lifecycle has no such step.
    pub fn apply(mut self, event: LeaseEvent, now: Time) -> Result<(Self, Fact), IllegalTransition> {
        let d = &mut self.data;
        let base = json!({ "lease": d.id, "grant": d.grant, "artifact": d.artifact });
        let fact = |event: &'static str, more: serde_json::Value| {
            let mut detail = base.clone();
            if let (Some(detail), serde_json::Value::Object(more)) = (detail.as_object_mut(), more) {
                detail.extend(more);
            }
            Fact::new(event, detail)
        };
        let refuse = |state: &LeaseState, event: &LeaseEvent, detail: Option<&str>| IllegalTransition {
            aggregate: "lease",
            state: state.name(),
            event: event.name(),
            detail: detail.map(str::to_owned),
        };
        let fact = match (&d.state, event) {
            (LeaseState::Intended, LeaseEvent::Prepared { object, notes, standing }) => {
                let fact = fact("lease.prepared", json!({ "object": object, "standing": standing }));
                d.object = Some(object);
                d.notes = notes;
                d.standing = standing;
                fact
            }
            (LeaseState::Intended, LeaseEvent::Made { object, notes }) => {
                d.state = LeaseState::Live { since: now };
                let fact = fact("lease.made", json!({ "object": object }));
                d.object = object;
                d.notes = notes;
                fact
            }
            (LeaseState::Live { .. }, LeaseEvent::Reissued { notes }) => {
                d.notes = notes;
                fact("lease.reissued", json!({}))
            }
            // A read-back may come in after the end was ordered; it still is what the refusal is compared with.
            (LeaseState::Live { .. } | LeaseState::Revoking { .. }, LeaseEvent::Confirmed) => {
                d.confirmed = Some(now);
                fact("lease.confirmed", json!({}))
            }
            (LeaseState::Intended | LeaseState::Live { .. }, LeaseEvent::Moved { end }) => {
                d.end = end;
                fact("lease.moved", json!({ "end": end }))
            }
            (LeaseState::Intended | LeaseState::Live { .. }, LeaseEvent::End) => {
                let was_live = matches!(d.state, LeaseState::Live { .. });
                d.state = LeaseState::Revoking { since: now, was_live };
                d.debt.next = Some(now);
                fact("lease.ending", json!({ "was_live": was_live }))
            }
            (LeaseState::Revoking { .. }, LeaseEvent::Tried { next, met, quarantined, unrecallable_until }) => {
                let d = &mut d.debt;
                d.attempts = d.attempts.saturating_add(1);
                d.next = Some(next);
                let fact = fact(
                    "lease.end_tried",
                    json!({ "attempts": d.attempts, "next": next, "met": met, "quarantined": quarantined, "unrecallable_until": unrecallable_until }),
                );
                d.last = Some(met);
                d.quarantined = quarantined;
                d.unrecallable_until = unrecallable_until;
                fact
            }
            (LeaseState::Revoking { .. }, LeaseEvent::Proven { basis }) => {
                d.debt.next = None;
                d.debt.quarantined = None;
                let fact = fact("lease.gone", json!({ "basis": basis, "attempts": d.debt.attempts }));
                d.state = LeaseState::Gone { at: now, basis };
                fact
            }
            (
                LeaseState::Intended,
                event @ (LeaseEvent::Reissued { .. }
                | LeaseEvent::Confirmed
                | LeaseEvent::Tried { .. }
                | LeaseEvent::Proven { .. }),
            )
            | (
                LeaseState::Live { .. },
                event @ (LeaseEvent::Prepared { .. }
                | LeaseEvent::Made { .. }
                | LeaseEvent::Tried { .. }
                | LeaseEvent::Proven { .. }),
            )
            | (
                LeaseState::Revoking { .. },
                event @ (LeaseEvent::Prepared { .. }
                | LeaseEvent::Made { .. }
                | LeaseEvent::Reissued { .. }
                | LeaseEvent::Moved { .. }
                | LeaseEvent::End),
            )
            | (
                LeaseState::Gone { .. },
                event @ (LeaseEvent::Prepared { .. }
                | LeaseEvent::Made { .. }
                | LeaseEvent::Reissued { .. }
                | LeaseEvent::Confirmed
                | LeaseEvent::Moved { .. }
                | LeaseEvent::End
                | LeaseEvent::Tried { .. }
                | LeaseEvent::Proven { .. }),
            ) => return Err(refuse(&d.state, &event, None)),
        };
        Ok((self, fact))
    }

    /// When its end is to be tried next; nothing while it has not been said, or is gone.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        match self.state {
            LeaseState::Revoking { .. } => self.debt.next,
            LeaseState::Intended | LeaseState::Live { .. } | LeaseState::Gone { .. } => None,
        }
    }

    /// Whether it is not yet known to be gone.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.state, LeaseState::Gone { .. })
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn ended(&self) -> Option<LeaseEnd> {
        match &self.state {
            LeaseState::Gone { at, basis } => {
                Some(LeaseEnd { lease: self.id, artifact: self.artifact.clone(), basis: basis.clone(), at: *at })
            }
            LeaseState::Intended | LeaseState::Live { .. } | LeaseState::Revoking { .. } => None,
        }
    }
}

/// The deterministic artifact name of a lease: 31 characters, safe as an account name anywhere.
#[must_use]
pub fn artifact_name(id: LeaseId) -> String {
    format!("wane_{}", id.suffix())
}

/// Reads a lease id back out of an artifact name.
#[must_use]
pub fn lease_of_artifact(name: &str) -> Option<LeaseId> {
    let suffix = name.strip_prefix("wane_")?;
    format!("lse_{suffix}").parse().ok()
}
