//! More time for a live grant, in place: a child request, judged again, that moves one end.

use std::time::Duration;

use wane_audit::{Actor, Outcome};
use wane_domain::decision::{Decision, Permit};
use wane_domain::grant::{GrantEvent, GrantState};
use wane_domain::id::{GrantId, RequestId};
use wane_domain::lease::{LeaseKind, LeaseState};
use wane_domain::request::{AccessRequest, Ask, Opening, Parent, Start};
use wane_domain::text::Reason;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around, point};
use wane_store::{LeaseFilter, LeasePhase, Put, Slice, Write};

use crate::caller::Caller;
use crate::change::{Change, about_grant, about_lease, about_request};
use crate::error::AppError;
use crate::judge::AskFacts;
use crate::{App, decide};

/// A kind bounds its own calls; this bounds the kind.
const LONGEST_EXTEND: Duration = Duration::from_secs(30);

impl App {
    /// Asks for more time on a live grant. Open sessions are not disturbed.
    ///
    /// # Errors
    /// When it is not the caller's, is not active, or policy refuses.
    pub async fn extend(
        &self,
        caller: &Caller,
        id: GrantId,
        more: Span,
        reason: Option<Reason>,
    ) -> Result<AccessRequest, AppError> {
        if more == Span::ZERO || more > crate::MOST_DURATION {
            let why = format!("ask for more than nothing and at most {}", crate::MOST_DURATION);
            return Err(AppError::invalid("duration", why));
        }
        let request = decide!(self.try_extend(caller, id, more, reason.as_ref()))?;
        if request.items.iter().any(|i| i.state.name() == "approved") {
            self.extend_targets(id).await;
        }
        self.nudge();
        Ok(request)
    }

