//! One record of the trail: who did what to what, with what outcome, under which grant and ticket.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wane_domain::id::{DirectoryId, EventId, GrantId, LeaseId, OrgId, PersonId, RequestId, ResourceId};
use wane_domain::text::Ticket;
use wane_domain::time::Time;
use wane_domain::transition::Fact;

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A person, signed in.
    Person(PersonId),
    /// Wane itself: a deadline, a pass, a start-up.
    System,
    /// A registered host, by its resource.
    Host(ResourceId),
    /// A directory that pushes people and groups.
    Directory(DirectoryId),
    /// Nobody known: a failed sign-in.
    Unknown,
}

/// How it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Denied,
    /// It was tried and failed.
    Failed,
}

/// What a record is about; every field that applies is filled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subjects {
    /// The person it is about (the holder, the person changed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// The resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
    /// The ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: EventId,
    /// The organisation.
    pub org: OrgId,
    /// When.
    pub at: Time,
    /// Who.
    pub actor: Actor,
    /// A stable dotted name of what happened: `grant.activated`.
    pub event: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What it is about.
    pub about: Subjects,
    /// Particulars. Never a secret.
    pub detail: serde_json::Value,
}

impl Record {
    /// A record of a fact that a transition left.
    #[must_use]
    pub fn of(id: EventId, org: OrgId, at: Time, actor: Actor, about: Subjects, fact: Fact) -> Self {
        Self { id, org, at, actor, event: fact.event.to_owned(), outcome: Outcome::Done, about, detail: fact.detail }
    }

    /// The RFC 8785 bytes of the record: what a leaf of the log is made of.
    ///
    /// # Errors
    /// When `detail` holds a number that JSON canonicalisation cannot carry.
    pub fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json_canonicalizer::to_vec(self)
    }

    /// The RFC 6962 leaf hash: SHA-256 over a zero byte and the canonical bytes.
    ///
    /// # Errors
    /// As [`Record::canonical`].
    pub fn leaf_hash(&self) -> Result<[u8; 32], serde_json::Error> {
        Ok(Self::leaf_of(&self.canonical()?))
    }

    /// The same over canonical bytes that are at hand.
    #[must_use]
    pub fn leaf_of(canonical: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update([0]);
        hash.update(canonical);
        hash.finalize().into()
    }
}
