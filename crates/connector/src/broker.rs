//! Sessions through the gateway: what a kind's broker does, and what the gateway gives it.
//!
//! Owns: the words between the two. The gateway has the sockets, the limits, the book of live sessions
//! and the race against the end of the grant; a broker speaks the protocol and says what passes.
//!
//! INVARIANT: a broker reports every byte and every event through [`Line::tap`] before it lets it pass,
//! and lets nothing pass that is refused there (held by `no_byte_passes_after_the_end`).

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::id::{ArrivalId, GrantId, LeaseId, SessionId};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::secret::Secret;
use wane_domain::time::Time;
use wane_finding::Rules;
use wane_recording::Event;

use crate::contract::{ConnectError, Target};
use crate::terminal::Terminals;
use crate::web::Site;

/// A connection that the gateway owns and can cut at any moment.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// A connection, whatever it runs over.
pub type Pipe = Box<dyn Stream>;

/// The part of a kind that speaks its protocol with people on one side and targets on the other.
pub trait Broker: Send + Sync {
    /// Signs what one session shows to its target: for this login, for two minutes, never past the permit.
    ///
    /// # Errors
    /// When the role does not give what is claimed, or the signer refuses.
    fn pass(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
        claim: &Claim,
        serial: u64,
    ) -> Result<Pass, ConnectError>;

    /// Whether a role is good for this login name at a target.
    fn opens(&self, role: &Role, login: &str) -> bool;

    /// The rules of a role over what happens in its sessions.
    ///
    /// # Errors
    /// When the role is none of this kind.
    fn rules(&self, role: &Role) -> Result<Arc<Rules>, ConnectError>;

    /// By what people know the gateway that they reach there, as their programs keep it.
    ///
    /// # Errors
    /// When the signer has no key for it.
    fn known_by(&self, host: &str, port: u16) -> Result<String, ConnectError>;

    /// By what people know the targets that are reached through the gateway, whatever their names.
    ///
    /// # Errors
    /// When the signer has no key for it.
    fn targets_known_by(&self) -> Result<String, ConnectError>;

    /// Whether a target is the one that somebody means who asks to be connected to that host and port.
    fn answers_to(&self, resource: &Resource, host: &str, port: u16) -> bool;

    /// Certifies the key by which the gateway stands for a target, to somebody who asked for it by that name: for
    /// the names the target is known by, and a few minutes.
    ///
    /// # Errors
    /// When the target's settings cannot be used, or the signer refuses.
    fn stands_for(
        &self,
        resource: &Resource,
        asked: &str,
        public_key: &str,
        now: Time,
        serial: u64,
    ) -> Result<String, ConnectError>;

    /// Sets up what people connect to: the gateway's own identity, certified for these names.
    ///
    /// # Errors
    /// When the key is unusable or the signer refuses.
    fn front(&self, key: &Secret, names: &[String], now: Time, serial: u64) -> Result<Arc<dyn Front>, ConnectError>;

    /// Sets up what people's browsers connect to, where sessions outlive connections: `key` signs what applications
    /// are told, `home` is where Wane's own pages are.
    ///
    /// # Errors
    /// When the key is unusable, or this kind has one session to a connection.
    fn site(&self, _key: &Secret, _home: &str) -> Result<Arc<dyn Site>, ConnectError> {
        Err(ConnectError::Input("this kind has one session to a connection".to_owned()))
    }

    /// By which origin people reach a target in their browsers, if they do.
    fn origin(&self, _resource: &Resource) -> Option<String> {
        None
    }

    /// Whether its sessions show the target the connector's own credential, which nobody else sees.
    fn shows_credential(&self) -> bool {
        false
    }

    /// How many uses a role gives; none for as many as there are.
    ///
    /// # Errors
    /// When the role is none of this kind.
    fn uses(&self, _role: &Role) -> Result<Option<u64>, ConnectError> {
        Ok(None)
    }
    /// Its program for a terminal in a page, where sessions of this kind have a terminal.
    fn terminals(&self) -> Option<Arc<dyn Terminals>> {
        None
    }
}

/// What a session shows to its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The kind's own, for its broker: the certificate, where the target is, how it proves itself. No secret.
    pub public: Value,
    /// What the issuance inventory keeps.
    pub inventory: Value,
    /// When it stops working by itself.
    pub not_after: Time,
}

