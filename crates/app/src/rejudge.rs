//! Judging live grants again when the world has changed: people, groups, roles, policy, locks.

use std::collections::HashSet;

use wane_audit::Actor;
use wane_domain::closure::EndCause;
use wane_domain::grant::{Grant, GrantEvent, GrantState};
use wane_domain::id::GrantId;
use wane_domain::lease::LeaseState;
use wane_domain::world::{Epoch, World};
use wane_failpoint::point;
use wane_store::{GrantFilter, GrantPhase, Put, Slice, Write};

use crate::change::{about_grant, about_lease};
use crate::error::AppError;
use crate::jobs::not_its_job;
use crate::judge::{AskFacts, Rejudged};
use crate::{App, decide};

/// How many grants are read at once.
const PAGE: u32 = 500;

/// Judges every live grant over the world as it is; ends what lost its ground, shortens what got a
/// nearer cap. Never widens. Returns the epoch it judged at.
///
/// What somebody is ending already is waited for, and looked at again.
///
/// # Errors
/// When the store cannot be used; one grant that cannot be judged does not keep the others from it.
pub async fn rejudge_all(app: &App) -> Result<Epoch, AppError> {
    loop {
        let world = app.world().await?;
        let ending = rejudge_over(app, &world).await?;
        if ending.is_empty() {
            return Ok(world.epoch);
        }
        app.many.done_with(&ending).await;
    }
}

/// The grants that were left alone because somebody is ending them.
async fn rejudge_over(app: &App, world: &World) -> Result<HashSet<GrantId>, AppError> {
    let (mut failed, mut ending) = (None, HashSet::new());
    let filter = GrantFilter { phases: vec![GrantPhase::Scheduled, GrantPhase::Active], ..GrantFilter::default() };
    // Page by page: however many there are, few are in memory.
    let mut slice = Slice::first(PAGE);
    loop {
        let page = app.store.grants(filter.clone(), slice.clone()).await?;
        for grant in page.items.into_iter().map(|seen| seen.value) {
            if app.many.has(grant.id) {
                ending.insert(grant.id);
            } else if let Err(error) = app.rejudge_one(world, &grant).await {
                tracing::warn!(grant = %grant.id, %error, "a live grant could not be judged again");
                failed = Some(error);
            }
        }
        match page.next {
            Some(next) => slice.after = Some(next),
            None => return failed.map_or(Ok(ending), Err),
        }
    }
}

impl App {
    async fn rejudge_one(&self, world: &World, grant: &Grant) -> Result<(), AppError> {
        let item = &grant.item;
        if let Some(lock) = world.lock_on(grant.holder, item.resource, item.role, Some(grant.id)) {
            return self
                .end_grant(Actor::System, grant.id, EndCause::Locked { lock: lock.id.to_string() })
                .await
                .map(|_| ());
        }
        let lost = |reason: String| self.end_grant(Actor::System, grant.id, EndCause::LostEligibility { reason });
        if !world.is_active(grant.holder) {
            return lost("the holder is disabled".to_owned()).await.map(|_| ());
        }
        let Ok((resource, role)) = self.grant_parts(world, grant) else {
            return lost("the resource or role is gone".to_owned()).await.map(|_| ());
        };
        if role.digest()? != item.role_digest {
            return lost(format!("role `{}` was redefined", role.name)).await.map(|_| ());
        }
        let ask = self.ask_of(grant).await?;
        if let Some(why) = self.not_packaged(world, &ask) {
            return lost(why).await.map(|_| ());
        }
        if let Some(why) = not_its_job(world, &ask) {
            return lost(why).await.map(|_| ());
        }
        let facts = AskFacts::of_grant(grant, &ask, self.now());
        match self.rejudge(world, &ask, &resource, &role, &facts, &grant.approvals)? {
            Rejudged::Lost(reason) => lost(reason).await.map(|_| ()),
            Rejudged::Keeps(permit) => {
                if let Some(every) = permit.terms().reproof {
                    self.sessions.tighten(grant.id, every, self.limits.reproof_grace, self.now());
                }
                match &grant.state {
                    GrantState::Active { since, end } if permit.at_most(since.plus(permit.terms().max_ttl)) < *end => {
                        self.shorten(grant, permit.at_most(since.plus(permit.terms().max_ttl))).await
                    }
                    GrantState::Active { .. }
                    | GrantState::Scheduled
                    | GrantState::Ending { .. }
                    | GrantState::Closed { .. } => Ok(()),
                }
            }
        }
    }

    async fn shorten(&self, grant: &Grant, end: wane_domain::time::Time) -> Result<(), AppError> {
        let now = self.now();
        if end <= now {
            let reason = "policy now allows less time than has passed".to_owned();
            return self.end_grant(Actor::System, grant.id, EndCause::LostEligibility { reason }).await.map(|_| ());
        }
        decide!(async {
            let Some(seen) = self.store.grant(grant.id).await? else { return Ok(()) };
            let shorter = matches!(&seen.value.state, GrantState::Active { end: present, .. } if end < *present);
            if !shorter {
                return Ok(());
            }
            let mut change = self.change(Actor::System, now);
            let (shortened, fact) = seen.value.clone().apply(GrantEvent::Shorten { end }, now)?;
            change.fact(about_grant(&shortened), fact);
            for lease in self.open_leases(grant.id).await? {
                if matches!(lease.value.state, LeaseState::Intended | LeaseState::Live { .. }) {
                    let (moved, fact) = lease.value.clone().follow(&shortened, now)?;
                    change.fact(about_lease(&moved, Some(&shortened)), fact);
                    change.write(Write::Lease(Put::over(&lease, moved)));
                }
            }
            change.write(Write::Grant(Put::over(&seen, shortened)));
            change.commit(point!("app.shorten.commit")).await.map(|_| ())
        })?;
        self.nudge();
        self.extend_targets(grant.id).await;
        Ok(())
    }
}
