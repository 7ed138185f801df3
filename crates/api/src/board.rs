//! The boards: all live access, and every end that is still owed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::wire_names;

/// How an access is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// With a credential or account of one's own, straight to the target.
    Direct,
    /// Through the gateway.
    Brokered,
}

wire_names!(Access { Direct = "direct", Brokered = "brokered" });

/// One live access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveView {
    /// The grant.
    pub grant: String,
    /// Who.
    pub person: String,
    /// On what.
    pub resource: String,
    /// As what.
    pub role: String,
    /// The kind that serves the resource.
    pub kind: String,
    /// How it is used.
    pub access: Access,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// Whole seconds left; 0 when its end is under way.
    pub left_secs: u64,
    /// What ends it, in words.
    pub ends_by: String,
    /// Whether open sessions are cut at the end.
    pub sessions_cut: bool,
    /// How many things were made for it at the target.
    pub leases: u32,
}

/// A session that goes through the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveSession {
    /// Its id.
    pub id: String,
    /// The grant it hangs under.
    pub grant: String,
    /// Who.
    pub person: String,
    /// On what.
    pub resource: String,
    /// As what.
    pub role: String,
    /// The login name there.
    pub login: String,
    /// Where they come from.
    pub peer: String,
    /// What their program calls itself.
    pub client: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; none while it is being cut.
    pub end: Option<Timestamp>,
    /// Until when identity has to be proved again: from then on the session is paused. None where it need not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prove_by: Option<Timestamp>,
    /// Bytes to the resource.
    pub bytes_up: u64,
    /// Bytes from it.
    pub bytes_down: u64,
    /// What is thought of it so far: `inside` what its role names, `outside`, or `unknown`.
    pub verdict: String,
    /// How often a rule found something in it.
    pub findings: u32,
}

/// Ends one session, and leaves its grant as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Why.
    #[schema(max_length = 4096)]
    pub reason: String,
}

/// An end that is owed: it should be over and is not proven to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DebtView {
    /// What is to be ended.
    pub lease: String,
    /// The grant.
    pub grant: String,
    /// Where.
    pub resource: String,
    /// Who answers for the resource.
    pub owner: Option<String>,
    /// Its name at the target.
    #[serde(default)]
    pub artifact: String,
    /// Since when it is owed.
    pub since: Timestamp,
    /// For how many whole seconds.
    pub age_secs: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next: Option<Timestamp>,
    /// What the last try met.
    pub last: Option<String>,
    /// Why it cannot be ended as it stands; a person has to look. Tries go on.
    pub quarantined: Option<String>,
    /// Nothing can call it back before this moment.
    pub unrecallable_until: Option<Timestamp>,
}