/// What people connect to.
#[async_trait]
pub trait Front: Send + Sync {
    /// Carries one connection from its first byte to its last. Returns when nothing of it is left.
    async fn serve(&self, pipe: Pipe, door: Arc<dyn Door>);
}

/// One connection before anybody knows whose it is, as its broker sees the gateway.
#[async_trait]
pub trait Door: Send + Sync {
    /// The present moment.
    fn now(&self) -> Time;
    /// Unguessable bytes, for keys that live in memory.
    fn fill(&self, buf: &mut [u8]);
    /// Where the connection comes from.
    fn peer(&self) -> IpAddr;
    /// Whether somebody without a credential may be found in a browser: not whoever comes from a page, where they are
    /// known already.
    fn invites(&self) -> bool {
        true
    }
    /// Counts one attempt to log in.
    ///
    /// # Errors
    /// When there were too many; the connection is to be closed.
    fn attempt(&self) -> Result<(), Refused>;
    /// Opens the session that somebody claims who has proved who they are.
    ///
    /// # Errors
    /// When there is no live grant for it, or policy refuses now.
    async fn open(&self, claim: Claim) -> Result<Opened, Refused>;
    /// Begins a login without a credential, which its person confirms in a browser. A connection has one; what
    /// was begun before is given up.
    ///
    /// # Errors
    /// When too many wait already, or something failed here.
    async fn arrive(&self, goal: Goal, client: &str) -> Result<Invitation, Refused>;
    /// Begins the login of whoever has proved who they are outside this connection. What comes next is asked for
    /// as of any other login.
    ///
    /// # Errors
    /// When nobody did: this connection is inside no other.
    async fn known(&self, resource: &str, login: &str, client: &str) -> Result<(), Refused>;
    /// Lets somebody who has proved who they are have sessions inside this connection, and none on it.
    ///
    /// # Errors
    /// When there is no live grant that proves it, or this connection is inside another.
    async fn admit(&self, proof: Proof, client: &str) -> Result<(), Refused>;
    /// Finds the target that somebody means who asks for this host and port inside this connection, and has the key
    /// certified by which the gateway stands for it.
    ///
    /// # Errors
    /// When there is none, nobody was admitted, or there are too many inside.
    async fn inside(&self, host: &str, port: u16, public_key: &str) -> Result<Inside, Refused>;
    /// Hands over a connection inside this one, and what speaks on it with a door of its own.
    ///
    /// # Errors
    /// When there are too many inside, or the connection is over.
    fn nest(&self, pipe: Pipe, speaks: Speaks) -> Result<(), Refused>;
    /// What comes next of that login, waited for a moment. `answer` is what was typed to what was asked last.
    ///
    /// # Errors
    /// When it comes to nothing, and why.
    async fn next(&self, answer: Option<String>) -> Result<Next, Refused>;
    /// Gives that login up, if there is one.
    async fn leave(&self);
}

/// Where a login leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// To one session.
    Session {
        /// The resource, by name, as it was asked for.
        resource: String,
        /// The login name there.
        login: String,
    },
    /// To a connection inside which sessions are opened, each to be judged for itself.
    Passage,
}

/// How somebody proved who they are who wants to have sessions inside a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// They hold the key of a credential of this server; its broker has seen that.
    Credential {
        /// The grant it was issued under.
        grant: GrantId,
        /// Its serial number.
        serial: u64,
    },
    /// They confirmed this very connection, signed in elsewhere.
    Confirmed(ArrivalId),
}

/// A target that is reached inside a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The resource, by name.
    pub resource: String,
    /// What shows that the gateway stands for it, as the kind writes it.
    pub certificate: String,
}

/// Speaks on a connection until nothing of it is left.
pub type Speaks = Box<dyn FnOnce(Pipe, Arc<dyn Door>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// How the person of a login without a credential is found.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The page that they open.
    pub link: String,
    /// What they read here and enter there.
    pub code: String,
    /// Until when.
    pub until: Time,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("until", &self.until).finish_non_exhaustive()
    }
}

/// What comes next of a login without a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing yet.
    Wait,
    /// The person is told something.
    Say(String),
    /// The person is asked something.
    Ask {
        /// What they are told before.
        text: String,
        /// The question itself.
        prompt: String,
    },
    /// They are to be found as somebody without a credential is: what they have shown is not enough for this.
    Invite(Invitation),
    /// They may have sessions inside this connection.
    Pass(ArrivalId),
    /// They may come in, under this grant.
    Enter {
        /// The grant.
        grant: GrantId,
        /// The login that they confirmed.
        arrival: ArrivalId,
    },
}

