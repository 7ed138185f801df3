//! Resources: what access is granted to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::value::{Edit, SecretText};

/// Who answers for a resource: a person or a group, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// One person.
    Person(String),
    /// Anyone in a group.
    Group(String),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(name) => write!(f, "person:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourceView {
    /// Its id, for good: as it stands in certificates, and as a signer of its own knows it.
    #[serde(default)]
    pub id: String,
    /// Unique name.
    pub name: String,
    /// Which kind serves it: `ssh`, `postgres`…
    pub kind: String,
    /// Facts for policy: env, tier…
    pub labels: BTreeMap<String, String>,
    /// Who answers for it.
    pub owner: Option<Owner>,
    /// The kind's own settings. Never a secret.
    pub settings: Value,
    /// When it was registered.
    pub since: Timestamp,
    /// What can and cannot be ended there; none where the caller sees only that it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual: Option<Residual>,
}

/// What can and cannot be ended at a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Residual {
    /// What is handed out.
    pub hands_out: String,
    /// Whether a credential stops working when it is revoked before it runs out.
    pub revokes_logins: bool,
    /// Whether open sessions are ended.
    pub kills_sessions: bool,
    /// At most so many seconds after the end until new logins are refused, the target being reachable.
    pub residual_logins_secs: u64,
    /// At most so many seconds until open sessions are cut; none where they are not cut at all.
    pub residual_sessions_secs: Option<u64>,
    /// What survives, in a sentence; empty if nothing does.
    pub survives: String,
}

/// Registers a resource.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResource {
    /// Unique name: 1 to 63 of a-z, 0-9, `.`, `_`, `-`.
    #[schema(max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub name: String,
    /// Which kind serves it.
    #[schema(max_length = 63, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub kind: String,
    /// Facts for policy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The kind's own settings, checked by the kind.
    #[serde(default)]
    pub settings: Value,
    /// The connector's own credential at the target, if the kind needs one. Never shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretText>,
}

/// Changes a resource; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditResource {
    /// All facts for policy, in place of those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Who answers for it; `null` for nobody.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<Owner>)]
    pub owner: Edit<Owner>,
    /// The kind's own settings, in place of those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
}

/// The connector's own credential at a resource.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCredential {
    /// The credential. Never shown again.
    pub credential: SecretText,
}

/// What came of checking a resource's roles at the resource itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Probe {
    /// One entry per role of the kind.
    pub roles: Vec<RoleProbe>,
}

/// What came of checking one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleProbe {
    /// The role.
    pub role: String,
    /// Why it cannot be used there; none if it can.
    pub problem: Option<String>,
}

/// What stands at a resource, as it said itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// Everything that carries Wane's mark.
    pub marked: Vec<Artifact>,
    /// Rights there that Wane did not give.
    pub standing: Vec<StandingRight>,
    /// Anything a person should look at.
    pub findings: Vec<String>,
    /// What carries Wane's mark and belongs to no open grant.
    pub orphans: Vec<Artifact>,
}

/// Something at a resource that carries Wane's mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    /// Its name there.
    pub name: String,
    /// The resource's own id for it.
    pub object: Option<String>,
    /// Particulars.
    pub detail: String,
}

/// A right at a resource that Wane did not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandingRight {
    /// Who holds it there.
    pub principal: String,
    /// What it lets them do.
    pub right: String,
}
