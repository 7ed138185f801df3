//! What a kind does at its targets, and the honest words for how it went.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::directory::Person;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::secret::{Secret, SecretOnce};
use wane_domain::time::{Span, Time};

/// A registered resource with what is needed to reach it.
#[derive(Debug)]
pub struct Target<'a> {
    /// The resource, its settings already checked by the kind.
    pub resource: &'a Resource,
    /// The connector's own credential at the target, if the kind needs one.
    pub credential: Option<&'a Secret>,
    /// The present moment.
    pub now: Time,
}

impl Target<'_> {
    /// That it does not do something, and why.
    pub fn refuses(&self, why: impl Into<String>) -> ConnectError {
        ConnectError::Refused { target: self.resource.name.to_string(), why: why.into() }
    }
}

/// What a kind can and cannot end on a resource. Shown to approvers; policy can bound it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Describe {
    /// What is handed out.
    pub hands_out: String,
    /// Whether a credential stops working when revoked early, before it runs out.
    pub revokes_logins: bool,
    /// Whether open sessions are ended.
    pub kills_sessions: bool,
    /// Worst-case seconds from the end of the grant until new logins are refused, the target being reachable.
    pub residual_logins_secs: u64,
    /// Worst-case seconds until open sessions are cut; none where they are not cut at all.
    pub residual_sessions_secs: Option<u64>,
    /// What survives, in a sentence for approvers; empty if nothing does.
    pub survives: String,
}

/// What was seen at a target before a membership is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// What the lease will stand for, in the target's own ids: equal for the same place in the same group,
    /// whoever asks and by whichever role.
    pub object: String,
    /// The kind's notes, never a secret: enough to end it.
    pub notes: serde_json::Value,
    /// What was seen of it, if it is there already.
    pub there: Option<String>,
}

/// What creating an artifact came to: it was made *and read back*.
#[derive(Debug)]
pub struct Created {
    /// The target's own id for it, such as an oid.
    pub object: Option<String>,
    /// The kind's notes for later, never a secret.
    pub notes: serde_json::Value,
    /// What the holder gets.
    pub handed: Handed,
}

/// What a self-contained issue came to: the finished credential, parsed back and checked.
#[derive(Debug)]
pub struct Issued {
    /// The kind's notes for later, never a secret.
    pub notes: serde_json::Value,
    /// What the issuance inventory keeps: serial, validity, fingerprints.
    pub inventory: serde_json::Value,
    /// What the holder gets.
    pub handed: Handed,
}

/// What the holder gets.
#[derive(Debug)]
pub struct Handed {
    /// Not secret: address, user name, certificate, how to connect.
    pub public: serde_json::Value,
    /// The secret, handed over exactly once.
    pub secret: Option<SecretOnce>,
    /// When it stops working by itself, if it does.
    pub not_after: Option<Time>,
}

/// Where ending one artifact stands after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndOutcome {
    /// Everything that can be done was done; read back next.
    Done,
    /// Not done; try again.
    Retry {
        /// What it met.
        why: String,
    },
    /// It was made harmless but cannot be removed as it stands; a person has to look, tries go on.
    Quarantined {
        /// Why.
        why: String,
    },
    /// Nothing can call it back before this moment.
    Unrecallable {
        /// The moment.
        until: Time,
        /// Why.
        why: String,
    },
}

/// What reading back said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The target says it is not there.
    Absent {
        /// What the target answered.
        proof: String,
    },
    /// The target refuses a login with it; whether sessions are open is unknown.
    LoginRefused {
        /// What the target answered.
        proof: String,
    },
    /// It is there, or accepted.
    Present {
        /// What the target answered.
        seen: String,
    },
}

/// Something at the target that carries our mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its name, `wane_…`.
    pub name: String,
    /// The target's own id for it.
    pub object: Option<String>,
    /// Particulars.
    pub detail: String,
}

/// A right at the target that Wane did not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingRight {
    /// Who holds it there.
    pub principal: String,
    /// What it lets them do.
    pub right: String,
}

/// What stands at a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Everything that carries our mark.
    pub marked: Vec<Artifact>,
    /// Standing privilege that does not.
    pub standing: Vec<StandingRight>,
    /// Anything a person should look at.
    pub findings: Vec<String>,
}

/// What was left behind: what is there after and was not there before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// One line each.
    pub left: Vec<String>,
}

/// Why a target could not be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// It does not answer, or not in time.
    #[error("`{target}` does not answer: {why}")]
    Unreachable {
        /// The resource's name.
        target: String,
        /// What happened.
        why: String,
    },
    /// It refuses our own credential, or its identity is not the pinned one.
    #[error("`{target}` and Wane do not trust each other: {why}")]
    Trust {
        /// The resource's name.
        target: String,
        /// What happened.
        why: String,
    },
    /// It refuses what was asked of it.
    #[error("`{target}` refused: {why}")]
    Refused {
        /// The resource's name.
        target: String,
        /// What it said.
        why: String,
    },
    /// The holder's input is not usable.
    #[error("{0}")]
    Input(String),
    /// Nothing is wrong with what was sent; the access is over, or as good as.
    #[error("{0}")]
    Over(String),
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] crate::signer::SignError),
}

