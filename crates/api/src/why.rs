//! Why a decision is as it is, past or supposed, and what could be asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::resource::Residual;
use crate::value::{SpanView, wire_names};

/// Supposes an ask and says how it would be decided. Nothing is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppose {
    /// Who would hold it; the caller if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The resource.
    pub resource: String,
    /// The role; may be left out where the resource's kind has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// For how long: `2h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub duration: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub reason: Option<String>,
    /// Under which ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub ticket: Option<String>,
}

/// How an ask is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Policy alone grants it.
    Granted,
    /// Somebody has to approve it.
    Approval,
    /// No.
    Denied,
}

wire_names!(Outcome { Granted = "granted", Approval = "approval", Denied = "denied" });

/// One permit policy: a path to access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PathView {
    /// The policy.
    pub policy: String,
    /// What it is for, in its author's words.
    pub description: Option<String>,
    /// Whether it applies to this person, resource and role.
    pub applies: bool,
    /// What is missing for it to be taken.
    pub unmet: Vec<String>,
    /// What it asks: approvals, a proof of identity, a ticket…
    pub asks: Vec<String>,
}

/// A guardrail that forbids the ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForbidView {
    /// The policy.
    pub policy: String,
    /// Why, in its author's words.
    pub reason: Option<String>,
}

/// A narrower role that would do better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NarrowerView {
    /// The role.
    pub role: String,
    /// How an ask for it would be decided.
    pub outcome: Outcome,
    /// What it asks.
    pub asks: Vec<String>,
}

/// Why a decision is as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyView {
    /// Who would hold it.
    pub person: String,
    /// The resource.
    pub resource: String,
    /// The role.
    pub role: String,
    /// How it is decided.
    pub outcome: Outcome,
    /// Why, most useful first.
    pub reasons: Vec<String>,
    /// Every path that was looked at.
    pub paths: Vec<PathView>,
    /// Every guardrail that forbids it.
    pub forbids: Vec<ForbidView>,
    /// Who could approve it now, by name.
    pub who_could_approve: Vec<String>,
    /// Narrower roles on the same resource that would do better.
    pub narrower: Vec<NarrowerView>,
    /// What can and cannot be ended there.
    pub residual: Option<Residual>,
    /// SHA-256 of the policy set it was judged by.
    pub policy_digest: String,
}

/// Something the caller may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AskableView {
    /// The resource.
    pub resource: String,
    /// The kind that serves it.
    pub kind: String,
    /// The role.
    pub role: String,
    /// What the role is for.
    pub description: String,
    /// How it would be decided.
    pub outcome: Outcome,
    /// What it asks.
    pub asks: Vec<String>,
    /// The longest it may be asked for; none if it may not be.
    pub max_ttl: Option<SpanView>,
}
