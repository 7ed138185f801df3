//! People and groups.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{GroupId, PersonId};
use crate::text::{Line, Name};
use crate::time::Time;

/// A person who can sign in, ask and approve. Never deleted, only disabled: a name is never reused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Opaque identity; two people are one exactly when their ids are equal.
    pub id: PersonId,
    /// Unique login name.
    pub name: Name,
    /// The name people read.
    pub display: Line,
    /// Who manages them, for approval stages that ask the manager.
    pub manager: Option<PersonId>,
    /// Facts for policy: department, location, employment…
    pub attributes: BTreeMap<Name, Line>,
    /// Whether they may do anything at all.
    pub standing: Standing,
    /// When they were entered.
    pub since: Time,
    /// How long they are here, and who answers for them.
    #[serde(default, skip_serializing_if = "Stay::is_plain")]
    pub stay: Stay,
}

/// How long somebody is here, and who answers for them: contractors, guests, auditors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stay {
    /// From this moment on they may do nothing and hold nothing; none for people whose end is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Who answers for them; none for people nobody needs to answer for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sponsor: Option<PersonId>,
    /// Since when they have left, with everything of theirs taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Time>,
}

impl Stay {
    /// Somebody without an end, whom nobody answers for, and who is here.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether their time is over and that was not booked yet.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        self.left.is_none() && self.until.is_some_and(|until| until <= now)
    }

    /// The earlier of a moment and the end of their time.
    #[must_use]
    pub fn at_most(&self, at: Time) -> Time {
        self.until.map_or(at, |until| until.min(at))
    }
}

/// Whether a person may do anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// May sign in.
    Active,
    /// May do nothing; everything they hold ends.
    Disabled,
}

/// A named set of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Opaque identity.
    pub id: GroupId,
    /// Unique name.
    pub name: Name,
    /// What the group is for.
    pub description: Line,
    /// Who is in it.
    pub members: BTreeSet<PersonId>,
    /// The provider of sign-ins that says who is in it; nobody else does then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<Name>,
}
