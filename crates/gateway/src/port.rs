//! The one port through which the gateway reaches the rest: `open`, `begun`, `spend`, `spend_use`, `finding`, `guest_left`, `closed` for
//! a session, `beat` for all, `arrive`, `known`, `next`, `left` for logins that come without a credential, `admit`,
//! `inside`, `passed` for connections that have sessions inside.
//!
//! In this process first; everything that goes through it could as well go through a socket.

use std::net::IpAddr;

use async_trait::async_trait;
use serde_json::Value;
use wane_app::{App, AppError, Arriving, Class, SessionEnd, SessionFinding, SessionOpened};
use wane_connector::ConnectError;
use wane_connector::broker::{Claim, Inside, Invitation, Next, Proof, Refused, Unspent};
use wane_connector::web::{Introduced, Means, Ticket, Uninvited, Visit};
use wane_domain::id::{ArrivalId, GrantId, PersonId, SessionId};
use wane_domain::time::Time;

/// What decides about sessions, as the gateway sees it.
#[async_trait]
pub trait Port: Send + Sync {
    /// Opens a session: judged again, written down.
    async fn open(&self, claim: &Claim, inside: Option<ArrivalId>) -> Result<SessionOpened, Refused>;
    /// Lets somebody have sessions inside their connection.
    async fn admit(&self, proof: &Proof, peer: IpAddr, client: &str) -> Result<ArrivalId, Refused>;
    /// Finds what is meant inside such a connection, and certifies a key to stand for it.
    async fn inside(&self, passage: ArrivalId, host: &str, port: u16, key: &str) -> Result<Inside, Refused>;
    /// Such a connection is over.
    async fn passed(&self, passage: ArrivalId);
    /// Begins the login of whoever is known on such a connection.
    async fn known(&self, passage: ArrivalId, who: Arriving) -> Result<ArrivalId, Refused>;
    /// Begins a login whose person is to confirm it.
    async fn arrive(&self, who: Arriving) -> Result<(ArrivalId, Invitation), Refused>;
    /// What comes next of a login, and until when something has to.
    async fn next(&self, arrival: ArrivalId, answer: Option<&str>) -> Result<(Next, Time), Refused>;
    /// Nobody waits for a login any more.
    async fn left(&self, arrival: ArrivalId);
    /// The target let it in.
    async fn begun(&self, session: SessionId, notes: &Value) -> Result<(), Refused>;
    /// It is about to run its grant's task, as this command. Returns once that is written down.
    async fn spend(&self, session: SessionId, command: &[u8]) -> Result<(), Refused>;
    /// It is about to make one of the uses that its role gives, and one of each of these. Returns once that is written down.
    async fn spend_use(&self, session: SessionId, more: &[(String, u64)]) -> Result<(), Unspent>;
    /// Has all sessions told where they stand, as the store has it. One of which that cannot be asked goes by what it
    /// knows.
    async fn beat(&self);
    /// Has the sessions told whose identity was proved again, for as long as it is asked to.
    async fn proofs(&self);
    /// A rule found something in it. False if that could not be written down and is to be said again.
    async fn finding(&self, session: SessionId, finding: &SessionFinding) -> bool;
    /// Somebody who had joined it left, and typed so many bytes.
    async fn guest_left(&self, session: SessionId, guest: PersonId, typed: u64);
    /// Nothing of it is left. False if that could not be written down and is to be said again.
    async fn closed(&self, session: SessionId, end: &SessionEnd) -> bool;
}

