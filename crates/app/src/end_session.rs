//! The end of a session: the gateway closes what it carries, and says what is left of it: nothing.

use std::time::Duration;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome};
use wane_domain::closure::ClosureBasis;
use wane_domain::id::{LeaseId, SessionId};
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind, LeaseState};
use wane_domain::text::Reason;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{Put, Write};

use crate::caller::Caller;
use crate::change::about_lease;
use crate::end::Tried;
use crate::error::AppError;
use crate::recordings::{RecordOutcome, said};
use crate::sessions::{SessionLine, Standing};
use crate::{App, decide};

/// How long a gateway has to close what it was told to close, before it is asked again.
const LONGEST_CLOSE: Duration = Duration::from_secs(5);

/// What a gateway has to say about a session it closed.
#[derive(Clone, Debug)]
pub struct SessionEnd {
    /// How much passed, and of what sort.
    pub tally: Value,
    /// What it saw: that nothing of it is left.
    pub proof: String,
    /// How its recording came out, if it had one.
    pub recorded: Option<RecordOutcome>,
    /// How its grant's task came out, as far as that was seen, if it asked to run one.
    pub task: Option<TaskEnd>,
}

/// How a task came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// It was seen to end: with which status, or by which signal.
    Seen(String),
    /// Nobody saw it end, or even whether it began.
    Unseen,
}

impl SessionEnd {
    /// Of one that never began.
    pub(crate) fn unbegun(recorded: Option<RecordOutcome>) -> Self {
        Self { tally: json!({}), proof: "nothing was connected".to_owned(), recorded, task: None }
    }
}

