//! Hosts that join, and what they pull.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::value::SecretText;

/// A host joins: the code stands for the resource, no session is needed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinHost {
    /// The one-time code.
    pub code: SecretText,
    /// The public part of each of its host keys, one line each (OpenSSH format).
    #[serde(default)]
    #[schema(max_items = 16)]
    pub host_keys: Vec<String>,
}

/// What a joined host needs to set itself up; the kind's own document stands beside these fields.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HostJoined {
    /// The resource it is.
    pub resource: String,
    /// The bearer token it pulls with. Shown once.
    pub host_token: SecretText,
    /// The kind's own document: certificates, keys to trust, settings.
    #[serde(flatten)]
    pub document: Map<String, Value>,
}