/// How somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// They hold the key of a credential of this server, as the kind writes it; its broker has seen that.
    Credential {
        /// Its serial number.
        serial: u64,
        /// The credential.
        credential: String,
    },
    /// They hold a credential of this server that was handed out to them for something else; what they may do here is for a
    /// grant of theirs to say. Whoever asks for the session has seen that.
    Known {
        /// The lease it was handed out under.
        lease: LeaseId,
        /// Its serial number.
        serial: u64,
    },
    /// They confirmed this very connection, signed in elsewhere.
    Confirmed(ArrivalId),
}

/// What somebody asks for who has proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The grant they come under.
    pub grant: GrantId,
    /// How they proved who they are.
    pub by: By,
    /// The resource, by name, as it was asked for.
    pub resource: String,
    /// The login name at the target.
    pub login: String,
    /// The public half of the key that the session shows to its target.
    pub public_key: String,
    /// Where they come from.
    pub peer: IpAddr,
    /// What their program calls itself.
    pub client: String,
}

/// A session that may begin.
pub struct Opened {
    /// Which one.
    pub session: SessionId,
    /// What it shows to its target.
    pub pass: Value,
    /// Whose it is, and what its target is shown that nobody else sees.
    pub kept: Kept,
    /// What carries it.
    pub line: Arc<dyn Line>,
}

/// Whose a session is, and what its target is shown that nobody else sees.
#[derive(Debug, Default)]
pub struct Kept {
    /// The person's name.
    pub person: String,
    /// The grant it is under.
    pub grant: String,
    /// The role's name.
    pub role: String,
    /// What asks for the like of it again: behind `wane request`.
    pub again: String,
    /// The connector's own credential at the target, where the kind has sessions use it.
    pub secret: Option<Secret>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Why not, in words for whoever is connected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Why a use is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unspent {
    /// All that there are were made before.
    #[error(transparent)]
    UsedUp(Refused),
    /// Not now, however many are left.
    #[error(transparent)]
    Not(#[from] Refused),
}

/// One session, as its broker sees the gateway.
#[async_trait]
pub trait Line: Send + Sync {
    /// Connects to the target. The gateway keeps hold of the connection.
    ///
    /// # Errors
    /// When it does not answer in time, or the session is over.
    async fn dial(&self, host: &str, port: u16) -> io::Result<Pipe>;

    /// The target let the session in.
    ///
    /// # Errors
    /// When the session is over, or this cannot be written down.
    async fn begun(&self) -> Result<(), Refused>;

    /// The one task of the session's grant is about to be run, as this command, on this channel. Returns once it is
    /// on disk that it is spent: only then is the target asked to run it.
    ///
    /// # Errors
    /// When it is not what was approved, was let run already, or this cannot be written down.
    async fn spend(&self, channel: u32, command: &[u8]) -> Result<(), Refused>;

    /// One of the uses that its role gives is about to be made, and one of each of these, of which there are so many.
    /// Returns once it is on disk that they are spent: only then is the target asked.
    ///
    /// # Errors
    /// When there is none left, or this cannot be written down.
    async fn spend_use(&self, more: &[(String, u64)]) -> Result<(), Unspent>;

    /// Something is about to pass, or happens. Waits while the recording is not taken away as fast as the
    /// session goes.
    ///
    /// # Errors
    /// When it must not pass: the session is over, or it cannot be recorded.
    async fn tap(&self, event: &Event<'_>) -> Result<(), Refused>;

    /// What is recorded of files that are carried.
    fn files(&self) -> Files;

    /// Waits for the next thing that the person is to be told.
    async fn word(&self) -> Word;

    /// Waits for what somebody who joined the session types next.
    async fn typed(&self) -> Typed;
}

/// What somebody who joined a session types at its terminal.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed {
    /// Their name.
    pub who: String,
    /// At which channel's terminal, by its number in the record.
    pub channel: u32,
    /// What. There may be passwords among it.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Typed").field("who", &self.who).field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// What is recorded of files that are carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Files {
    /// All of them.
    #[default]
    Contents,
    /// What they are called, what was done to them, how much it was.
    Names,
}

/// What a person in a session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Something that changes nothing for now: it will be over soon, somebody joined.
    Soon(String),
    /// It is over: nothing passes any more, and the connection is cut shortly.
    Over(String),
}
