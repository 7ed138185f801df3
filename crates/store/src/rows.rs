//! Stored things that are no aggregate of the domain.

use serde::{Deserialize, Serialize};
use wane_audit::Record;
use wane_domain::canonical::Digest;
use wane_domain::grant::Grant;
use wane_domain::id::{
    DirectoryId, GrantId, GroupId, JobId, LeaseId, PersonId, ResourceId, RoleId, SessionId, TokenId, WayId,
};
use wane_domain::lease::Lease;
use wane_domain::proved::ProvedBy;
use wane_domain::request::AccessRequest;
use wane_domain::text::{Line, Name};
use wane_domain::time::Time;
use wane_domain::workload::JobAsks;
use wane_domain::world::PolicyVersion;

/// A value with the generation it was read at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Counts its writes from 1.
    pub generation: u64,
}

/// A grant with what its use is judged by, all read at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The grant.
    pub grant: Versioned<Grant>,
    /// What it came from.
    pub request: Versioned<AccessRequest>,
    /// The leases under it that are not gone, oldest first.
    pub open: Vec<Versioned<Lease>>,
}

/// A record with its place in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequenced {
    /// Counts from 1, rising; gaps never hide a record.
    pub seq: u64,
    /// The record.
    pub record: Record,
}

/// A version of the policy set, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyEntry {
    /// Counts up from 1.
    pub version: u64,
    /// Digest of the text.
    pub digest: Digest,
    /// Who loaded it; none for the one the deployment began with.
    pub by: Option<PersonId>,
    /// When.
    pub at: Time,
}

impl From<&PolicyVersion> for PolicyEntry {
    fn from(policy: &PolicyVersion) -> Self {
        Self { version: policy.version, digest: policy.digest, by: policy.by, at: policy.at }
    }
}

/// How a local person proves who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Who.
    pub person: PersonId,
    /// Argon2id in PHC string format.
    pub password: String,
    /// The TOTP secret, sealed; none before it was set up.
    pub totp: Option<Vec<u8>>,
    /// The last TOTP time step that was accepted; none is accepted twice.
    pub totp_step: Option<u64>,
    /// Failures since the last success.
    pub failures: u32,
    /// No attempt counts before this.
    pub closed_until: Option<Time>,
}

/// What a bearer token is for. A token of one kind never serves as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A signed-in session.
    Session,
    /// A one-time code to set up a local sign-in.
    Enrol,
    /// A one-time code to join a host.
    Join,
    /// A joined host.
    Host,
    /// A one-time code for the day somebody loses their passkeys.
    Recovery,
    /// A directory that pushes people and groups.
    Directory,
    /// A job of a workload.
    Job,
}

/// Whom a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenOwner {
    /// A person.
    Person(PersonId),
    /// A registered resource.
    Resource(ResourceId),
    /// A directory.
    Directory(DirectoryId),
    /// A job.
    Job(JobId),
}

/// A bearer token; only a keyed hash of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The public part of the token.
    pub id: TokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// Whom it stands for.
    pub owner: TokenOwner,
    /// HMAC-SHA-256 of the whole token under the sealed pepper.
    pub verifier: Vec<u8>,
    /// When it was made.
    pub at: Time,
    /// When identity was last proved with it.
    pub proved: Time,
    /// When it ends at the latest.
    pub expires: Time,
    /// When it was last used; idle sessions end.
    pub used: Time,
    /// Set once a one-time code was used, or a session ended.
    ///
    /// INVARIANT: a row that does not say is no unspent token but a broken row (held by
    /// `a_token_that_does_not_say_whether_it_is_spent_is_none`).
    #[serde(deserialize_with = "Option::deserialize")]
    pub spent: Option<Time>,
    /// How its person proved who they are; means something for a session only.
    pub by: ProvedBy,
}

impl Token {
    /// The provider's session that it came out of, as it is looked up by.
    #[must_use]
    pub fn via(&self) -> Option<String> {
        match &self.by {
            ProvedBy::Provider { issuer, session: Some(session), .. } => Some(provider_session(issuer, session)),
            ProvedBy::Provider { session: None, .. }
            | ProvedBy::PasswordAndCode
            | ProvedBy::Passkey
            | ProvedBy::RecoveryCode
            | ProvedBy::Job => None,
        }
    }
}

/// What a session of a provider is looked up by: of no other provider, however the two are spelled.
#[must_use]
pub fn provider_session(issuer: &str, session: &str) -> String {
    key_of("wane.provider-session.v1", &[issuer, session])
}

/// What an identity at a provider is looked up by. Exact: two that differ in anything are two.
#[must_use]
pub fn identity_key(issuer: &str, subject: &str) -> String {
    key_of("wane.identity.v1", &[issuer, subject])
}

/// What a passkey is looked up by.
#[must_use]
pub fn passkey_key(credential: &[u8]) -> String {
    Digest::of_bytes("wane.passkey.v1", credential).to_string()
}

