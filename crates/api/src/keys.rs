//! Keys that issue and take over from one another: authorities of certificates, keys of access tokens.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Which keys there are of a sort.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct KeysView {
    /// Each: what it is called (`key`), how it stands (`state`), when it was made, and what is public of it.
    pub items: Vec<Value>,
}

/// A change of keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnKeys {
    /// Of authorities: `{"new": {"ed25519", "request", "years", "permit_dns", "permit_ip"}}`, `{"certify": {"chain"}}`, `"take_over"`,
    /// `"drop"`. Of keys of tokens: `{"new": {"ed25519", "ahead"}}`, `{"drop": {"key", "compromised"}}`.
    pub change: Value,
}
