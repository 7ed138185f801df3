//! What must be true for a path to access to be taken.

use serde::{Deserialize, Serialize};

use crate::text::Name;
use crate::time::Span;

/// The terms of one path to access, read from the annotations of its policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Approvals, in order; empty means policy alone grants.
    pub stages: Vec<Stage>,
    /// The longest access, from activation, extensions included.
    pub max_ttl: Span,
    /// How long a request may wait for approval before it lapses.
    pub approval_window: Span,
    /// How long after being granted it may be activated.
    pub activation_window: Span,
    /// Whether a justification must be given.
    pub justification: Need,
    /// Whether a ticket must be named.
    pub ticket: Need,
    /// A proof of identity no older than this, at request and at every session start.
    pub step_up: Option<Span>,
    /// While a session lasts, a proof of identity no older than this: one that gets older pauses it, and then cuts
    /// it. Only a brokered session can be paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reproof: Option<Span>,
    /// Whether each approval must be a signature. Left out of the JSON where it need not, so that what was granted
    /// before there were any reads as it did.
    #[serde(default = "Need::optional", skip_serializing_if = "Need::is_optional")]
    pub signature: Need,
    /// Whether sessions must be recorded, which only a brokered session can be.
    pub recording: Need,
    /// How access is given.
    pub mode: Mode,
}

/// Whether something must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// May be left out.
    Optional,
    /// Must be there.
    Required,
}

impl Need {
    const fn optional() -> Self {
        Self::Optional
    }
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
    fn is_optional(&self) -> bool {
        *self == Self::Optional
    }
}

/// How access is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Whatever the kind does by itself.
    Any,
    /// A credential or account handed to the person.
    Direct,
    /// A session through the gateway; nothing is handed out.
    Brokered,
}

/// One stage of approval: so many of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// How many different people.
    pub quorum: u16,
    /// Who may be one of them.
    pub approvers: Vec<Approvers>,
    /// Who may be one of them, too, once it has been open for so long; soonest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Later>,
}

/// Who is asked in addition where a stage is still open after a while. How many are needed stays what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// How long it has to have been open.
    pub after: Span,
    /// Who.
    pub approvers: Vec<Approvers>,
}

/// Who may approve in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approvers {
    /// The requester's manager.
    Manager,
    /// The resource's owner, or anyone in the group that owns it.
    Owner,
    /// Anyone in a group.
    Group(Name),
    /// One person.
    Person(Name),
}

impl std::fmt::Display for Approvers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Manager => f.write_str("manager"),
            Self::Owner => f.write_str("owner"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Person(name) => write!(f, "person:{name}"),
        }
    }
}

fn listed(f: &mut std::fmt::Formatter<'_>, approvers: &[Approvers]) -> std::fmt::Result {
    for (i, who) in approvers.iter().enumerate() {
        write!(f, "{}{who}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of ", self.quorum)?;
        listed(f, &self.approvers)?;
        for Later { after, approvers } in &self.later {
            write!(f, ", or after {after} also ")?;
            listed(f, approvers)?;
        }
        Ok(())
    }
}
