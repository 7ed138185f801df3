//! Requests: what was asked, and where each item of it stands.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::approval::{NewSignature, SignedView};
use crate::resource::Residual;
use crate::value::{SpanView, wire_names};

/// One role on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskItem {
    /// The resource.
    pub resource: String,
    /// The role.
    pub role: String,
    /// The one command that it is for, to be run once and exactly so; all that the role gives if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub task: Option<String>,
}

/// Asks for access.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// What is asked for.
    #[schema(min_items = 1, max_items = 32)]
    pub items: Vec<AskItem>,
    /// Who would hold it; the caller if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_person: Option<String>,
    /// For how long: `2h`.
    #[schema(max_length = 64)]
    pub duration: String,
    /// From when; as soon as granted if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub reason: Option<String>,
    /// Under which ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub ticket: Option<String>,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Waits for approvals.
    Waiting,
    /// Approved; its grant exists.
    Approved,
    /// Refused by policy or by a person.
    Denied,
    /// Taken back by who asked.
    Withdrawn,
    /// Nobody decided in time.
    Lapsed,
    /// An approver approved less: the child request carries on.
    Narrowed,
}

wire_names!(ItemState {
    Waiting = "waiting",
    Approved = "approved",
    Denied = "denied",
    Withdrawn = "withdrawn",
    Lapsed = "lapsed",
    Narrowed = "narrowed",
});

/// One stage of approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageView {
    /// How many different people must approve.
    pub needs: u32,
    /// How many have.
    pub have: u32,
    /// Who could be one of them now, by name; who stands in for somebody among them.
    pub who_could: Vec<String>,
    /// Who of them stands in, and for whom.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub standing_in: BTreeMap<String, String>,
    /// The rule in words: `1 of manager, group:dba`.
    pub text: String,
}

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// Who.
    pub by: String,
    /// In whose place, if they stood in for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// At which stage, from 0.
    pub stage: u32,
    /// When.
    pub at: Timestamp,
    /// What they signed, if they did: anybody can check it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedView>,
}

/// That more people were asked, because a stage was still open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EscalatedView {
    /// At which stage, from 0.
    pub stage: u32,
    /// For how long it had been open.
    pub after: SpanView,
    /// When.
    pub at: Timestamp,
}

/// One item of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemView {
    /// The resource.
    pub resource: String,
    /// The role.
    pub role: String,
    /// The one command that it is for, if for one: what an approver says yes to, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Where it stands.
    pub state: ItemState,
    /// The policy whose path it takes; none if policy denied it.
    pub path: Option<String>,
    /// What approvals the path asks for, in order; empty if policy alone grants.
    pub stages: Vec<StageView>,
    /// Approvals so far.
    pub approvals: Vec<ApprovalView>,
    /// When more people were asked, because a stage was still open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalated: Vec<EscalatedView>,
    /// When more people are asked next, if nobody decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalates: Option<Timestamp>,
    /// Whether each approval has to be signed.
    #[serde(default)]
    pub needs_signatures: bool,
    /// Why it was denied, most useful first.
    pub reasons: Vec<String>,
    /// Who denied it; none for policy.
    #[serde(default)]
    pub denied_by: Option<String>,
    /// When its state was reached; none while it waits.
    #[serde(default)]
    pub decided: Option<Timestamp>,
    /// The grant it became.
    pub grant: Option<String>,
    /// The narrower request that carries on, if an approver approved less.
    #[serde(default)]
    pub child: Option<String>,
    /// The live grant of the same holder that covers it already.
    pub already_covered_by: Option<String>,
    /// What ending it could and could not do: what an approver says yes to. While it waits.
    #[serde(default)]
    pub residual: Option<Residual>,
}

/// What a request derives from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "relation")]
pub enum ParentView {
    /// It is what an approver left of a wider request.
    Narrows {
        /// The wider request.
        request: String,
        /// Its digest.
        digest: String,
    },
    /// It asks for more time for a grant.
    Extends {
        /// The grant.
        grant: String,
        /// The digest of the request the grant came from.
        digest: String,
    },
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestView {
    /// Its id.
    pub id: String,
    /// The digest of what was asked: what policy judged and approvers approve.
    pub digest: String,
    /// Who asked.
    pub requester: String,
    /// Who would hold the access.
    pub beneficiary: String,
    /// What is asked for.
    pub items: Vec<ItemView>,
    /// One word: the state its items share, `waiting` while any waits, else `mixed`.
    pub state: String,
    /// When it was asked.
    pub at: Timestamp,
    /// When it lapses if nobody decides.
    pub lapses: Timestamp,
    /// For how long.
    pub duration: SpanView,
    /// From when; none for as soon as granted.
    pub start: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Under which ticket.
    pub ticket: Option<String>,
    /// What it derives from.
    pub parent: Option<ParentView>,
    /// The package that it was asked for out of, by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// Takes a request back, or one item of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// Which item, from 0; all that wait if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
}

/// Approves a request or one item of it, in full or narrower.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Which item, from 0; all that wait for this approver if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Not for as long as asked: `30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub duration: Option<String>,
    /// Not for the role asked, but for this narrower one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The signature over what was drafted to be signed, which says all of the above: leave that out then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<NewSignature>,
}

/// Denies a request or one item of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// Which item, from 0; all that wait if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Why.
    #[schema(max_length = 4096)]
    pub reason: String,
}
