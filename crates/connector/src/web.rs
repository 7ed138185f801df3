//! Sessions that outlive their connections: what speaks with browsers, and what the gateway gives it.
//!
//! One session has many connections, and one connection may carry several sessions. The gateway has the sockets, the
//! limits, and each session's race against the end of its grant; what speaks says to which session something belongs.
//!
//! INVARIANT: what speaks holds a [`Stake`] for as long as anything of a session passes on a connection, so that the
//! end of the session reaches it (held by `open_streams_are_cut_at_the_end`).

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use wane_domain::id::{GrantId, SessionId};
use wane_domain::time::Time;

use crate::broker::{Opened, Pipe, Refused};

/// What people's browsers and programs connect to.
#[async_trait]
pub trait Site: Send + Sync {
    /// Speaks on one connection from its first byte to its last. Returns when nothing of it is left.
    async fn serve(&self, pipe: Pipe, porch: Arc<dyn Porch>);
}

/// One connection, as what speaks on it sees the gateway.
#[async_trait]
pub trait Porch: Send + Sync {
    /// The present moment.
    fn now(&self) -> Time;
    /// Unguessable bytes, for what browsers keep.
    fn fill(&self, buf: &mut [u8]);
    /// Where the connection comes from.
    fn peer(&self) -> IpAddr;
    /// The target that is reached by an origin, by name, if there is one.
    async fn meant(&self, origin: &str) -> Option<String>;
    /// Begins a sign-in; answers with the page that its person opens.
    ///
    /// # Errors
    /// When there is no such target, too many are at it, or something failed here.
    async fn visit(&self, visit: Visit) -> Result<String, Refused>;
    /// Opens the session that somebody was let into; `holds` holds it as long as it lasts.
    ///
    /// # Errors
    /// When nobody was, or policy refuses now.
    async fn enter(&self, ticket: Ticket, holds: Holds) -> Result<Entered, Refused>;
    /// Opens a session for somebody who shows a credential that was handed out, which what speaks has checked; `holds` holds
    /// it as long as it lasts.
    ///
    /// # Errors
    /// When there is no live grant that it was issued under, or policy refuses now.
    async fn present(&self, shown: Shown, holds: Holds) -> Result<SessionId, Refused>;
    /// Opens a session for somebody who shows who they are by a credential that was handed out to them for something else;
    /// `holds` holds it as long as it lasts.
    ///
    /// # Errors
    /// When the credential is not good, or they hold no grant that is good here, or several and do not say which.
    async fn introduce(&self, who: Introduced, holds: Holds) -> Result<SessionId, Uninvited>;
    /// Whether such a credential is good for this call as well, where each call has to show that.
    ///
    /// # Errors
    /// When it is not.
    async fn vouch(&self, origin: &str, means: Means) -> Result<(), Refused>;
    /// Whoever ended TLS has seen that the other side holds the key of this certificate, in DER.
    fn showed(&self, certificate: &[u8]);
    /// That certificate, if there is one.
    fn certificate(&self) -> Option<Arc<[u8]>>;
    /// Whether a grant is over, as far as that can be asked.
    async fn is_over(&self, grant: GrantId) -> bool;
    /// A credential was used where or when it may not be.
    async fn misused(&self, grant: GrantId, serial: u64, why: &str);
    /// Something was shown that is nobody's.
    fn failed(&self);
    /// Something of a session passes on this connection from now on; none if it is over.
    fn stake(&self, session: SessionId) -> Option<Arc<dyn Stake>>;
}

/// Something of a session that passes on a connection, until it is dropped.
pub trait Stake: Send + Sync {
    /// An answer has begun: from now on nothing can be said on this connection but it.
    fn passing(&self);
}

/// Holds a session until it returns why it is over.
pub type Holds = Box<dyn FnOnce(Opened) -> Pin<Box<dyn Future<Output = String> + Send>> + Send>;

/// A browser that is on its way to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The origin it was opened at.
    pub origin: String,
    /// Path and query that it goes back to.
    pub back: String,
    /// What is kept of a secret that only this browser has.
    pub mark: String,
}

/// What a browser brings back.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The code that Wane's own page gave it.
    pub code: String,
    /// The origin it is brought to.
    pub origin: String,
    /// As in the [`Visit`].
    pub mark: String,
    /// What it calls itself.
    pub client: String,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A credential of this server, as somebody shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The grant it was issued under.
    pub grant: GrantId,
    /// Its serial number.
    pub serial: u64,
    /// The resource it is for, by name.
    pub resource: String,
    /// What the program calls itself.
    pub client: String,
}

/// Somebody who shows who they are by a credential that was handed out to them for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduced {
    /// The origin they ask at.
    pub origin: String,
    /// The resource that is reached by it, by name.
    pub resource: String,
    /// What they show.
    pub means: Means,
    /// Under which grant, if they say.
    pub grant: Option<GrantId>,
    /// What their program calls itself.
    pub client: String,
}

/// Why somebody who shows such a credential is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uninvited {
    /// It is not good here; never why.
    Credential,
    /// It is, and they hold nothing here that it could open, or not now.
    Access(Refused),
}

/// A credential that says who somebody is.
#[derive(Clone, PartialEq, Eq)]
pub enum Means {
    /// A certificate whose key they hold, in DER.
    Certificate(Arc<[u8]>),
    /// An access token (RFC 9068).
    Token(ShownToken),
}

/// An access token as it comes with a call.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownToken {
    /// The token.
    pub text: String,
    /// The proof of a key that came with it (RFC 9449).
    pub proof: Option<String>,
    /// The method of the call.
    pub method: String,
    /// Its address.
    pub url: String,
    /// The certificate whose key whoever calls holds, in DER.
    pub certificate: Option<Arc<[u8]>>,
}

impl std::fmt::Debug for ShownToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShownToken").field("method", &self.method).field("url", &self.url).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Means {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Certificate(_) => "Certificate",
            Self::Token(_) => "Token",
        })
    }
}

/// A session that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Which.
    pub session: SessionId,
    /// Path and query that its browser goes back to.
    pub back: String,
}
