//! The policy set: read, checked, loaded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::why::Outcome;

/// The policy set in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// Counts up from 1.
    pub version: u64,
    /// SHA-256 of the text, hexadecimal.
    pub digest: String,
    /// Cedar.
    pub text: String,
    /// Who loaded it; none for the one the deployment began with.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A version of the policy set that is, or was, in force. All of them are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyVersionView {
    /// Counts up from 1.
    pub version: u64,
    /// SHA-256 of the text, hexadecimal.
    pub digest: String,
    /// Who loaded it; none for the one the deployment began with.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether it is the one that decides now.
    pub in_force: bool,
}

/// Loads a policy set. One that does not validate changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadPolicy {
    /// Cedar.
    pub text: String,
    /// The version it was edited from; if another is in force by now, nothing is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_version: Option<u64>,
}

/// A policy set that was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyLoaded {
    /// Its version.
    pub version: u64,
    /// SHA-256 of the text, hexadecimal.
    pub digest: String,
    /// What validates but is probably not meant.
    pub warnings: Vec<String>,
}

/// Checks a policy set and loads nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPolicy {
    /// Cedar.
    pub text: String,
}

/// What came of checking a policy set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyChecked {
    /// Whether it would load.
    pub ok: bool,
    /// Why not.
    pub problems: Vec<PolicyProblem>,
    /// What validates but is probably not meant.
    pub warnings: Vec<String>,
}

/// Asks a policy set that is not in force about what was asked of late. Nothing is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RehearsePolicy {
    /// Cedar.
    pub text: String,
}

/// What a policy set says to those who asked, beside what the one in force says; both over the facts of today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyRehearsed {
    /// Of how many asks.
    pub looked_at: u64,
    /// How many could not be asked about: the person, the resource or the role is gone.
    pub gone: u64,
    /// How many are decided otherwise.
    pub differ: u64,
    /// The first of them, the newest ask first.
    pub changed: Vec<DecisionChanged>,
    /// The oldest ask that was looked at.
    pub since: Option<Timestamp>,
    /// Whether there are older ones.
    pub more: bool,
}

/// An ask that is decided otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionChanged {
    /// The request.
    pub request: String,
    /// When it was asked.
    pub at: Timestamp,
    /// Who would hold it.
    pub person: String,
    /// The resource.
    pub resource: String,
    /// The role.
    pub role: String,
    /// What the set in force says.
    pub now: FaresView,
    /// What the other one says.
    pub then: FaresView,
}

/// How an ask is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaresView {
    /// How.
    pub outcome: Outcome,
    /// What it asks, if it is not refused.
    pub asks: Vec<String>,
    /// Why it is refused, if it is.
    pub reasons: Vec<String>,
}

/// Proposes a policy set, in place of whatever was proposed before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposePolicy {
    /// Cedar.
    pub text: String,
    /// The version it was written from, which has to be the one in force.
    pub seen_version: u64,
    /// What there is to say about it.
    #[serde(default)]
    #[schema(max_length = 4096)]
    pub note: String,
}

/// A policy set that somebody proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalView {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Cedar.
    pub text: String,
    /// SHA-256 of the text, hexadecimal: what is put in force is named by it.
    pub digest: String,
    /// The version that it was written from.
    pub from: u64,
    /// What its author says about it.
    pub note: String,
    /// Whether the caller may put it in force.
    pub may_activate: bool,
}

/// What is proposed, and who may propose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalsView {
    /// The one proposal there may be.
    pub proposal: Option<ProposalView>,
    /// Whether the caller may propose.
    pub may_propose: bool,
}

/// Names a proposal by what it says, so that nothing else is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThisProposal {
    /// Its digest, as it was looked at.
    #[schema(max_length = 64)]
    pub digest: String,
}

/// One thing that is wrong in a policy set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyProblem {
    /// The line, from 1, where known.
    pub line: Option<u64>,
    /// The policy, where known.
    pub policy: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}
