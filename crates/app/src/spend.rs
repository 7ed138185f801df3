//! The one task of a grant: let run once, and with its end the grant is over.
//!
//! INVARIANT: that a task is spent is on disk before its target is asked to run it, and it is spent once, whatever
//! races with what (held by `of_two_that_would_run_a_task_one_does`,
//! `a_task_whose_spending_was_not_written_down_does_not_run`).

use serde_json::json;
use wane_audit::{Actor, Outcome};
use wane_domain::closure::EndCause;
use wane_domain::grant::GrantEvent;
use wane_domain::id::{LeaseId, SessionId};
use wane_domain::lease::LeaseState;
use wane_domain::task::Task;
use wane_failpoint::point;
use wane_store::{Put, Use, Write};

use crate::change::about_lease;
use crate::error::AppError;
use crate::{App, decide};

/// Uses that the role itself gives.
const OF_ROLE: &str = "";
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
            if !matches!(seen.value.state, LeaseState::Live { .. }) {
                return Err(AppError::Taken("this session is over".to_owned()));
            }
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

    /// Lets a session make one more of the uses that its role gives, if it gives a number of them, and of those that
    /// what it was opened with gives: each named, with how many there are.
    ///
    /// INVARIANT: that a use is spent is on disk before its target is asked for anything, and there are no more of them
    /// than are given, however many sessions race (held by `of_many_that_would_use_it_as_many_do_as_there_are_uses`).
    ///
    /// # Errors
    /// When there is none left, the session or its grant is over, or this cannot be written down.
    pub async fn spend_use(&self, session: SessionId, more: &[(String, u64)]) -> Result<(), AppError> {
        decide!(async {
            let now = self.steady_now().await?;
            let world = self.world().await?;
            let seen = self.session_lease(session).await?;
            if !matches!(seen.value.state, LeaseState::Live { .. }) {
                return Err(AppError::Taken("this session is over".to_owned()));
            }
            let id = seen.value.grant;
            let grant = self.store.grant(id).await?.ok_or_else(|| AppError::missing("grant", id))?;
            self.still_stands(id)?;
            grant.value.usable_until(now)?;
            let (resource, role) = self.grant_parts(&world, &grant.value)?;
            let broker = self.kind(&resource.kind)?.broker();
            let broker = broker.ok_or_else(|| AppError::missing("gateway for", &resource.name))?;
            let of_role = broker.uses(&role)?.map(|most| (OF_ROLE.to_owned(), most));
            let mut change = self.change(Actor::Person(grant.value.holder), now);
            for (of, most) in of_role.iter().chain(more) {
                let used = self.store.uses(id, of).await?;
                if used >= *most {
                    let all = if *most == 1 { "the one use".to_owned() } else { format!("all {most} uses") };
                    return Err(AppError::Taken(format!("{all} of this access are used up")));
                }
                let number = used.saturating_add(1);
                let detail = json!({ "session": session, "number": number, "of": most, "key": of });
                change.note("grant.used", Outcome::Done, about_lease(&seen.value, Some(&grant.value)), detail);
                change.write(Write::Use(Use { grant: id, of: of.clone(), number, session, at: now }));
            }
            if of_role.is_none() && more.is_empty() {
                return Ok(());
            }
            // A grant that ended meanwhile makes this conflict.
            change.write(Write::Still(id, grant.generation));
            change.commit(point!("app.brokered.use.commit")).await?;
            // An end may have come from memory while the store was at work on this. Then it is spent, and not made.
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
