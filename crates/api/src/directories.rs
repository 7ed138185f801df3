//! Directories that push people and groups over SCIM.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::SecretText;

/// What of a directory's word counts. Paths are SCIM paths: `title`, `name.familyName`,
/// `emails[type eq "work"].value`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryRules {
    /// What is the name of a person here; stays with the directory. `userName` if left out.
    #[serde(default = "user_name")]
    #[schema(max_length = 256)]
    pub name: String,
    /// What is the name people read. `displayName` if left out.
    #[serde(default = "display_name")]
    #[schema(max_length = 256)]
    pub display: String,
    /// From attributes here to paths there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// From names of groups there to names of groups here, which are to be free. A group that is not in it is called
    /// by the directory's name, a dot and its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, String>,
    /// Where its people sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<DirectorySignIn>,
}

impl Default for DirectoryRules {
    fn default() -> Self {
        let (attributes, groups) = (BTreeMap::new(), BTreeMap::new());
        Self { name: user_name(), display: display_name(), attributes, groups, sign_in: None }
    }
}

fn user_name() -> String {
    "userName".to_owned()
}

fn display_name() -> String {
    "displayName".to_owned()
}

/// Where the people of a directory sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectorySignIn {
    /// What the provider is called in the settings.
    pub provider: String,
    /// What is their `sub` there, as a path: `externalId`, say.
    #[schema(max_length = 256)]
    pub subject: String,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DirectoryView {
    /// Unique name.
    pub name: String,
    /// Where it pushes to.
    pub url: String,
    /// What of its word counts.
    pub rules: DirectoryRules,
    /// How many people it keeps.
    pub people: u64,
    /// How many groups it keeps.
    pub groups: u64,
    /// Since when.
    pub since: Timestamp,
    /// When it last called, to the minute after a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// When each of its tokens ends, oldest first.
    pub tokens: Vec<Timestamp>,
    /// How many of its calls were refused since the server began.
    pub refused: u64,
    /// The last that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refused: Option<RefusedPush>,
}

/// What becomes of the people of a directory that is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Orphans {
    /// They are disabled, and everything they hold ends.
    #[default]
    Disabled,
    /// They stay as they are, and are this deployment's to change.
    Kept,
}

/// Removes a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveDirectory {
    /// What becomes of its people; they are disabled if nothing is said.
    #[serde(default)]
    pub people: Orphans,
}

/// What came of removing a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DirectoryRemoved {
    /// How many people it kept.
    pub people: u64,
    /// How many of them were disabled now, with everything they held ended.
    pub disabled: u64,
}

/// A call of a directory that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedPush {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// All directories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Directories {
    /// By name.
    pub items: Vec<DirectoryView>,
}

/// Adds a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDirectory {
    /// Unique name: 1 to 32 of a-z, 0-9 and `-`.
    #[schema(max_length = 32, pattern = "^[a-z0-9][a-z0-9-]{0,31}$")]
    pub name: String,
    /// What of its word counts.
    #[serde(default)]
    pub rules: DirectoryRules,
}

/// Makes another token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateDirectory {
    /// How long the former token goes on: `24h` if left out, `0s` for not at all; at most `720h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
}

/// A directory with its token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DirectoryToken {
    /// The directory.
    pub directory: DirectoryView,
    /// What it shows with every call. It is not shown again.
    pub token: SecretText,
}
