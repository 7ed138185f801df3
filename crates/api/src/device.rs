//! Signing a command line in by a browser (after RFC 8628).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::session::SignedIn;
use crate::value::{SecretText, wire_names};

/// A command line that wants to be signed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// What it is and where, for whoever confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub client: Option<String>,
    /// Whether whoever confirms it has to have proved who they are after it asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prove: bool,
}

/// What it shows, and what it asks with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceBegun {
    /// What it asks with. Its own secret; shown once.
    pub device_code: SecretText,
    /// Where its person goes.
    pub link: String,
    /// What they enter there.
    pub code: String,
    /// When it stops waiting.
    pub expires: Timestamp,
    /// Seconds to wait before it asks.
    pub interval: u64,
}

/// Asks whether its person has answered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskDevice {
    /// What it was given for that.
    pub device_code: SecretText,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// Nobody answered yet.
    Waits,
    /// As before, and it asked too soon: ask less often.
    SlowDown,
    /// It is signed in.
    SignedIn,
}

wire_names!(DeviceState { Waits = "waits", SlowDown = "slow_down", SignedIn = "signed_in" });

/// What it is told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceAnswer {
    /// Where it stands.
    pub state: DeviceState,
    /// Seconds to wait before it asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<u64>,
    /// The session, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SignedIn>,
}
