//! A role: one group of the directory, and how its members are written there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wane_connector::KindError;
use wane_connector::strict::{object, text, unknown_word, wrong};

use crate::settings::check_dn;

const KEYS: &[&str] = &["group", "attribute"];
const ATTRIBUTES: &[&str] = &["member", "uniqueMember", "memberUid"];

/// What a role means in a directory, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) group: String,
    #[serde(default)]
    pub(crate) attribute: Attribute,
}

/// How members are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Attribute {
    /// By the name of their entry: `groupOfNames`, and groups of Active Directory.
    #[default]
    #[serde(rename = "member")]
    Member,
    /// By the name of their entry: `groupOfUniqueNames`.
    #[serde(rename = "uniqueMember")]
    UniqueMember,
    /// By their `uid`: `posixGroup` (RFC 2307).
    #[serde(rename = "memberUid")]
    MemberUid,
}

impl Attribute {
    pub(crate) const ALL: [Self; 3] = [Self::Member, Self::UniqueMember, Self::MemberUid];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::UniqueMember => "uniqueMember",
            Self::MemberUid => "memberUid",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

impl Definition {
    /// Reads what a person wrote.
    pub(crate) fn parse(given: &Value) -> Result<Self, KindError> {
        let keys = object("role", given, KEYS)?;
        let group = text(keys, "group")?
            .ok_or_else(|| wrong("group", "name the group, such as `cn=admins,ou=groups,dc=example,dc=org`"))?;
        check_dn("group", group)?;
        let attribute = match text(keys, "attribute")? {
            None => Attribute::default(),
            Some(name) => Attribute::of(name).ok_or_else(|| wrong("attribute", unknown_word(name, ATTRIBUTES)))?,
        };
        Ok(Self { group: group.to_owned(), attribute })
    }
}
