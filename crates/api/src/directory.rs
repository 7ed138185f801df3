//! People and groups.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::{Edit, wire_names};

/// Whether a person may do anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// May sign in.
    Active,
    /// May do nothing; everything they hold ends.
    Disabled,
}

wire_names!(Standing { Active = "active", Disabled = "disabled" });

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonView {
    /// Unique login name.
    pub name: String,
    /// The name people read.
    pub display: String,
    /// Who manages them.
    pub manager: Option<String>,
    /// Facts for policy: department, location…
    pub attributes: BTreeMap<String, String>,
    /// Whether they may do anything at all.
    pub standing: Standing,
    /// The groups they are in.
    pub groups: Vec<String>,
    /// When they were entered.
    pub since: Timestamp,
    /// When their time is over; none if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who answers for them, if somebody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sponsor: Option<String>,
    /// Whether whoever answered for them has left: they may ask for nothing until somebody else does.
    #[serde(default, skip_serializing_if = "is_no")]
    pub unsponsored: bool,
    /// When they left, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Timestamp>,
    /// The directory that says who they are; nobody else does then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_no(flag: &bool) -> bool {
    !*flag
}

/// Enters a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// Unique login name: 1 to 63 of a-z, 0-9, `.`, `_`, `-`. Never used again for somebody else.
    #[schema(max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub name: String,
    /// The name people read; the login name if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub display: Option<String>,
    /// Who manages them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// Facts for policy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// When their time is over: from then on they may do nothing and hold nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who answers for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sponsor: Option<String>,
}

/// Changes a person; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditPerson {
    /// The name people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub display: Option<String>,
    /// Who manages them; `null` for nobody.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<String>)]
    pub manager: Edit<String>,
    /// All facts for policy, in place of those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, String>>,
    /// `disabled` ends everything they hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// When their time is over; `null` for never.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<Timestamp>)]
    pub until: Edit<Timestamp>,
    /// Who answers for them; `null` for nobody.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<String>)]
    pub sponsor: Edit<String>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupView {
    /// Unique name.
    pub name: String,
    /// What the group is for.
    pub description: String,
    /// Who is in it.
    pub members: Vec<String>,
    /// The provider of sign-ins, or the directory, that says who is in it; nobody else does then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<String>,
}

/// Makes a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Unique name: 1 to 63 of a-z, 0-9, `.`, `_`, `-`.
    #[schema(max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub name: String,
    /// What the group is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub description: Option<String>,
}

/// How changes in a directory are heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hears {
    /// It tells of each (RFC 4533).
    AtOnce,
    /// It does not offer to tell, and is read at its interval.
    AtIntervals,
}

/// A directory that people and groups come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LdapView {
    /// What it is called.
    pub name: String,
    /// How many people it keeps.
    pub people: u64,
    /// When it was last read and what it said was taken; none since the server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Timestamp>,
    /// How changes in it are heard of; none while it is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hears: Option<Hears>,
    /// Why it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
    /// Why what it says is held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
    /// What it says that was not taken, and why.
    pub refused: Vec<String>,
    /// Whether nothing new begins for its people.
    pub stale: bool,
}