/// The effects a kind has at its targets. Every method bounds its own time (10 s by default).
#[async_trait]
pub trait Effects: Send + Sync {
    /// Looks who is meant and where, and whether they are there already, before a membership is intended.
    /// Changes nothing at the target. Only asked of a kind that gives memberships.
    ///
    /// INVARIANT: whoever asks holds the turn at what it answers, so that nothing of Wane changes it until the
    /// lease is written down (held by `what_several_grants_give_goes_with_the_last`).
    async fn prepare(&self, target: &Target<'_>, _role: &Role, _holder: &Person) -> Result<Prepared, ConnectError> {
        Err(ConnectError::Refused {
            target: target.resource.name.to_string(),
            why: "this kind gives no memberships".to_owned(),
        })
    }

    /// Makes the artifact of an intended lease under its deterministic name and reads it back.
    /// Called again for the same lease (after a crash, or to replace a lost secret) it finds what
    /// exists by name and gives it a new secret; it never makes a second.
    async fn create(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
    ) -> Result<Created, ConnectError>;

    /// Moves the end that the target itself enforces, where it does (`VALID UNTIL`). Nothing else changes.
    async fn extend(&self, target: &Target<'_>, lease: &LeaseData) -> Result<(), ConnectError>;

    /// Ends the artifact as an ordered sequence: block logins, end sessions, remove. May be called any number of times.
    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError>;

    /// Asks the target whether the artifact is there.
    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError>;

    /// How many artifacts of one target [`end_together`](Self::end_together) is best given at once; one where
    /// company gains nothing.
    fn in_one_round(&self) -> usize {
        1
    }

    /// Ends several artifacts of one target in one round: the same ordered sequence, each step for all of
    /// them before the next for any. Answers for each, in their order; nothing for one that has to be ended
    /// by itself, as all of them may be. An error says nothing about any. May be called any number of times.
    async fn end_together(
        &self,
        _target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Option<EndOutcome>>, ConnectError> {
        Ok(leases.iter().map(|_| None).collect())
    }

    /// Asks the target which of several artifacts are there; an answer for each, in their order.
    async fn read_back_together(
        &self,
        target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Presence>, ConnectError> {
        let mut all = Vec::with_capacity(leases.len());
        for lease in leases {
            all.push(self.read_back(target, lease).await?);
        }
        Ok(all)
    }

    /// Lists everything that carries our mark, and standing privilege that does not.
    async fn inventory(&self, target: &Target<'_>) -> Result<Inventory, ConnectError>;

    /// The same of a kind whose artifacts carry no mark: what stands there beside what these leases, open and
    /// gone, account for.
    async fn inventory_beside(&self, target: &Target<'_>, _leases: &[LeaseData]) -> Result<Inventory, ConnectError> {
        self.inventory(target).await
    }

    /// Ends and removes something that carries our mark and belongs to no lease.
    async fn remove_orphan(&self, target: &Target<'_>, artifact: &Artifact) -> Result<EndOutcome, ConnectError>;

    /// Everything at the target that an artifact could leave behind, one line each: taken before a
    /// grant and after, the difference is its residue.
    async fn traces(&self, target: &Target<'_>) -> Result<Vec<String>, ConnectError>;

    /// How many seconds the target's clock is ahead of ours, if it can be asked.
    async fn clock_skew(&self, target: &Target<'_>) -> Result<Option<i64>, ConnectError>;
}

/// Whether a permit is for exactly this lease, resource and role as it is defined now.
///
/// # Errors
/// When it is for something else.
pub fn permits(target: &Target<'_>, role: &Role, lease: &LeaseData, permit: &IssuePermit) -> Result<(), String> {
    let digest = role.digest().map_err(|e| e.to_string())?;
    let item = permit.item();
    let fits = permit.lease() == lease.id
        && permit.grant() == lease.grant
        && item.resource == target.resource.id
        && lease.resource == target.resource.id
        && item.role == role.id
        && item.role_digest == digest;
    if fits {
        Ok(())
    } else {
        Err("the permit is for something else: another lease, resource, or role definition".to_owned())
    }
}

/// Signs a self-contained credential in memory. What it returns was parsed back and checked.
pub trait Issuer: Send + Sync {
    /// Issues for a lease; `input` is what the holder sent (a public key).
    ///
    /// # Errors
    /// When the input is unusable or the signer refuses.
    fn issue(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
        input: &serde_json::Value,
        serial: u64,
    ) -> Result<Issued, ConnectError>;

    /// The longest one issue may be valid.
    fn longest(&self) -> Span;
}