/// Parts with their lengths, so that no two lists of parts are one text.
fn key_of(domain: &str, parts: &[&str]) -> String {
    let whole: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    Digest::of_bytes(domain, whole.as_bytes()).to_string()
}

/// A way in besides a local password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayIn {
    /// Which.
    pub id: WayId,
    /// What somebody who signs in is looked up by; leads to one person.
    pub key: String,
    /// Whose.
    pub person: PersonId,
    /// What they call it.
    pub name: Line,
    /// Since when.
    pub at: Time,
    /// Who entered it.
    pub entered_by: EnteredBy,
    /// When somebody last came in by it.
    pub used: Option<Time>,
    /// What it is.
    pub what: Way,
}

/// Who entered a way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnteredBy {
    /// This person.
    Person(PersonId),
    /// Nobody: the settings have a provider's people entered.
    Settings,
    /// This directory.
    Directory(DirectoryId),
}

/// What a way in is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Who somebody is at a provider.
    Identity {
        /// Its issuer identifier.
        issuer: String,
        /// Who they are there.
        subject: String,
    },
    /// A passkey.
    Passkey {
        /// Its public half and counter, as the library that checks it keeps them.
        credential: serde_json::Value,
    },
}

/// A job of a workload. Kept until the token that it was begun with says nothing any more: one token begins one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Which.
    pub id: JobId,
    /// Whose: the workload's person.
    pub person: PersonId,
    /// What the token was known by, see [`job_token_key`].
    pub token: String,
    /// What asks in it, as its issuer said.
    pub asks: JobAsks,
    /// The bearer that was handed out for it.
    pub bearer: TokenId,
    /// Since when.
    pub at: Time,
    /// When it is over at the latest.
    pub until: Time,
    /// When its token says nothing any more, whatever the clocks.
    pub forget: Time,
    /// How it ended.
    pub ended: Option<JobEnded>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEnded {
    /// When.
    pub at: Time,
    /// In words.
    pub how: String,
}

/// What a token that begins a job is known by: `name` is what its issuer calls it, or else a hash of what was signed.
/// Never of the signature: one can be made into another that holds as well.
#[must_use]
pub fn job_token_key(issuer: &str, name: &str) -> String {
    key_of("wane.job-token.v1", &[issuer, name])
}

/// What a directory said last of a person or group that it made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The person or group.
    pub id: EntryId,
    /// Which directory.
    pub directory: DirectoryId,
    /// What it is looked up by: the user name in lower case, or the display name of a group.
    pub key: String,
    /// What the directory calls it.
    pub external: Option<String>,
    /// Whether the directory says that they may do anything; of a group always.
    pub active: bool,
    /// Set while a person is disabled by hand: then the directory cannot enable them.
    #[serde(default)]
    pub held: bool,
    /// Since when.
    pub made: Time,
    /// When it was changed.
    pub changed: Time,
    /// What it said, as it was read; members apart.
    pub doc: serde_json::Value,
}

/// Of whom or what an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryId {
    /// A person.
    Person(PersonId),
    /// A group.
    Group(GroupId),
}

impl EntryId {
    /// What sort it is of.
    #[must_use]
    pub const fn sort(self) -> EntrySort {
        match self {
            Self::Person(_) => EntrySort::Person,
            Self::Group(_) => EntrySort::Group,
        }
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

/// The sorts of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are words")]
pub enum EntrySort {
    Person,
    Group,
}

impl EntrySort {
    /// The word, as it is kept.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Group => "group",
        }
    }
}

/// What an entry is looked up by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKey {
    /// Its key.
    Named(String),
    /// What the directory calls it.
    External(String),
}

/// One issue of a self-contained credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuance {
    /// Unique and rising.
    pub serial: u64,
    /// The lease it was issued under.
    pub lease: LeaseId,
    /// The grant: also its key id.
    pub grant: GrantId,
    /// The kind.
    pub kind: Name,
    /// When.
    pub at: Time,
    /// When it stops working by itself.
    pub not_after: Time,
    /// Fingerprints and the rest.
    pub detail: serde_json::Value,
    /// Since when it is revoked by itself, whatever its lease.
    #[serde(default)]
    pub revoked: Option<Time>,
}

impl Issuance {
    /// The one of these that is meant, if it was not revoked by itself.
    ///
    /// INVARIANT: what was revoked by itself stands for nobody, whatever its lease (held by
    /// `what_was_revoked_by_itself_is_not_found`).
    pub fn standing(all: impl IntoIterator<Item = Self>, meant: impl Fn(&Self) -> bool) -> Option<Self> {
        all.into_iter().find(meant).filter(|one| one.revoked.is_none())
    }
}

/// One use of a grant whose role, or a credential under it, gives a number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Of which.
    pub grant: GrantId,
    /// Of what under it: empty for its role, else a digest of the credential.
    pub of: String,
    /// The how manyeth, from one.
    pub number: u64,
    /// In which session.
    pub session: SessionId,
    /// When.
    pub at: Time,
}

