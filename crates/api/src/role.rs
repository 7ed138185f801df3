//! Roles: what can be asked for on resources of a kind.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RoleView {
    /// Unique among the roles of its kind.
    pub name: String,
    /// The kind it belongs to.
    pub kind: String,
    /// What it is for.
    pub description: String,
    /// What it means at the target, in the kind's own terms.
    pub definition: Value,
    /// The digest of its definition, which requests freeze.
    pub digest: String,
    /// When it was entered.
    pub since: Timestamp,
}

/// Enters a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// Unique among the roles of its kind: 1 to 63 of a-z, 0-9, `.`, `_`, `-`.
    #[schema(max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub name: String,
    /// The kind it belongs to.
    #[schema(max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub kind: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 256)]
    pub description: String,
    /// What it means at the target, checked by the kind.
    #[serde(default)]
    pub definition: Value,
}

/// Changes a role; what is left out stays. A waiting request for the role as it was must be made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditRole {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub description: Option<String>,
    /// What it means at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Value>,
}
