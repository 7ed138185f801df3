//! The policy set: read, checked, loaded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
