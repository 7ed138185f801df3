//! Why a decision is as it is, past or supposed, and what could be asked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::request::{ApprovalView, ItemView};
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
    /// For this one command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub task: Option<String>,
    /// Under this version of the policy set, over the facts of today; the one in force if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<u64>,
    /// Under this policy set, which is in force nowhere: Cedar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_text: Option<String>,
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
    /// The version of that policy set.
    #[serde(default)]
    pub policy_version: Option<u64>,
    /// What has to be known to read this right: that an older policy set was asked, that the facts are those of today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was decided then, where this is about a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedView>,
}

/// What was decided about a grant, as it was recorded then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedView {
    /// The grant.
    pub grant: String,
    /// The request it came from.
    pub request: String,
    /// Each time policy said yes to it, oldest first.
    pub decisions: Vec<PastDecisionView>,
    /// What the path it stands on asks, as its terms were then.
    pub asks: Vec<String>,
    /// Every policy that determined the last of these decisions.
    pub determining: Vec<String>,
    /// Who approved, and when.
    pub approvals: Vec<ApprovalView>,
}

/// One time that policy said yes to a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastDecisionView {
    /// To what: `granted`, `activated`, `extended`.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// The version of the policy set that said so; none if no such version is kept.
    pub policy_version: Option<u64>,
    /// SHA-256 of that policy set.
    pub policy_digest: String,
    /// The policy whose path it took, where the record names it.
    pub path: Option<String>,
}

/// Why the items of a request stand as they do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestWhyView {
    /// The request.
    pub request: String,
    /// Who asked.
    pub requester: String,
    /// When.
    pub at: Timestamp,
    /// The version of the policy set that was in force then.
    pub policy_version: Option<u64>,
    /// Item by item.
    pub items: Vec<ItemWhyView>,
}

/// Why one item of a request stands as it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemWhyView {
    /// The recorded answer: where it stands, on which path, who approved or denied it, when and why.
    pub recorded: ItemView,
    /// What is missing for it to become a grant; empty if nothing can help, or nothing needs to.
    pub missing: Vec<String>,
    /// Who could approve what is missing next, by name.
    pub who_could_approve: Vec<String>,
    /// How policy sees it now, and which narrower roles would do; none if its resource or role is gone.
    pub now: Option<WhyView>,
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
