//! The one port through which the gateway reaches the rest: `open`, `begun`, `beat`, `closed`.
//!
//! In this process first; everything that goes through it could as well go through a socket.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;
use wane_app::{App, AppError, Class, Meter, Roll, SessionEnd, Standing};
use wane_connector::ConnectError;
use wane_connector::broker::{Claim, Refused};
use wane_domain::id::SessionId;
use wane_domain::time::Time;

/// A session that may begin.
#[derive(Debug)]
pub struct Begun {
    /// Which.
    pub session: SessionId,
    /// Until when, unless it is told otherwise.
    pub end: Time,
    /// What it shows to its target.
    pub pass: Value,
    /// What it is told.
    pub told: watch::Receiver<Standing>,
    /// Where what passes is counted.
    pub meter: Arc<Meter>,
    /// What it is recorded on, if it is.
    pub roll: Option<Roll>,
}

/// What decides about sessions, as the gateway sees it.
#[async_trait]
pub trait Port: Send + Sync {
    /// Opens a session: judged again, written down.
    async fn open(&self, claim: &Claim) -> Result<Begun, Refused>;
    /// The target let it in.
    async fn begun(&self, session: SessionId, notes: &Value) -> Result<(), Refused>;
    /// Where it stands, as the store has it. If that cannot be asked, the session goes by what it knows.
    async fn beat(&self, session: SessionId);
    /// Nothing of it is left. False if that could not be written down and is to be said again.
    async fn closed(&self, session: SessionId, end: &SessionEnd) -> bool;
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
    async fn open(&self, claim: &Claim) -> Result<Begun, Refused> {
        match self.open_session(claim).await {
            Ok(opened) => Ok(Begun {
                session: opened.session,
                end: opened.end,
                pass: opened.pass,
                told: opened.told,
                meter: opened.meter,
                roll: opened.roll,
            }),
            Err(error) => {
                tracing::info!(grant = %claim.grant, peer = %claim.peer, %error, "a session was refused");
                Err(told(&error))
            }
        }
    }

    async fn begun(&self, session: SessionId, notes: &Value) -> Result<(), Refused> {
        self.session_begun(session, notes).await.map_err(|error| {
            tracing::warn!(%session, %error, "a session was let in and may not begin");
            told(&error)
        })
    }

    async fn beat(&self, session: SessionId) {
        if let Err(error) = self.session_standing(session).await {
            tracing::warn!(%session, %error, "it cannot be asked where a session stands; it goes by what it knows");
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
