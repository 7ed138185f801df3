//! Sending somebody away, and the report of what came of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::grant::GrantView;

/// Sends a person away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Offboard {
    /// Why; told to whoever sits in one of their sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub reason: Option<String>,
}

/// What the report is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LeavingQuery {
    /// Ask every target whether it knows somebody of that name; takes as long as the slowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<bool>,
}

/// What came of somebody's leaving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeavingView {
    /// Who.
    pub person: String,
    /// When they left.
    pub left: Timestamp,
    /// Who sent them away; none if their time was over.
    pub by: Option<String>,
    /// Why.
    pub why: String,
    /// Whether everything that they held is over, with evidence.
    pub complete: bool,
    /// How many ends are still owed.
    pub owed: u32,
    /// Sessions that were ended.
    pub sessions: u64,
    /// One-time codes that were made void.
    pub codes: u64,
    /// Whether a password was taken away.
    pub password: bool,
    /// Passkeys that were taken away.
    pub passkeys: Vec<String>,
    /// Identities at providers: kept, so that nobody else is entered for them, and they let nobody in.
    pub identities: Vec<ClosedIdentity>,
    /// Groups they were taken out of.
    pub groups: Vec<String>,
    /// Groups that a provider keeps: they are in them until it says otherwise.
    pub kept: Vec<KeptGroup>,
    /// Requests that were withdrawn.
    pub requests: Vec<String>,
    /// What they held: when and how it ended, on what basis, or what is owed and why.
    pub held: Vec<GrantView>,
    /// What the targets know by their name that was never made here; none if they were not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<AccountsView>,
}

/// An identity that lets nobody in any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosedIdentity {
    /// The provider.
    pub provider: String,
    /// Who they are there.
    pub subject: String,
}

/// A group that a provider keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeptGroup {
    /// The group.
    pub group: String,
    /// Who says who is in it.
    pub kept_by: String,
}

/// What targets know by somebody's name that was never made here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountsView {
    /// Accounts of that name without our mark; nobody touched them.
    pub found: Vec<TheirAccountView>,
    /// Targets that did not say.
    pub unseen: Vec<UnseenView>,
}

/// An account of somebody's name that was never made here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TheirAccountView {
    /// At which target.
    pub resource: String,
    /// As what.
    pub principal: String,
    /// What it may do there.
    pub right: String,
}

/// A target that did not say whom it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnseenView {
    /// Which.
    pub resource: String,
    /// Why.
    pub why: String,
}
