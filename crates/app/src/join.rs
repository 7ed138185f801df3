//! Joining a session: a second person at its terminal, who sees it and types in it, and is known to do so.
//!
//! INVARIANT: nobody sees or types before it is written down that they joined, and nobody without the right to
//! (held by `nobody_joins_without_the_right_and_the_attempt_is_written_down`).

use std::sync::Arc;

use serde_json::json;
use tokio::sync::mpsc;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::{PersonId, SessionId};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;

use crate::App;
use crate::caller::Caller;
use crate::company::{LONGEST_TYPED, NoPlace, NotTyped, Seen};
use crate::error::AppError;
use crate::sessions::SessionLine;

/// A place at the terminal of a session. Whoever lets go of it leaves.
pub struct Seat {
    app: Arc<App>,
    caller: PersonId,
    line: SessionLine,
    /// Under which number they type; theirs alone.
    number: String,
    sees: mpsc::Receiver<Seen>,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("session", &self.line.session).finish_non_exhaustive()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.line.company.leave(&self.number);
    }
}

impl Seat {
    /// Under which number they type.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Waits for what the terminal shows next; none once they are out, or the session is over.
    pub async fn next(&mut self) -> Option<Seen> {
        self.sees.recv().await
    }

    /// Whether the session is over for them too; else they were out because they did not keep up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.app.sessions.has(self.line.session.lease()) || self.line.company.has_place() == Err(NoPlace::Over)
    }

    /// Whether they may still be there: to be asked now and then, with a caller who is signed in now.
    ///
    /// # Errors
    /// When they may not, or that cannot be said.
    pub async fn still(&self, caller: &Caller) -> Result<(), AppError> {
        let world = self.app.world().await?;
        let may = caller.person == self.caller && self.app.may_join(caller, &world, &self.line)?;
        if may { Ok(()) } else { Err(AppError::NotAllowed { what: Action::Join.name() }) }
    }
}

impl App {
    /// Whether policy lets somebody join a session: any, one on its resource, or one of its person.
    fn may_join(&self, caller: &Caller, world: &World, line: &SessionLine) -> Result<bool, AppError> {
        Ok(self.allows_on(caller, world, Action::Join, line.resource)?
            || self.allows_about(caller, world, Action::Join, line.holder)?)
    }

    /// Joins a session that goes on.
    ///
    /// # Errors
    /// When there is none that the caller may know of, they may not, or it has no terminal.
    pub async fn join_session(self: &Arc<Self>, caller: &Caller, session: SessionId) -> Result<Seat, AppError> {
        let missing = || AppError::missing("open session", session);
        let world = self.world().await?;
        let line = self.sessions.line(session.lease()).ok_or_else(missing)?;
        let actor = Actor::Person(caller.person);
        if !self.may_join(caller, &world, &line)? {
            let mut change = self.change(actor, self.now());
            change.note("session.join_refused", Outcome::Denied, about(&line), json!({ "session": session }));
            change.commit(point!("app.company.refused.commit")).await?;
            let known = line.holder == caller.person
                || self.allows_on(caller, &world, Action::ReadAccess, line.resource)?
                || self.allows_about(caller, &world, Action::ReadAccess, line.holder)?;
            return Err(if known { AppError::NotAllowed { what: Action::Join.name() } } else { missing() });
        }
        line.company.has_place().map_err(no_place)?;
        let number = self.nonce();
        let mut change = self.change(actor, self.now());
        change.note("session.joined", Outcome::Done, about(&line), json!({ "session": session }));
        change.commit(point!("app.company.commit")).await?;
        let sees = line.company.enter(number.clone(), caller.person, caller.name.to_string()).map_err(no_place)?;
        Ok(Seat { app: Arc::clone(self), caller: caller.person, line, number, sees })
    }

    /// Types at the terminal of a session that the caller has joined. Whether they may is looked at each time:
    /// whoever takes nothing of what is shown is not asked otherwise.
    ///
    /// # Errors
    /// When they are not there, may not be, or the target does not take as much.
    pub async fn type_in(
        &self,
        caller: &Caller,
        session: SessionId,
        number: &str,
        bytes: &[u8],
    ) -> Result<(), AppError> {
        if bytes.is_empty() || bytes.len() > LONGEST_TYPED {
            return Err(AppError::invalid("input", format!("it is 1 to {LONGEST_TYPED} bytes long")));
        }
        let missing = || AppError::missing("place of yours in session", session);
        let line = self.sessions.line(session.lease()).ok_or_else(missing)?;
        let world = self.world().await?;
        if !self.may_join(caller, &world, &line)? {
            line.company.leave_as(number, caller.person);
            return Err(missing());
        }
        line.company.type_in(number, caller.person, bytes).map_err(|why| match why {
            NotTyped::NotThere => missing(),
            NotTyped::Full => AppError::Taken("the session does not take so much; wait a moment".to_owned()),
        })
    }

    /// Somebody who had joined a session left.
    ///
    /// # Errors
    /// When this cannot be written down.
    pub async fn session_left(&self, session: SessionId, guest: PersonId, typed: u64) -> Result<(), AppError> {
        let about = self.sessions.line(session.lease()).map(|line| about(&line)).unwrap_or_default();
        let mut change = self.change(Actor::Person(guest), self.now());
        change.note("session.left", Outcome::Done, about, json!({ "session": session, "bytes": typed }));
        change.commit(point!("app.company.left.commit")).await.map(|_| ())
    }
}

fn no_place(why: NoPlace) -> AppError {
    AppError::Taken(
        match why {
            NoPlace::NoTerminal => "there is no terminal in that session; watch it instead",
            NoPlace::Full => "as many have joined that session as can",
            NoPlace::Over => "that session is over; replay it",
        }
        .to_owned(),
    )
}

fn about(line: &SessionLine) -> Subjects {
    Subjects {
        person: Some(line.holder),
        resource: Some(line.resource),
        grant: Some(line.grant),
        lease: Some(line.session.lease()),
        ..Subjects::default()
    }
}
