//! The ways somebody comes in besides a password.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::wire_names;

/// What a way in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WayInKind {
    /// Who somebody is at a provider.
    Identity,
    /// A passkey.
    Passkey,
}

wire_names!(WayInKind { Identity = "identity", Passkey = "passkey" });

/// A way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WayInView {
    /// Which.
    pub id: String,
    /// What it is.
    pub kind: WayInKind,
    /// What its person calls it.
    pub name: String,
    /// What the provider is called here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Who they are there: its `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// When somebody last came in by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

/// Somebody's ways in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaysIn {
    /// Oldest first.
    pub items: Vec<WayInView>,
}

/// Says that an identity at a provider is a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIdentity {
    /// What the provider is called in the settings.
    pub provider: String,
    /// Who they are there: its `sub`, exactly.
    #[schema(max_length = 255)]
    pub subject: String,
}
