//! The ways a request ends without a grant: denied, withdrawn, lapsed; and what is done before while nobody decides.

use wane_audit::Actor;
use wane_domain::id::RequestId;
use wane_domain::request::{AccessRequest, ItemEvent};
use wane_domain::text::Reason;
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{Put, Versioned, Write};

use crate::asked::{Mine, waiting_items};
use crate::caller::Caller;
use crate::change::{Change, about_request};
use crate::error::AppError;
use crate::{App, decide};

impl App {
    /// Denies the items the caller may decide, or one of them.
    ///
    /// # Errors
    /// When the caller may not, or the request no longer waits.
    pub async fn deny(
        &self,
        caller: &Caller,
        id: RequestId,
        item: Option<usize>,
        reason: &Reason,
    ) -> Result<AccessRequest, AppError> {
        decide!(async {
            let world = self.world().await?;
            let now = self.now();
            let seen = self.request_for(caller, &world, id).await?;
            // Whoever may revoke may deny, besides whoever could approve.
            let items = match self.approvable(caller, &world, &seen.value, item) {
                Ok(items) => items,
                Err(error) if self.allows(caller, &world, Action::Revoke)? => {
                    let waiting = waiting_items(&seen.value, item);
                    if waiting.is_empty() { return Err(error) } else { waiting.into_iter().map(Mine::of).collect() }
                }
                Err(error) => return Err(error),
            };
            let event = |mine: &Mine| ItemEvent::Deny {
                by: Some(caller.person),
                instead_of: mine.footing.instead_of,
                reason: reason.as_str().to_owned(),
            };
            self.apply_items(caller, &world, seen, &items, event, now).await
        })
    }

    /// Takes a request back, or one item of it.
    ///
    /// # Errors
    /// When it is not the caller's, or no longer waits.
    pub async fn withdraw(
        &self,
        caller: &Caller,
        id: RequestId,
        item: Option<usize>,
    ) -> Result<AccessRequest, AppError> {
        decide!(async {
            let world = self.world().await?;
            let now = self.now();
            let seen = self.request_for(caller, &world, id).await?;
            let items: Vec<Mine> = match item {
                Some(index) => vec![Mine::of(index)],
                None => waiting_items(&seen.value, None).into_iter().map(Mine::of).collect(),
            };
            if items.is_empty() {
                return Err(AppError::Taken(format!("nothing of request `{id}` waits any more")));
            }
            self.apply_items(caller, &world, seen, &items, |_| ItemEvent::Withdraw { by: caller.person }, now).await
        })
    }

    async fn apply_items(
        &self,
        caller: &Caller,
        world: &World,
        seen: Versioned<AccessRequest>,
        items: &[Mine],
        event: impl Fn(&Mine) -> ItemEvent,
        now: Time,
    ) -> Result<AccessRequest, AppError> {
        let mut change = self.change_at(Actor::Person(caller.person), world, now);
        let mut request = seen.value.clone();
        for mine in items {
            let (next, fact) = request.apply(mine.index, event(mine), now)?;
            change.fact(about_request(&next, Some(mine.index)), fact);
            request = next;
        }
        change.write(Write::Request(Put::over(&seen, request.clone())));
        change.commit(point!("app.decline.commit")).await?;
        Ok(request)
    }

    /// Does what is due of a request that nobody decided: asks more people, says that it still waits, or lapses it.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn request_is_due(&self, id: RequestId) -> Result<(), AppError> {
        decide!(async {
            let now = self.now();
            let Some(seen) = self.store.request(id).await? else { return Ok(()) };
            if seen.value.due().is_none_or(|due| now < due) {
                return Ok(());
            }
            let mut change = self.change(Actor::System, now);
            let request = seen.value.clone();
            let waits = now < request.lapses;
            let request = if waits { asked_again(&mut change, request)? } else { lapsed(&mut change, request)? };
            change.write(Write::Request(Put::over(&seen, request)));
            change.commit(point!("app.lapse.commit")).await.map(|_| self.nudge())
        })
    }
}

/// Lapses what of a request waits.
fn lapsed(change: &mut Change<'_>, mut request: AccessRequest) -> Result<AccessRequest, AppError> {
    for index in waiting_items(&request, None) {
        let (next, fact) = request.apply(index, ItemEvent::Lapse, change.at())?;
        change.fact(about_request(&next, Some(index)), fact);
        request = next;
    }
    Ok(request)
}

/// Has more people asked where it is time to, and says that it still waits.
fn asked_again(change: &mut Change<'_>, mut request: AccessRequest) -> Result<AccessRequest, AppError> {
    let now = change.at();
    for index in waiting_items(&request, None) {
        let is_due = |request: &AccessRequest| {
            let next = request.items.get(index).and_then(|item| item.next_escalation(request.at));
            next.is_some_and(|(_, _, due)| due <= now)
        };
        while is_due(&request) {
            let (next, fact) = request.apply(index, ItemEvent::Escalate, now)?;
            change.fact(about_request(&next, Some(index)), fact);
            request = next;
        }
    }
    if request.next_reminder().is_some_and(|due| due <= now) {
        let (next, fact) = request.remind(now)?;
        change.fact(about_request(&next, None), fact);
        request = next;
    }
    Ok(request)
}
