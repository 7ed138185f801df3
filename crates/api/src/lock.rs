//! Ending access at once, and locks that keep it ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Ends everything it names: one of `grant`, `person`, `resource`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// One grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Everything a person holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Every grant on a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Why.
    #[schema(max_length = 4096)]
    pub reason: String,
}

/// What was ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// The grants whose end has begun.
    pub ended: Vec<String>,
    /// What is to be known of ends that are not in the log yet, because the store cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbooked: Option<String>,
}

/// A role, named by its kind and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleName {
    /// The kind it belongs to.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Locks what it names, exactly one: what it covers ends, and nothing new is granted until it is lifted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLock {
    /// Everything a person holds, and whatever they would ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Every grant on a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Every grant of a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// One grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Why.
    #[schema(max_length = 4096)]
    pub reason: String,
}

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockView {
    /// Its id.
    pub id: String,
    /// The person it covers.
    pub person: Option<String>,
    /// The resource it covers.
    pub resource: Option<String>,
    /// The role it covers.
    pub role: Option<RoleName>,
    /// The grant it covers.
    pub grant: Option<String>,
    /// Why.
    pub reason: String,
    /// Who imposed it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What is to be known of a lock that is not in the log yet, because the store cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbooked: Option<String>,
}