impl App {
    /// The sessions that are open: all for those who may read access, else the caller's own.
    ///
    /// # Errors
    /// When the policy cannot be asked.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionLine>, AppError> {
        let world = self.world().await?;
        let all = self.allows(caller, &world, Action::ReadAccess)?;
        let mut lines = self.sessions.lines();
        lines.retain(|line| all || line.holder == caller.person);
        Ok(lines)
    }

    /// Ends one session, and leaves its grant as it is: the holder may end their own, others need to be
    /// let by policy.
    ///
    /// # Errors
    /// When there is none that the caller may see, or they may not end it.
    pub async fn kill_session(&self, caller: &Caller, session: SessionId, reason: &Reason) -> Result<(), AppError> {
        let world = self.world().await?;
        let missing = || AppError::missing("session", session);
        let line = self.sessions.line(session.lease()).ok_or_else(missing)?;
        if line.holder != caller.person && !self.allows_on(caller, &world, Action::Revoke, line.resource)? {
            let known = self.allows_on(caller, &world, Action::ReadAccess, line.resource)?;
            return Err(if known { AppError::NotAllowed { what: Action::Revoke.name() } } else { missing() });
        }
        // Told first: whatever the store says, it ends.
        let why = format!("`{}` ended it: {}", caller.name, reason.as_str());
        self.sessions.tell(session.lease(), Standing::Over(why));
        let booked = decide!(async {
            let now = self.now();
            let seen = self.session_lease(session).await?;
            let grant = self.store.grant(seen.value.grant).await?;
            let about = about_lease(&seen.value, grant.as_ref().map(|g| &g.value));
            let mut change = self.change(Actor::Person(caller.person), now);
            let detail = json!({ "session": session, "reason": reason.as_str() });
            change.note("session.killed", Outcome::Done, about.clone(), detail);
            if matches!(seen.value.state, LeaseState::Intended | LeaseState::Live { .. }) {
                let (lease, fact) = seen.value.clone().apply(LeaseEvent::End, now)?;
                change.fact(about, fact);
                change.write(Write::Lease(Put::over(&seen, lease)));
            }
            change.commit(point!("app.brokered.kill.commit")).await.map(|_| ())
        });
        match booked {
            Err(AppError::Store(why)) => {
                tracing::error!(%session, %why, "a session was ended; who did it could not be written down");
                Ok(())
            }
            booked => booked.map(|()| self.nudge()),
        }
    }

    /// Nothing of a session is left: both its connections are closed.
    ///
    /// # Errors
    /// When this cannot be written down; it is known all the same, and to be said again.
    pub async fn session_closed(&self, session: SessionId, end: SessionEnd) -> Result<(), AppError> {
        self.sessions.closed(session.lease(), end.proof.clone());
        match &end.task {
            None => {}
            Some(TaskEnd::Seen(outcome)) => self.end_of_task(session.lease(), Some(outcome)).await?,
            Some(TaskEnd::Unseen) => self.end_of_task(session.lease(), None).await?,
        }
        decide!(async {
            let basis = ClosureBasis::AbsentReadBack { proof: end.proof.clone() };
            self.book_closed(session.lease(), Some(&end), basis).await
        })?;
        self.sessions.strike(session.lease());
        Ok(())
    }

    /// Ends a session that an earlier process carried, and none carries now.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn settle_lost_session(&self, lease: &Lease) -> Result<(), AppError> {
        if lease.what != LeaseKind::Session || self.sessions.has(lease.id) {
            return Ok(());
        }
        self.end_of_task(lease.id, None).await?;
        decide!(self.book_closed(lease.id, None, lost()))
    }

    async fn book_closed(&self, id: LeaseId, end: Option<&SessionEnd>, basis: ClosureBasis) -> Result<(), AppError> {
        let now = self.now();
        let Some(seen) = self.store.lease(id).await? else { return Ok(()) };
        let grant = self.store.grant(seen.value.grant).await?;
        let about = about_lease(&seen.value, grant.as_ref().map(|g| &g.value));
        let mut change = self.change(Actor::System, now);
        if end.is_none() && !seen.value.is_open() {
            return Ok(());
        }
        let (session, tally) = (SessionId::of(id), end.map(|end| &end.tally));
        let recording = self.recording_end(session, end.and_then(|end| end.recorded.as_ref()), tally).await?;
        let recorded = recording.as_ref().and_then(|recording| recording.end.as_ref()).map(said);
        let detail = json!({ "session": session, "basis": basis, "tally": tally, "recording": recorded });
        change.note("session.closed", Outcome::Done, about.clone(), detail);
        if let Some(recording) = recording {
            change.recording(about.clone(), recording);
        }
        let mut lease = seen.value.clone();
        if matches!(lease.state, LeaseState::Intended | LeaseState::Live { .. }) {
            let (ending, fact) = lease.apply(LeaseEvent::End, now)?;
            change.fact(about.clone(), fact);
            lease = ending;
        }
        if lease.is_open() {
            let (gone, fact) = lease.apply(LeaseEvent::Proven { basis }, now)?;
            change.fact(about, fact);
            change.write(Write::Lease(Put::over(&seen, gone.clone())));
            if let Some(grant) = grant {
                self.close_if_last(&mut change, &grant, gone, now).await?;
            }
        }
        change.commit(point!("app.brokered.closed.commit")).await.map(|_| ())
    }

    /// Tells a session that it is over, and waits until its gateway has closed it.
    pub(crate) async fn end_session(&self, lease: &Lease) -> Tried {
        let Some(mut closing) = self.sessions.closing(lease.id) else {
            // Whatever ends it: that it was closed is told, and what became of its recording. Without a store
            // there is only the end itself.
            let booked = self.in_time(async { decide!(self.book_closed(lease.id, None, lost())) }).await;
            if let Err(error) = booked {
                tracing::warn!(lease = %lease.id, %error, "the close of a session that nobody carries could not be told");
            }
            return Tried::Proven(lost());
        };
        self.sessions.tell(lease.id, Standing::Over("it was ended".to_owned()));
        let closed = tokio::time::timeout(LONGEST_CLOSE, closing.wait_for(Option::is_some)).await;
        match closed {
            Ok(Ok(proof)) => {
                let proof = proof.clone().unwrap_or_default();
                Tried::Proven(ClosureBasis::AbsentReadBack { proof })
            }
            // The book let go of it: somebody else has booked it meanwhile.
            Ok(Err(_)) => Tried::Proven(lost()),
            Err(_) => Tried::not("the gateway has not closed its connections yet".to_owned()),
        }
    }
}

/// What is known of a session that this process does not carry.
fn lost() -> ClosureBasis {
    let proof = "no gateway carries it: the process that held its connections has let go of them";
    ClosureBasis::AbsentReadBack { proof: proof.to_owned() }
}
