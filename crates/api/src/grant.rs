//! Grants: access that was given, how it stands and how it ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::request::{ApprovalView, RequestView};
use crate::resource::Residual;
use crate::trail::RecordView;
use crate::value::{SecretText, SpanView, wire_names};

/// Where a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// Granted, not yet used.
    Scheduled,
    /// Access may be used until its end.
    Active,
    /// Its end has begun; something under it is not yet proven gone.
    Ending,
    /// Everything under it ended, with evidence.
    Closed,
}

wire_names!(GrantState { Scheduled = "scheduled", Active = "active", Ending = "ending", Closed = "closed" });

/// Where one artifact of a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// Written down; the target may or may not have been touched.
    Intended,
    /// Made and read back.
    Live,
    /// Being ended; an open debt until proof.
    Revoking,
    /// Its end was established.
    Gone,
}

mod lease_names {
    use super::LeaseState;
    crate::value::wire_names!(LeaseState { Intended = "intended", Live = "live", Revoking = "revoking", Gone = "gone" });
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantView {
    /// Its id.
    pub id: String,
    /// Who holds it.
    pub holder: String,
    /// The resource.
    pub resource: String,
    /// The role.
    pub role: String,
    /// The kind that serves the resource.
    pub kind: String,
    /// The one command that it is for, if for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskView>,
    /// Where it stands.
    pub state: GrantState,
    /// When it was activated.
    pub since: Option<Timestamp>,
    /// When it ends, or ended; none while it is scheduled.
    pub end: Option<Timestamp>,
    /// Not usable before.
    pub opens: Timestamp,
    /// Closed if not used before.
    pub activate_by: Timestamp,
    /// How long it lasts once active.
    pub duration: SpanView,
    /// Who approved it.
    pub approvals: Vec<ApprovalView>,
    /// The policy whose path it took.
    pub path: Option<String>,
    /// SHA-256 of the policy set it was judged by.
    pub policy_digest: String,
    /// The request it came from.
    pub request: String,
    /// The ticket it stands under.
    pub ticket: Option<String>,
    /// What was made for it at the target.
    pub leases: Vec<LeaseView>,
    /// What can and cannot be ended there.
    pub residual: Option<Residual>,
    /// Why and since when it is ending; none before its end began.
    pub ending: Option<EndView>,
    /// The evidence of its end; none before it is closed.
    pub closure: Option<ClosureView>,
    /// What is to be known of an end that is not in the log yet, because the store cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbooked: Option<String>,
    /// How it is used, while it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<ConnectView>,
}

/// How a grant is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectView {
    /// Lines for a terminal, the plainest first.
    pub lines: Vec<ConnectLine>,
    /// Whether what is handed out is made for a key that the holder brings.
    pub needs_key: bool,
    /// Whether its holder can open a terminal in a page.
    #[serde(default)]
    pub terminal: bool,
}

/// A line for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectLine {
    /// What it is, in words.
    pub what: String,
    /// The line, as it is to be typed.
    pub command: String,
}

/// The one command that a grant is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// The command, exactly.
    pub text: String,
    /// SHA-256 over `wane.task.v1`, a line feed and the command.
    pub digest: String,
    /// When it was let run, which it is once; none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Timestamp>,
}

/// Why an access ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndView {
    /// `expired`, `returned`, `revoked`, `denied after approval`, `locked`, `lost eligibility`, `never activated`, `task done`.
    pub cause: String,
    /// Who ended it, if a person did.
    pub by: Option<String>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When its end began.
    pub at: Timestamp,
}

/// Something that was made at the target and must end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseView {
    /// Its id.
    pub id: String,
    /// Its name at the target.
    pub artifact: String,
    /// `credential` or `account`.
    pub what: String,
    /// Where it stands.
    pub state: LeaseState,
    /// When the target was last seen to have it.
    pub confirmed: Option<Timestamp>,
    /// When it ends at the latest.
    pub end: Timestamp,
    /// How its end goes, while that is open.
    pub debt: DebtState,
    /// On what basis it counts as ended.
    pub basis: Option<BasisView>,
    /// Every issue under it, oldest first, where something was signed. In the view of one grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issued: Vec<IssuedView>,
}

