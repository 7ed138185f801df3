//! What a kind is: its name, its settings, its roles, and which effects it has.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;
use wane_domain::task::Task;

use crate::acme::Acme;
use crate::broker::Broker;
use crate::certificates::Certificates;
use crate::contract::{ConnectError, Describe, Effects, Issuer, Target};
use crate::tokens::Tokens;

/// A kind of target. One folder under `kinds/` holds everything about it.
#[async_trait]
pub trait Kind: Send + Sync {
    /// Its name: `ssh`, `postgres`.
    fn name(&self) -> &'static str;

    /// Its entity type in policies, such as `Host` or `Database`.
    fn entity(&self) -> &'static str;

    /// A JSON object of settings, checked and put in normal form; unknown keys are errors with a suggestion.
    ///
    /// # Errors
    /// When a setting is missing, unknown or unusable.
    fn settings(&self, given: &Value) -> Result<Value, KindError>;

    /// A role's definition, checked and put in normal form; unknown keys are errors with a suggestion.
    ///
    /// # Errors
    /// When it is unusable.
    fn definition(&self, given: &Value) -> Result<Value, KindError>;

    /// Whether `narrow` gives nothing that `wide` does not, and is not the same.
    fn is_narrower(&self, narrow: &Value, wide: &Value) -> bool;

    /// Whether what a role of this definition gives goes through the gateway only: nothing at the target itself
    /// could hold its holder to it.
    fn needs_gateway(&self, _definition: &Value) -> bool {
        false
    }

    /// Whether this one command can be run under a role of this definition, exactly as it stands and nothing else.
    ///
    /// # Errors
    /// When it cannot, and why; a kind that runs no single commands refuses each.
    fn check_task(&self, _definition: &Value, _task: &Task) -> Result<(), KindError> {
        let why = format!("kind `{}` runs no single commands; leave `task` out", self.name());
        Err(KindError { what: "task".to_owned(), why })
    }

    /// What it can and cannot end on this resource.
    fn describe(&self, settings: &Value) -> Describe;

    /// The lines for a terminal by which a holder uses what they hold, the plainest first; none where there is no such line.
    fn connect(&self, _to: &Held<'_>) -> Vec<ConnectLine> {
        Vec::new()
    }

    /// Whether access is an account made at the target (the two-phase road) or a credential signed in memory (one commit).
    fn gives(&self) -> LeaseKind;

    /// Whether it needs a credential of its own at the target.
    fn needs_credential(&self) -> bool;

    /// Whether it can use one: whoever registers a resource may give it.
    fn takes_credential(&self) -> bool {
        self.needs_credential()
    }

    /// Whether what it hands out is made for a key that its holder sends.
    fn needs_key(&self) -> bool {
        self.gives() == LeaseKind::Credential
    }

    /// Checks a role against a real target when either is registered: does it exist there, is it safe.
    async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError>;

    /// Its effects at targets.
    fn effects(&self) -> Arc<dyn Effects>;

    /// Its issuer, where it signs something.
    fn issuer(&self) -> Option<Arc<dyn Issuer>> {
        None
    }

    /// What speaks its protocol for sessions through the gateway, where it has that.
    fn broker(&self) -> Option<Arc<dyn Broker>> {
        None
    }

    /// What its registered targets pull from Wane, if anything (a revocation list).
    fn host_docs(&self) -> Option<Arc<dyn HostDocs>> {
        None
    }

    /// What it tells everybody, if anything (the certificates of an authority).
    fn published(&self) -> Option<Arc<dyn Published>> {
        None
    }

    /// What it knows of tokens it issued that come back, if it issues such.
    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        None
    }

    /// What it knows of certificates it issued that come back, if it issues such.
    fn certificates(&self) -> Option<Arc<dyn Certificates>> {
        None
    }

    /// What it knows of certificates that clients of ACME order, if it certifies names.
    fn acme(&self) -> Option<Arc<dyn Acme>> {
        None
    }
}

/// What somebody holds and wants to use.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The resource's name.
    pub resource: &'a str,
    /// Its settings.
    pub settings: &'a Value,
    /// The role.
    pub role: &'a Role,
    /// The one command it is for, if for one.
    pub task: Option<&'a Task>,
    /// Host and port by which people reach the kind's gateway, where there is one.
    pub gateway: Option<(&'a str, u16)>,
}

/// A line for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectLine {
    /// What it is, in words.
    pub what: &'static str,
    /// The line, as it is to be typed.
    pub command: String,
}

/// What came of checking one role at one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleProbe {
    /// The role's name.
    pub role: String,
    /// Why it cannot be used there; none if it can.
    pub problem: Option<String>,
}

/// Documents that targets pull from Wane.
pub trait HostDocs: Send + Sync {
    /// The signed revocation list: everything in `revoked` is refused from now on.
    ///
    /// # Errors
    /// When the signer refuses.
    fn revocations(&self, version: u64, at: wane_domain::time::Time, revoked: &[String])
    -> Result<Value, ConnectError>;

    /// What a target needs to set itself up, given the public part it sent about itself.
    ///
    /// # Errors
    /// When what it sent is unusable or the signer refuses.
    fn enrol(&self, target: &Target<'_>, sent: &Value, serial: u64) -> Result<Value, ConnectError>;
}

/// What anybody may fetch without being known: an authority's certificates, and what of theirs is revoked.
pub trait Published: Send + Sync {
    /// One paper by name; nothing if there is none of that name. `number` is greater than in any call before.
    ///
    /// # Errors
    /// When the signer refuses.
    fn paper(
        &self,
        name: &str,
        number: u64,
        at: wane_domain::time::Time,
        revoked: &[Revoked],
    ) -> Result<Option<Paper>, ConnectError>;
}

/// Something that was issued, would still work, and is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// What the issuance inventory keeps of it.
    pub inventory: Value,
    /// Since when it is revoked.
    pub since: wane_domain::time::Time,
}

/// A paper that everybody may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Its media type.
    pub media: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why settings or a definition were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct KindError {
    /// Which key.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}