    async fn try_extend(
        &self,
        caller: &Caller,
        id: GrantId,
        more: Span,
        reason: Option<&Reason>,
    ) -> Result<AccessRequest, AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        let seen = self.grant_for(caller, &world, id).await?;
        self.still_stands(id)?;
        let grant = &seen.value;
        if grant.holder != caller.person {
            return Err(AppError::NotAllowed { what: "extend somebody else's grant" });
        }
        let end = grant.usable_until(now)?;
        let person = world.people.get(&grant.holder).filter(|p| world.is_active(p.id)).ok_or(AppError::SignedOut)?;
        self.check_open_requests(caller).await?;
        let job = self.asks_in_job(caller, &world, None).await?;
        let (resource, role) = self.grant_parts(&world, grant)?;
        let first =
            self.store.request(grant.request).await?.ok_or_else(|| AppError::missing("request", grant.request))?;
        let justification = reason.cloned().or_else(|| first.value.ask.justification.clone());
        let ask = Ask {
            org: self.org,
            requester: caller.person,
            beneficiary: grant.holder,
            items: vec![grant.item.clone()],
            start: Start::Now,
            duration: more,
            justification,
            ticket: grant.ticket.clone(),
            parent: Some(Parent::Extends { digest: grant.digest, grant: id }),
            nonce: self.nonce(),
            arrival: None,
            package: None,
            job: caller.job.clone(),
        };
        // What counts against the cap is the whole access, from its activation to the new end.
        let since = match &grant.state {
            GrantState::Active { since, .. } => *since,
            other => return Err(AppError::Taken(format!("grant `{id}` is {}", other.name()))),
        };
        let whole = end.plus(more).since(since);
        let facts = AskFacts { duration: whole, ..AskFacts::frozen(&ask, now) }
            .for_task(grant.item.task.as_ref())
            .proven(caller.proof_age(now), &caller.proof);
        let refused = match world.lock_on(person.id, resource.id, role.id, Some(id)) {
            Some(lock) => Some(format!("it is locked (`{}`)", lock.id)),
            None if role.digest()? != grant.item.role_digest => Some(format!("role `{}` was redefined", role.name)),
            None => self.stays_not(&world, person, now).map(|why| why.to_string()),
        };
        let (opening, permit): (Opening, Option<Permit>) =
            match (refused, self.judge(&world, person, &resource, &role, &facts)?) {
                (Some(reason), _) => (Opening::Denied { reason }, None),
                (None, Decision::Deny(denial)) => {
                    let reason = denial.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                    (Opening::Denied { reason }, None)
                }
                (None, Decision::Permit(permit)) => {
                    let terms = permit.terms().clone();
                    let path = permit.basis().path.clone().unwrap_or_default();
                    let at_once = terms.stages.is_empty().then_some(permit);
                    (Opening::Path { terms, path }, at_once)
                }
            };
        let lapses = match &opening {
            // Nobody needs to decide about time that has passed.
            Opening::Path { terms, .. } => now.plus(terms.approval_window).min(end),
            Opening::Covered { .. } | Opening::Denied { .. } => end,
        };
        let mut change = self.change_at(Actor::Person(caller.person), &world, now);
        if let Some(job) = &job {
            change.write(Write::Job(Put::over(job, job.value.clone())));
        }
        let (mut request, opened) =
            AccessRequest::open(self.ambient.id::<RequestId>(), ask, vec![opening], now, lapses)?;
        change.fact(about_request(&request, Some(0)), opened);
        if let Some(permit) = permit {
            request = self.extend_in(&mut change, request, 0, id, permit, now).await?;
        }
        change.write(Write::Request(Put::new(request.clone())));
        let _turn = self.turn_to_wait(caller, &request).await?;
        change.commit(point!("app.extend.commit")).await?;
        Ok(request)
    }

    /// How long an access would be, from its activation, with so much more; none if it is not active any more.
    pub(crate) async fn whole(&self, id: GrantId, more: Span) -> Result<Option<Span>, AppError> {
        Ok(self.store.grant(id).await?.and_then(|seen| match &seen.value.state {
            GrantState::Active { since, end } => Some(end.plus(more).since(*since)),
            GrantState::Scheduled | GrantState::Ending { .. } | GrantState::Closed { .. } => None,
        }))
    }

    /// Moves a grant's end, and with it the ends of its leases, in the change that approved it.
    pub(crate) async fn extend_in(
        &self,
        change: &mut Change<'_>,
        request: AccessRequest,
        index: usize,
        id: GrantId,
        permit: Permit,
        now: Time,
    ) -> Result<AccessRequest, AppError> {
        let seen = self.store.grant(id).await?.ok_or_else(|| AppError::missing("grant", id))?;
        let (request, approved) = request.mint_from(index, id)?;
        let (extended, fact) = seen.value.clone().apply(GrantEvent::Extend(approved, permit), now)?;
        change.fact(about_grant(&extended), fact);
        for lease in self.open_leases(id).await? {
            if matches!(lease.value.state, LeaseState::Intended | LeaseState::Live { .. }) {
                let (moved, fact) = lease.value.clone().follow(&extended, now)?;
                change.fact(about_lease(&moved, Some(&extended)), fact);
                change.write(Write::Lease(Put::over(&lease, moved)));
            }
        }
        change.write(Write::Grant(Put::over(&seen, extended)));
        Ok(request)
    }

    /// Tells the targets of a grant's accounts that the end has moved. A target that cannot be told
    /// enforces the earlier end, which is safe; the record says so.
    /// What is not told now is no reason to say that the extension failed: it is committed.
    pub(crate) async fn extend_targets(&self, id: GrantId) {
        if let Err(error) = self.try_extend_targets(id).await {
            tracing::warn!(grant = %id, %error, "the targets of a grant could not be told its new end");
        }
    }

    async fn try_extend_targets(&self, id: GrantId) -> Result<(), AppError> {
        let filter = LeaseFilter { grant: Some(id), phases: vec![LeasePhase::Live], ..LeaseFilter::default() };
        for lease in self.store.leases(filter, Slice::first(1000)).await?.items {
            if !matches!(lease.value.what, LeaseKind::Account | LeaseKind::Membership) {
                continue;
            }
            let handle = self.target(lease.value.resource).await?;
            let (effects, target) = (handle.kind.effects(), handle.target(self.now()));
            let told = tokio::time::timeout(
                LONGEST_EXTEND,
                around(point!("app.extend.target"), effects.extend(&target, &lease.value)),
            )
            .await;
            let told = told.map_err(|_| "it took longer than 30 s".to_owned());
            if let Err(met) = told.and_then(|told| told.map_err(|e| e.to_string())) {
                let mut change = self.change(Actor::System, self.now());
                let detail = serde_json::json!({ "lease": lease.value.id, "met": met });
                change.note("lease.extend_failed", Outcome::Failed, about_lease(&lease.value, None), detail);
                change.commit(point!("app.extend_target.commit")).await?;
            }
        }
        Ok(())
    }
}
