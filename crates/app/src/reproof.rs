//! Identity proved again while a session lasts: until when one may go on, and which proof carries it further.
//!
//! Owns: what each session of the book is told about it, and what the log says. Refuses to know: how bytes are
//! held, which is the gateway's.

use std::time::Duration;

use serde_json::json;
use wane_audit::{Actor, Outcome};
use wane_domain::id::{GrantId, LeaseId, PersonId, SessionId};
use wane_domain::time::{Span, Time};
use wane_failpoint::point;
use wane_store::{Standing, TokenKind, TokenOwner, Write};

use crate::App;
use crate::change::about_lease;
use crate::error::AppError;
use crate::judge::Proven;

/// How often it is looked which sessions are paused by now.
const LOOK: Duration = Duration::from_secs(1);

/// Since when identity is proved, and how long that carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reproof {
    /// How old the proof may become.
    pub every: Span,
    /// How long a paused session waits for the next one.
    pub grace: Span,
    /// When identity was proved.
    pub proved: Time,
    /// Since when this is asked for: nobody waits less than the grace from then on.
    pub asked: Time,
}

impl Reproof {
    /// From then on nothing passes until identity is proved again.
    #[must_use]
    pub fn pauses(&self) -> Time {
        self.proved.plus(self.every)
    }

    /// Then it is over.
    #[must_use]
    pub fn cuts(&self) -> Time {
        self.pauses().max(self.asked).plus(self.grace)
    }
}

/// Somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) person: PersonId,
    pub(crate) at: Time,
    /// How, in a word.
    pub(crate) how: String,
}

/// The proof of identity that a write brings.
pub(crate) fn of_token(write: &Write) -> Option<Fresh> {
    let Write::Token(put) = write else { return None };
    let token = &put.value;
    match token.owner {
        TokenOwner::Person(person) if token.kind == TokenKind::Session && token.spent.is_none() => {
            Some(Fresh { person, at: token.proved, how: token.by.word().to_owned() })
        }
        TokenOwner::Person(_) | TokenOwner::Resource(_) | TokenOwner::Directory(_) | TokenOwner::Job(_) => None,
    }
}

/// A session that began to wait for a proof, or waits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Pauses,
    GoesOn,
}

impl App {
    /// Waits until somebody proves who they are, or it is time to look; then lets fresh proofs carry the sessions
    /// that they are good for, and writes down which sessions wait for one.
    ///
    /// # Errors
    /// The first that could not be looked at or written; it is tried again.
    pub async fn mind_proofs(&self) -> Result<(), AppError> {
        // Each gateway of this process asks: one after the other, so that nothing is written down twice.
        let _turn = self.minding.lock().await;
        let _ = tokio::time::timeout(LOOK, self.sessions.proof_heard()).await;
        let mut failed = Ok(());
        for (session, grant, fresh) in self.sessions.fresh() {
            match self.carries(grant, &fresh).await {
                Ok(carries) => self.sessions.proved(session, &fresh, carries),
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        for (session, turn) in self.sessions.turns(self.now()) {
            match self.note_turn(session, turn).await {
                Ok(()) => self.sessions.turned(session, turn),
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed
    }

    /// Whether policy takes this proof for sessions of a grant.
    async fn carries(&self, grant: GrantId, fresh: &Fresh) -> Result<bool, AppError> {
        let world = self.world().await?;
        let now = self.now();
        let Some(Standing { grant: seen, request, .. }) = self.store.standing(grant).await? else { return Ok(false) };
        let proven = Proven { age: now.since(fresh.at).max(Span::ZERO), how: &fresh.how };
        match self.permit_with_proof(&world, &seen.value, &request.value.ask, &proven, now) {
            Ok(_) => Ok(true),
            Err(AppError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn note_turn(&self, lease: LeaseId, turn: Turn) -> Result<(), AppError> {
        let session = SessionId::of(lease);
        let seen = match self.session_lease(session).await {
            // It never began.
            Err(AppError::Missing { .. }) => return Ok(()),
            seen => seen?,
        };
        let grant = self.store.grant(seen.value.grant).await?;
        let about = about_lease(&seen.value, grant.as_ref().map(|g| &g.value));
        let event = match turn {
            Turn::Pauses => "session.paused",
            Turn::GoesOn => "session.resumed",
        };
        let mut change = self.change(Actor::System, self.now());
        change.note(event, Outcome::Done, about, json!({ "session": session }));
        change.commit(point!("app.brokered.turn.commit")).await.map(|_| ())
    }
}
