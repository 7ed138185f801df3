//! The trail: one record for each thing that happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Events by which the server keeps its own books. They tell nothing about access.
pub const BOOKKEEPING: [&str; 4] = ["answer.kept", "inventory.taken", "notices.made", "session.used"];

/// One record of the trail; also one event of the stream, whose id is its `seq`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordView {
    /// Its place in the trail: counts from 1, rising.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who: a person's name, `host:` and a resource's name, `wane`, or `unknown`.
    pub who: String,
    /// A stable dotted name of what happened: `grant.activated`.
    pub event: String,
    /// `done`, `denied` or `failed`.
    pub outcome: String,
    /// The person it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The resource it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The request it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The grant it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// What was made at the target that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// The ticket it stands under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Particulars.
    #[serde(default)]
    pub detail: Value,
}
