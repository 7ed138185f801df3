//! People and groups.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{DirectoryId, GroupId, PersonId};
use crate::text::{Line, Name, TextError};
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
    /// The directory that says who they are; nobody else does then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<Name>,
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
    /// The provider of sign-ins, or the directory, that says who is in it; nobody else does then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<Name>,
}

/// A directory that pushes people and groups. Never deleted, only removed: what it made it keeps once it is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Opaque identity.
    pub id: DirectoryId,
    /// Unique name.
    pub name: Name,
    /// What of its word counts.
    pub rules: DirectoryRules,
    /// Since when.
    pub since: Time,
    /// When it was removed.
    pub removed: Option<Time>,
}

/// What of a directory's word counts here. Paths are SCIM paths (RFC 7644 section 3.5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryRules {
    /// What is the name of a person here.
    pub name: String,
    /// What is the name people read; the first of them that is said.
    pub display: String,
    /// From our attributes to its own.
    pub attributes: BTreeMap<Name, String>,
    /// From its groups to names of ours. Those that are not in it are called by the directory's name and theirs.
    pub groups: BTreeMap<String, Name>,
    /// Where its people sign in, if it says so.
    pub sign_in: Option<DirectorySignIn>,
}

/// Where the people of a directory sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectorySignIn {
    /// The provider of sign-ins.
    pub provider: Name,
    /// What is the subject of somebody there.
    pub subject: String,
}

impl Directory {
    /// What it is called as the keeper of people and groups. No provider of sign-ins can be called so: their names
    /// have no dots.
    ///
    /// # Errors
    /// When its name is too long for that.
    pub fn keeper(name: &Name) -> Result<Name, TextError> {
        format!("directory.{name}").parse()
    }
}