/// What decides about sessions that begin in browsers, as the gateway sees it.
#[async_trait]
pub trait WebPort: Port {
    /// The target of a kind that is reached by an origin, by name.
    async fn meant(&self, kind: &'static str, origin: &str) -> Option<String>;
    /// Begins a sign-in; answers with the page that its person opens.
    async fn visit(&self, kind: &'static str, visit: &Visit, peer: IpAddr) -> Result<String, Refused>;
    /// What somebody who was let in claims, and where their browser goes back to.
    async fn ticket(&self, ticket: &Ticket, peer: IpAddr) -> Result<(Claim, String), Refused>;
    /// What somebody claims who shows who they are by a credential that was handed out to them for something else.
    async fn introduced(&self, who: &Introduced, peer: IpAddr) -> Result<Claim, Uninvited>;
    /// Whether such a credential is good for one call.
    async fn vouch(&self, origin: &str, means: &Means, peer: IpAddr) -> Result<(), Refused>;
    /// Whether a grant is over.
    async fn is_over(&self, grant: GrantId) -> bool;
    /// A credential was used where or when it may not be.
    async fn misused(&self, grant: GrantId, serial: u64, why: &str, peer: IpAddr);
}

#[async_trait]
impl WebPort for App {
    async fn meant(&self, kind: &'static str, origin: &str) -> Option<String> {
        match self.resource_at(kind, origin).await {
            Ok(resource) => resource.map(|resource| resource.name.to_string()),
            Err(error) => {
                tracing::warn!(%error, "it cannot be looked up which application is meant");
                None
            }
        }
    }

    async fn visit(&self, kind: &'static str, visit: &Visit, peer: IpAddr) -> Result<String, Refused> {
        App::visit(self, kind, visit, peer).await.map_err(|error| {
            tracing::info!(%peer, origin = visit.origin, %error, "nobody is sent to sign in");
            told(&error)
        })
    }

    async fn ticket(&self, ticket: &Ticket, peer: IpAddr) -> Result<(Claim, String), Refused> {
        self.take_visit(ticket, peer).map_err(|error| {
            tracing::info!(%peer, origin = ticket.origin, %error, "a code opens nothing");
            told(&error)
        })
    }

    async fn introduced(&self, who: &Introduced, peer: IpAddr) -> Result<Claim, Uninvited> {
        App::introduced(self, who, peer).await.map_err(|error| {
            tracing::info!(%peer, origin = who.origin, %error, "a credential opens nothing");
            match error {
                AppError::SignedOut => Uninvited::Credential,
                error => Uninvited::Access(told(&error)),
            }
        })
    }

    async fn vouch(&self, origin: &str, means: &Means, peer: IpAddr) -> Result<(), Refused> {
        self.known_by(origin, means).await.map(drop).map_err(|error| {
            tracing::info!(%peer, origin, %error, "a credential is not good for a call");
            told(&error)
        })
    }

    async fn is_over(&self, grant: GrantId) -> bool {
        match App::is_over(self, grant).await {
            Ok(over) => over,
            Err(error) => {
                tracing::warn!(%grant, %error, "it cannot be asked whether a grant is over");
                false
            }
        }
    }

    async fn misused(&self, grant: GrantId, serial: u64, why: &str, peer: IpAddr) {
        if let Err(error) = self.note_misuse(grant, serial, why, peer).await {
            tracing::warn!(%grant, %peer, %error, "a key was used where it may not be; that could not be written down");
        }
    }
}

/// What the person is told. Only what is theirs to know: the credential they proved to hold names the
/// grant, so that it is not there any more is no secret from them.
fn told(error: &AppError) -> Refused {
    if let AppError::Target(ConnectError::Refused { why, .. } | ConnectError::Input(why)) = error {
        return Refused(why.clone());
    }
    Refused(match error.class() {
        Class::Missing => "there is no live grant for that".to_owned(),
        Class::Fault => "something failed here; the server's log says what".to_owned(),
        Class::Denied | Class::Invalid | Class::Conflict | Class::Busy => error.to_string(),
    })
}

#[async_trait]
impl Port for App {
    async fn open(&self, claim: &Claim, inside: Option<ArrivalId>) -> Result<SessionOpened, Refused> {
        self.open_session(claim, inside).await.map_err(|error| {
            tracing::info!(grant = %claim.grant, peer = %claim.peer, %error, "a session was refused");
            told(&error)
        })
    }

    async fn admit(&self, proof: &Proof, peer: IpAddr, client: &str) -> Result<ArrivalId, Refused> {
        App::admit(self, proof, peer, client).await.map_err(|error| {
            tracing::info!(%peer, %error, "nobody is let through");
            told(&error)
        })
    }

    async fn inside(&self, passage: ArrivalId, host: &str, port: u16, key: &str) -> Result<Inside, Refused> {
        App::inside(self, passage, host, port, key).await.map_err(|error| {
            tracing::info!(%passage, %error, "nothing is reached inside a connection");
            match error {
                // Whoever asked may know that there is nothing for them.
                AppError::Missing { .. } => Refused(error.to_string()),
                error => told(&error),
            }
        })
    }

    async fn passed(&self, passage: ArrivalId) {
        self.passage_left(passage).await;
    }

    async fn known(&self, passage: ArrivalId, who: Arriving) -> Result<ArrivalId, Refused> {
        self.arrive_known(passage, who).await.map_err(|error| {
            tracing::info!(%passage, %error, "nobody comes in inside a connection");
            told(&error)
        })
    }

    async fn arrive(&self, who: Arriving) -> Result<(ArrivalId, Invitation), Refused> {
        let peer = who.peer;
        App::arrive(self, who).await.map_err(|error| {
            tracing::info!(%peer, %error, "nobody is invited to confirm a login");
            told(&error)
        })
    }

    async fn next(&self, arrival: ArrivalId, answer: Option<&str>) -> Result<(Next, Time), Refused> {
        self.arrival_next(arrival, answer).await.map_err(|error| {
            tracing::info!(%arrival, %error, "a login comes to nothing");
            match error {
                // Whoever confirmed it may know what they may not do.
                AppError::Missing { .. } => Refused(error.to_string()),
                error => told(&error),
            }
        })
    }

    async fn left(&self, arrival: ArrivalId) {
        self.arrival_left(arrival).await;
    }

    async fn begun(&self, session: SessionId, notes: &Value) -> Result<(), Refused> {
        self.session_begun(session, notes).await.map_err(|error| {
            tracing::warn!(%session, %error, "a session was let in and may not begin");
            told(&error)
        })
    }

    async fn spend(&self, session: SessionId, command: &[u8]) -> Result<(), Refused> {
        self.spend_task(session, command).await.map_err(|error| {
            tracing::info!(%session, %error, "a task is not run");
            told(&error)
        })
    }

    async fn spend_use(&self, session: SessionId, more: &[(String, u64)]) -> Result<(), Unspent> {
        App::spend_use(self, session, more).await.map_err(|error| {
            tracing::info!(%session, %error, "a use is not made");
            match error {
                AppError::UsedUp(_) => Unspent::UsedUp(told(&error)),
                error => Unspent::Not(told(&error)),
            }
        })
    }

    async fn beat(&self) {
        if let Err(error) = self.tell_sessions().await {
            tracing::warn!(%error, "it cannot be asked where all sessions stand; those go by what they know");
        }
    }

    async fn proofs(&self) {
        loop {
            if let Err(error) = self.mind_proofs().await {
                tracing::warn!(%error, "it cannot be asked whose identity is proved again; sessions go by what they know");
            }
        }
    }

    async fn finding(&self, session: SessionId, finding: &SessionFinding) -> bool {
        match self.session_finding(session, finding).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%session, rule = %finding.rule, %error, "a rule found something; that cannot be written down yet");
                false
            }
        }
    }

    async fn guest_left(&self, session: SessionId, guest: PersonId, typed: u64) {
        if let Err(error) = self.session_left(session, guest, typed).await {
            tracing::warn!(%session, %error, "somebody left a session; that could not be written down");
        }
    }

    async fn closed(&self, session: SessionId, end: &SessionEnd) -> bool {
        match self.session_closed(session, end.clone()).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%session, %error, "a session is closed; that cannot be written down yet");
                false
            }
        }
    }
}