/// One issue of a signed credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuedView {
    /// Unique in this deployment, and rising.
    pub serial: u64,
    /// When.
    pub at: Timestamp,
    /// When it stops working by itself.
    pub not_after: Timestamp,
    /// Fingerprint, principals and the rest, in the kind's own words.
    pub detail: Value,
}

/// The retry history of an end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DebtState {
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

/// On what basis something counts as ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BasisView {
    /// `gone` only if the target itself said it is not there; else `login refused` or `ran out`.
    pub word: String,
    /// What the target answered, where it was asked.
    pub proof: Option<String>,
    /// When it ran out by itself, if that is the basis.
    pub until: Option<Timestamp>,
    /// When it was established.
    pub at: Timestamp,
}

/// The evidence of how everything under a grant ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosureView {
    /// One word for all of it, the weakest of its parts.
    pub word: String,
    /// Why it ended.
    pub cause: String,
    /// When the last of it was established.
    pub at: Timestamp,
    /// How each artifact ended; empty if nothing was made.
    pub leases: Vec<LeaseEndView>,
}

/// How one artifact ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseEndView {
    /// Its id.
    pub lease: String,
    /// Its name at the target.
    pub artifact: String,
    /// On what basis.
    pub basis: BasisView,
}

/// Has a credential issued under a grant, activating it if it is scheduled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// What the kind needs from the holder: for `ssh` an object with the public key.
    #[serde(default)]
    pub input: Value,
}

/// What binds a client of ACME (RFC 8555, section 7.3.4) to a grant. Handed out once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AcmeBindingView {
    /// The key identifier.
    pub kid: String,
    /// The key, in base64url: whoever has it first makes the account.
    pub hmac_key: SecretText,
    /// Where the client begins: the directory.
    pub directory: String,
    /// What certificates can be ordered for.
    pub names: Vec<String>,
    /// When the grant ends, and the account with it.
    pub until: Timestamp,
}

/// A credential that was handed out. Never handed out again: a retry is refused.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CredentialView {
    /// What it was made as.
    pub lease: String,
    /// Not secret: address, user name, certificate, how to connect.
    pub public: Value,
    /// The secret, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretText>,
    /// When it stops working by itself.
    pub not_after: Option<Timestamp>,
    /// When the grant ends.
    pub grant_end: Timestamp,
}

impl CredentialView {
    /// One that is no secret: what a retry may be told again.
    #[must_use]
    pub fn without_secret(lease: String, public: Value, not_after: Option<Timestamp>, grant_end: Timestamp) -> Self {
        Self { lease, public, secret: None, not_after, grant_end }
    }
}

/// Asks for more time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// How much more: `1h`.
    #[schema(max_length = 64)]
    pub duration: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub reason: Option<String>,
}

/// Takes an approval back: the grant ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DenyGrant {
    /// Why.
    #[schema(max_length = 4096)]
    pub reason: String,
}

/// The whole story of a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoryView {
    /// The grant as it stands.
    pub grant: GrantView,
    /// The request it came from.
    pub request: RequestView,
    /// Every request the story is about, oldest first: the ask itself, what approvers left of it, each extension.
    #[serde(default)]
    pub requests: Vec<RequestView>,
    /// How long it took from the first ask until it was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_after: Option<SpanView>,
    /// How long it took from the first ask until a credential or session was there to be used; none if there was none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usable_after: Option<SpanView>,
    /// What it was decided on.
    pub decision: DecisionView,
    /// What happened, oldest first.
    pub lines: Vec<StoryLine>,
    /// The evidence of its end; none before it is closed.
    pub closure: Option<ClosureView>,
}

/// What a grant was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// The version of the policy set; none if no such version is kept.
    #[serde(default)]
    pub policy_version: Option<u64>,
    /// SHA-256 of the policy set.
    pub policy_digest: String,
    /// The policy whose path it took.
    pub path: Option<String>,
    /// Every policy that determined it.
    pub determining: Vec<String>,
    /// SHA-256 of the facts that were judged.
    pub facts: String,
    /// When.
    pub at: Timestamp,
}

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoryLine {
    /// When.
    pub at: Timestamp,
    /// What happened, in a sentence.
    pub text: String,
    /// The stable name of what happened: `grant.activated`.
    pub event: String,
    /// Who did it.
    pub who: String,
    /// The record it is told from, for those who may read the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordView>,
}