/// What stood at a resource when it was last looked at on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryTaken {
    /// Where.
    pub resource: ResourceId,
    /// The day, by its midnight in UTC.
    pub day: Time,
    /// When it was last looked at.
    pub at: Time,
    /// What carries our mark and belongs to an open grant.
    pub made: u32,
    /// Rights there that were not given from here.
    pub standing: u32,
    /// What carries our mark and belongs to nothing: the most that was seen at once that day.
    pub orphans: u32,
}

/// How a recording came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// From the session's first byte to its last.
    Whole,
    /// Cut off: what came before is there.
    Cut,
    /// Nothing of it is there.
    Lost,
}

/// The end of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingEnd {
    /// When.
    pub at: Time,
    /// How.
    pub state: RecordingState,
    /// How many chunks there are.
    pub chunks: u64,
    /// How long it is.
    pub bytes: u64,
    /// What its chain says at the end.
    pub root: Option<Digest>,
    /// Why it is not whole.
    pub why: Option<String>,
    /// What the gateway had to say about the session.
    pub facts: serde_json::Value,
}

/// The object that a recording is, in an object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// What it is called there.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// SHA-256 of all of it, as it was read back.
    pub sha256: Digest,
}

/// Where a recording lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "where", rename_all = "snake_case")]
pub enum Lies {
    /// In the folder.
    #[default]
    Local,
    /// In the folder and in an object store.
    Both(StoredObject),
    /// In an object store.
    Store(StoredObject),
    /// Nowhere: it was deleted, and looked for in the object store.
    Gone,
}

/// The same in one word, to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Lies`")]
pub enum Whereabouts {
    Local,
    Both,
    Store,
    Gone,
}

impl Whereabouts {
    /// The word, as it is kept and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Both => "both",
            Self::Store => "store",
            Self::Gone => "gone",
        }
    }
}

impl Lies {
    /// In one word.
    #[must_use]
    pub const fn whereabouts(&self) -> Whereabouts {
        match self {
            Self::Local => Whereabouts::Local,
            Self::Both(_) => Whereabouts::Both,
            Self::Store(_) => Whereabouts::Store,
            Self::Gone => Whereabouts::Gone,
        }
    }

    /// The object in a store, if there is one.
    #[must_use]
    pub const fn object(&self) -> Option<&StoredObject> {
        match self {
            Self::Both(object) | Self::Store(object) => Some(object),
            Self::Local | Self::Gone => None,
        }
    }
}

/// What is known of the recording of a session besides what is in it. Its key is a sealed secret of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The session.
    pub session: SessionId,
    /// The grant it hung under.
    pub grant: GrantId,
    /// Whose it was.
    pub holder: PersonId,
    /// On what.
    pub resource: ResourceId,
    /// As what.
    pub role: RoleId,
    /// The login name there.
    pub login: String,
    /// Since when.
    pub began: Time,
    /// How it ended; none while the session goes on.
    pub end: Option<RecordingEnd>,
    /// When it was deleted, its key and all.
    pub deleted: Option<Time>,
    /// Where it lies.
    #[serde(default)]
    pub lies: Lies,
}

/// A channel over which nothing goes until somebody has seen to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedChannel {
    /// Which.
    pub channel: String,
    /// Since when.
    pub at: Time,
    /// Why.
    pub why: String,
}

/// How a channel stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelStands {
    /// Which.
    pub channel: String,
    /// How many deliveries wait.
    pub waiting: u64,
    /// When the next of them is due.
    pub next: Option<Time>,
    /// How many were given up, of those that are kept.
    pub given_up: u64,
    /// When the oldest that is kept was done with.
    pub oldest_done: Option<Time>,
}

/// A sealed secret, bound to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Which secret: `connector/res_…`, `signer/ssh-user-ca`.
    pub key: String,
    /// Nonce and ciphertext.
    pub sealed: Vec<u8>,
}

/// The answer a write gave under an idempotency key. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Who asked.
    pub person: PersonId,
    /// The key they chose.
    pub key: String,
    /// SHA-256 of method, path and body, so that a key used for something else is an error.
    pub fingerprint: String,
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: serde_json::Value,
    /// When; kept for a day.
    pub at: Time,
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;

    use super::*;

    #[test]
    fn what_was_revoked_by_itself_is_not_found() {
        let now = Time::from_micros(1_795_255_200_000_000);
        let one = |serial: u64, revoked: Option<Time>| Issuance {
            serial,
            lease: LeaseId::mint(now, &[1; 10]),
            grant: GrantId::mint(now, &[1; 10]),
            kind: "kind-a".parse().unwrap(),
            at: now,
            not_after: now,
            detail: serde_json::json!({}),
            revoked,
        };
        let all = [one(1, None), one(2, Some(now))];
        let found = |serial: u64| Issuance::standing(all.to_vec(), |one| one.serial == serial);
        assert_eq!(found(1), Some(all[0].clone()));
        assert_eq!(found(2), None);
        assert_eq!(found(3), None);
    }
}
