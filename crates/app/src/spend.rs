//! The one task of a grant: let run once, and with its end the grant is over.
//!
//! INVARIANT: that a task is spent is on disk before its target is asked to run it, and it is spent once, whatever
//! races with what (held by `of_two_that_would_run_a_task_one_does`,
//! `a_task_whose_spending_was_not_written_down_does_not_run`).

use wane_audit::Actor;
use wane_domain::closure::EndCause;
use wane_domain::grant::GrantEvent;
use wane_domain::id::{LeaseId, SessionId};
use wane_domain::lease::{Lease, LeaseState};
use wane_domain::task::Task;
use wane_failpoint::point;
use wane_store::{Put, Write};

use crate::change::about_lease;
use crate::error::AppError;
use crate::{App, decide};

/// What is said to a session that is over.
pub(crate) const OVER: &str = "this session is over";
/// What is said of a task whose end nobody saw.
const UNSEEN: &str = "it was let run, and nobody saw how it ended";

impl App {
    /// Lets a session run the task of its grant. `command` is what is asked for there, byte for byte.
    ///
    /// # Errors
    /// When it is not what was approved, was let run before, the session or its grant is over, or this cannot be
    /// written down.
    pub async fn spend_task(&self, session: SessionId, command: &[u8]) -> Result<(), AppError> {
        let task = Task::digest_of(command);
        decide!(async {
            let now = self.steady_now().await?;
            let seen = self.session_lease(session).await?;
            goes_on(&seen.value)?;
            let id = seen.value.grant;
            let grant = self.store.grant(id).await?.ok_or_else(|| AppError::missing("grant", id))?;
            self.still_stands(id)?;
            let event = GrantEvent::Spend { session: seen.value.id, task };
            let (spent, fact) = grant.value.clone().apply(event, now)?;
            let mut change = self.change(Actor::Person(spent.holder), now);
            change.fact(about_lease(&seen.value, Some(&spent)), fact);
            change.write(Write::Grant(Put::over(&grant, spent)));
            // Written back unchanged, so that a session that ended meanwhile makes this conflict.
            change.write(Write::Lease(Put::over(&seen, seen.value.clone())));
            change.commit(point!("app.brokered.spend.commit")).await?;
            // An end may have come from memory while the store was at work on this. Then it is spent, and not run.
            self.still_stands(id)
        })
    }

    /// Nothing of a session is left: if it ran its grant's task, the grant is over. Said before the session counts
    /// as gone, so that whoever is stopped in between finds the session, and says it then.
    pub(crate) async fn end_of_task(&self, session: LeaseId, outcome: Option<&str>) -> Result<(), AppError> {
        let Some(seen) = self.store.lease(session).await? else { return Ok(()) };
        let Some(grant) = self.store.grant(seen.value.grant).await? else { return Ok(()) };
        let ran = grant.value.spent.as_ref().is_some_and(|spent| spent.session == session);
        if !ran || !grant.value.is_live() {
            return Ok(());
        }
        let outcome = outcome.unwrap_or(UNSEEN).to_owned();
        self.end_grant(Actor::System, grant.value.id, EndCause::TaskDone { outcome }).await.map(drop)
    }
}

/// Whether something may be spent in a session: its target let it in, and it is not over.
pub(crate) fn goes_on(session: &Lease) -> Result<(), AppError> {
    match session.state {
        LeaseState::Live { .. } => Ok(()),
        LeaseState::Intended | LeaseState::Revoking { .. } | LeaseState::Gone { .. } => {
            Err(AppError::Taken(OVER.to_owned()))
        }
    }
}
