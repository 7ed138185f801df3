//! What a kind's own tests bring: a real target, and a way to use what is handed out.

use async_trait::async_trait;
use wane_domain::catalogue::Role;
use wane_domain::directory::Person;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::time::Time;
use zeroize::Zeroizing;

use crate::contract::{ConnectError, Target};
use crate::kind::Kind;

/// What was handed out, its secret taken out once.
#[derive(Debug)]
pub struct Given {
    /// The target's own id, for an account.
    pub object: Option<String>,
    /// The kind's notes.
    pub notes: serde_json::Value,
    /// The public part.
    pub public: serde_json::Value,
    /// The secret, or the holder's own private key; empty if there is none.
    pub secret: Zeroizing<String>,
    /// When it stops working by itself.
    pub not_after: Option<Time>,
    /// How `Debug` showed the whole before the secret was taken out.
    pub debug: String,
}

/// What the target said to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    /// It let us in and did something under the role.
    Accepted,
    /// It said no.
    Refused {
        /// Its words.
        why: String,
    },
}

/// An open session.
#[async_trait]
pub trait Live: Send {
    /// Whether it still does what it could do.
    async fn works(&mut self) -> Result<bool, String>;
}

/// A kind at a real target.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The kind.
    fn kind(&self) -> &dyn Kind;

    /// The target, now.
    fn target(&self) -> Target<'_>;

    /// A role that can be used there.
    fn role(&self) -> &Role;

    /// A lease nothing was made for yet, under a live grant for the role.
    fn lease(&self) -> Result<LeaseData, String>;

    /// The right to make or issue what a lease of [`Subject::lease`] stands for, once.
    fn permit(&self, lease: &LeaseData) -> Result<IssuePermit, String>;

    /// Whose membership it is, for a kind that gives memberships.
    fn holder(&self) -> Result<&Person, String> {
        Err("this subject has nobody".to_owned())
    }

    /// Gives the holder what the lease stands for past Wane, as somebody at the target could.
    async fn give_past_wane(&self) -> Result<(), String> {
        Err("this subject gives nothing past Wane".to_owned())
    }

    /// Takes it from the holder past Wane.
    async fn take_past_wane(&self) -> Result<(), String> {
        Err("this subject takes nothing past Wane".to_owned())
    }

    /// The present moment by a clock that runs.
    fn now(&self) -> Time;

    /// Waits until it makes sense to look again: some milliseconds.
    async fn pause(&self);

    /// Hands out through the kind. An account is created; a kind that signs overrides this.
    async fn give(&self, lease: &LeaseData, permit: IssuePermit) -> Result<Given, ConnectError> {
        let created = self.kind().effects().create(&self.target(), self.role(), lease, permit).await?;
        let debug = format!("{created:?}");
        let secret = created.handed.secret.map_or_else(Zeroizing::default, wane_domain::secret::SecretOnce::reveal);
        let (object, notes, public, not_after) =
            (created.object, created.notes, created.handed.public, created.handed.not_after);
        Ok(Given { object, notes, public, secret, not_after, debug })
    }

    /// Logs in anew and does something under the role.
    async fn use_it(&self, given: &Given) -> Result<Used, String>;

    /// Opens a session that stays.
    async fn open(&self, given: &Given) -> Result<Box<dyn Live>, String>;

    /// For a kind that signs: brings to the target what ends a credential early (a revocation list), if it declares any.
    async fn revoke(&self, lease: &LeaseData) -> Result<(), String> {
        Err(format!("this subject cannot revoke the credential of `{}`", lease.id))
    }
}
