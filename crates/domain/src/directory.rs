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
