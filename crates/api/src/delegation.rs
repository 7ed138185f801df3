//! Who stands in for an approver who is away.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::wire_names;

/// Where a delegation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DelegationState {
    /// It begins later.
    ToCome,
    /// Somebody stands in now.
    Holds,
    /// Its time is over; what was approved under it stands.
    Over,
    /// It was taken back; what was approved under it and not begun is void.
    TakenBack,
}

wire_names!(DelegationState { ToCome = "to_come", Holds = "holds", Over = "over", TakenBack = "taken_back" });

/// That somebody stands in for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DelegationView {
    /// Its id.
    pub id: String,
    /// Who is away.
    pub by: String,
    /// Who stands in.
    pub to: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// What is asked on these resources; on all if there is none.
    pub resources: Vec<String>,
    /// What is asked on the paths of these policies; on all if there is none.
    pub policies: Vec<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was said.
    pub since: Timestamp,
    /// Where it stands.
    pub state: DelegationState,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

/// Has somebody stand in for the caller, under a fresh proof of identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDelegation {
    /// Who stands in.
    pub to: String,
    /// From when; from now on if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when, 92 days ahead at most.
    pub until: Timestamp,
    /// For what is asked on these resources; on all if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 64)]
    pub resources: Vec<String>,
    /// For what is asked on the paths of these policies; on all if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 64)]
    pub policies: Vec<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub reason: Option<String>,
}
