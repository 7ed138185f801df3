//! A notice: what it says, and what it is about.

use serde::{Deserialize, Serialize};
use wane_domain::id::{GrantId, RequestId, SessionId};
use wane_domain::time::Time;

use crate::kind::Kind;

/// What somebody can do about it, in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Todo {
    /// What it does: `to ask again`.
    pub to: String,
    /// The command, as it is typed.
    pub command: String,
}

/// What a notice is about; every member that applies is filled, and all are clean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Whose access it is, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Who did it, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The resource, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The role, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// When the access ends, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Time>,
    /// Why, in people's own words or the cause's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A notice. Its texts are clean: nothing in them is a line of its own, a link, or moves what a reader sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What about.
    pub kind: Kind,
    /// When it happened.
    pub at: Time,
    /// In one line.
    pub subject: String,
    /// In some.
    pub lines: Vec<String>,
    /// The one step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub todo: Option<Todo>,
    /// The particulars.
    pub about: About,
}

/// Tries a channel.
#[must_use]
pub fn test_notice(by: &str, at: Time) -> Notice {
    Notice {
        kind: Kind::Test,
        at,
        subject: format!("{by} tries whether notices arrive"),
        lines: vec!["Nothing happened. If you read this, the channel works.".to_owned()],
        todo: None,
        about: About { by: Some(by.to_owned()), ..About::default() },
    }
}
