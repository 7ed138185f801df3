//! The end: one road for expiry, return, revoke, denial after approval, lock, lost eligibility.
//!
//! Ending a grant is two things. First it is *said*, in one commit: nothing new is handed out from
//! then on, and each artifact is an open debt. Then each artifact is *done*: ended at its target and
//! read back, tried again for ever, until its absence is established. Nothing here asks policy or
//! needs the issuing seal: doubt never keeps an access alive.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use wane_audit::Actor;
use wane_connector::{ConnectError, EndOutcome, Presence};
use wane_domain::closure::{ClosureBasis, EndCause};
use wane_domain::grant::{Grant, GrantEvent, GrantState};
use wane_domain::id::{GrantId, LeaseId, PersonId, ResourceId, RoleId};
use wane_domain::lease::{Lease, LeaseData, LeaseEvent, LeaseKind, LeaseState};
use wane_domain::request::Approval;
use wane_domain::text::Reason;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around, point};
use wane_policy::schema::Action;
use wane_store::{GrantFilter, GrantPhase, Put, Slice, Versioned, Write, whole};

use crate::caller::Caller;
use crate::change::{Change, about_grant, about_lease};
use crate::error::AppError;
use crate::{App, decide};

/// A kind bounds its own calls; this bounds the kind.
pub(crate) const LONGEST_END: Duration = Duration::from_secs(60);

/// How many ends of one call are said at once: they share the store's commits.
const ENDS_SAID_AT_ONCE: usize = 64;

/// How long an intent may stand before it counts as abandoned.
const INTENT_LIFE: Span = Span::from_secs(90);

/// What one try to end a lease came to, for whoever schedules the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryEnd {
    /// Its end was established.
    Gone,
    /// It is still open; the target answered.
    Open,
    /// It is still open; the target could not be worked with, so others there need not be tried either.
    Unreachable,
}

/// What one try to end a lease met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    Proven(ClosureBasis),
    Not { met: String, quarantined: Option<String>, unrecallable_until: Option<Time> },
    Unreachable { met: String },
}

impl Tried {
    pub(crate) fn not(met: String) -> Self {
        Self::Not { met, quarantined: None, unrecallable_until: None }
    }

    /// What it comes to once it is booked, and the lease gone by that or not.
    pub(crate) fn as_booked(&self, gone: bool) -> TryEnd {
        if gone {
            return TryEnd::Gone;
        }
        match self {
            Self::Unreachable { .. } => TryEnd::Unreachable,
            Self::Proven(_) | Self::Not { .. } => TryEnd::Open,
        }
    }
}

/// Whether a lease is to be ended now.
pub(crate) enum Owing {
    /// No, and how it stands.
    Settled(TryEnd),
    Owed(Box<Owed>),
}

/// A lease that is to be ended at its target.
pub(crate) struct Owed {
    pub(crate) lease: Lease,
    /// Whether it was still being made when that was asked.
    under_way: bool,
}

impl Owed {
    /// What of a try counts: an absence of what was still being made proves nothing.
    pub(crate) fn counts(&self, tried: Tried) -> Tried {
        match tried {
            Tried::Proven(_) if self.under_way => {
                Tried::not("the target says that it is gone, but it was still being made".to_owned())
            }
            tried => tried,
        }
    }
}

impl App {
    /// Says that a grant ends, and why. Ending what has ended changes nothing. While the store cannot be
    /// written it is ended from memory, at its targets all the same, and booked later.
    ///
    /// # Errors
    /// When there is no such grant, or nothing is known of it because the store cannot be read.
    pub async fn end_grant(&self, actor: Actor, id: GrantId, cause: EndCause) -> Result<Grant, AppError> {
        let said = match self.storeless.trouble.state() {
            // It is not asked once more for each end: whoever books tries it again and again.
            Some((_, why)) => Err(AppError::Store(why)),
            None => self.in_time(self.say_end(actor.clone(), id, cause.clone())).await,
        };
        match said {
            Err(AppError::Store(why)) => self.end_from_memory(actor, id, cause, why).await,
            said => said,
        }
    }

    /// Says in the store that a grant ends.
    pub(crate) async fn say_end(&self, actor: Actor, id: GrantId, cause: EndCause) -> Result<Grant, AppError> {
        let grant = decide!(async {
            let now = self.now();
            let seen = self.store.grant(id).await?.ok_or_else(|| AppError::missing("grant", id))?;
            if !seen.value.is_live() {
                return Ok(seen.value);
            }
            let open = self.open_leases(id).await?;
            let mut change = self.change(actor.clone(), now);
            let mut grant = begin_end(&mut change, &seen, &open, &cause)?;
            if open.is_empty() && matches!(grant.state, GrantState::Ending { .. }) {
                grant = close_at_once(&mut change, grant, self.leases_of(id).await?)?;
            }
            change.write(Write::Grant(Put::over(&seen, grant.clone())));
            change.commit(point!("app.end.commit")).await?;
            Ok(grant)
        })?;
        self.nudge();
        Ok(grant)
    }

    /// The holder gives a grant back.
    ///
    /// # Errors
    /// When it is not theirs.
    pub async fn give_back(&self, caller: &Caller, id: GrantId) -> Result<Grant, AppError> {
        let world = self.world().await?;
        let holder = match self.grant_for(caller, &world, id).await {
            Err(AppError::Store(why)) => self.known_of(id, why)?.holder,
            seen => seen?.value.holder,
        };
        if holder != caller.person {
            return Err(AppError::NotAllowed { what: "return somebody else's grant; revoke it instead" });
        }
        self.end_grant(Actor::Person(caller.person), id, EndCause::Returned).await
    }

    /// An approver takes an approval back.
    ///
    /// # Errors
    /// When the caller did not approve it and may not revoke.
    pub async fn deny_granted(&self, caller: &Caller, id: GrantId, reason: &Reason) -> Result<Grant, AppError> {
        let world = self.world().await?;
        let approved = match self.grant_for(caller, &world, id).await {
            // Who approved it is not known without the store; whoever may revoke may do this as well.
            Err(AppError::Store(_)) => false,
            seen => seen?.value.approvals.iter().flat_map(Approval::people).any(|p| p == caller.person),
        };
        if !approved {
            self.allow(caller, &world, Action::Revoke)?;
        }
        let cause = EndCause::DeniedAfterApproval { by: caller.person, reason: reason.as_str().to_owned() };
        self.end_grant(Actor::Person(caller.person), id, cause).await
    }

    /// An operator ends one grant, all of a person, or all on a resource.
    ///
    /// # Errors
    /// When policy does not let the caller, or the store cannot be written.
    pub async fn revoke(&self, caller: &Caller, what: RevokeWhat, reason: &Reason) -> Result<Vec<GrantId>, AppError> {
        let world = self.world().await?;
        let resource = match what {
            RevokeWhat::Grant(id) => match self.grant_for(caller, &world, id).await {
                Err(AppError::Store(why)) => Some(self.known_of(id, why)?.resource),
                seen => Some(seen?.value.item.resource),
            },
            RevokeWhat::Resource(id) => Some(id),
            RevokeWhat::Person(_) | RevokeWhat::Role(_) => None,
        };
        match resource {
            Some(id) if self.allows_on(caller, &world, Action::Revoke, id)? => {}
            Some(_) | None => self.allow(caller, &world, Action::Revoke)?,
        }
        let cause = || EndCause::Revoked { by: caller.person, reason: reason.as_str().to_owned() };
        let grants = match what {
            RevokeWhat::Grant(id) => vec![id],
            RevokeWhat::Person(id) => {
                self.live_or_known(GrantFilter { holder: Some(id), ..GrantFilter::default() }).await?
            }
            RevokeWhat::Resource(id) => {
                self.live_or_known(GrantFilter { resource: Some(id), ..GrantFilter::default() }).await?
            }
            RevokeWhat::Role(id) => {
                self.live_or_known(GrantFilter { role: Some(id), ..GrantFilter::default() }).await?
            }
        };
        self.end_each(&Actor::Person(caller.person), &grants, cause).await?;
        Ok(grants)
    }

    /// Says that several grants end. One that cannot be ended keeps no other from it.
    pub(crate) async fn end_each(
        &self,
        actor: &Actor,
        grants: &[GrantId],
        cause: impl Fn() -> EndCause,
    ) -> Result<(), AppError> {
        let mut failed = None;
        let _ending = self.many.begin(grants);
        for some in grants.chunks(ENDS_SAID_AT_ONCE) {
            // In one commit; whom that leaves out is ended alone.
            let said = self.end_together(actor, some, &cause()).await;
            let alone: Vec<GrantId> = some.iter().filter(|id| !said.contains(id)).copied().collect();
            let mut ends = Vec::with_capacity(alone.len());
            for id in &alone {
                ends.push(self.end_grant(actor.clone(), *id, cause()).boxed());
            }
            for (id, ended) in alone.iter().zip(join_all(ends).await) {
                if let Err(error) = ended
                    && !matches!(error, AppError::EndedUnread)
                {
                    tracing::error!(grant = %id, %error, "a grant could not be ended; the others are");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The ids of all live grants that match.
    pub(crate) async fn live_grants(&self, filter: GrantFilter) -> Result<Vec<GrantId>, AppError> {
        Ok(self.all_live_grants(filter).await?.iter().map(|g| g.id).collect())
    }

    /// All live grants that match.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn all_live_grants(&self, filter: GrantFilter) -> Result<Vec<Grant>, AppError> {
        let filter = GrantFilter { phases: vec![GrantPhase::Scheduled, GrantPhase::Active], ..filter };
        let grants = whole(Slice::first(1000), |slice| self.store.grants(filter.clone(), slice)).await?;
        Ok(grants.into_iter().map(|g| g.value).collect())
    }

    /// Ends a grant whose time is up, or that was never activated in its window.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn end_if_due(&self, id: GrantId) -> Result<(), AppError> {
        let Some(seen) = self.store.grant(id).await? else { return Ok(()) };
        if seen.value.due().is_none_or(|due| due > self.now()) {
            return Ok(());
        }
        let cause = if matches!(seen.value.state, GrantState::Scheduled) {
            EndCause::NeverActivated
        } else {
            EndCause::Expired
        };
        match self.end_grant(Actor::System, id, cause).await {
            // It was activated or extended in between; it is due again later.
            Ok(_) | Err(AppError::Illegal(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tries once to end a lease at its target and to read its absence back.
    ///
    /// # Errors
    /// When the store cannot be used; what the target does is an outcome, not an error.
    pub async fn try_end(&self, id: LeaseId) -> Result<TryEnd, AppError> {
        match self.owed(id).await? {
            Owing::Settled(how) => Ok(how),
            Owing::Owed(owed) => {
                let tried = self.touch_target(&owed.lease).await;
                self.settle_try(&owed, tried).await
            }
        }
    }

    /// Whether a lease is to be ended at its target now.
    pub(crate) async fn owed(&self, id: LeaseId) -> Result<Owing, AppError> {
        let turn = self.turns.acquire().await;
        let seen = self.store.lease(id).await?;
        // Never held while a target is asked: one that hangs takes nobody's turn.
        drop(turn);
        Ok(self.owing(id, seen))
    }

    /// The same of a lease as it was just read.
    pub(crate) fn owing(&self, id: LeaseId, seen: Option<Versioned<Lease>>) -> Owing {
        let Some(seen) = seen else { return Owing::Settled(TryEnd::Gone) };
        if !matches!(seen.value.state, LeaseState::Revoking { .. }) {
            return Owing::Settled(if seen.value.is_open() { TryEnd::Open } else { TryEnd::Gone });
        }
        if let Some(waits) = self.waits_for_store(id) {
            return Owing::Settled(waits);
        }
        // INVARIANT: a making that is under way began before the end did, so asking now is asking in time
        // (held by `an_end_that_overtakes_its_making_proves_nothing`).
        let under_way = self.making.has(id);
        Owing::Owed(Box::new(Owed { lease: seen.value, under_way }))
    }

    /// Books what a try came to.
    pub(crate) async fn settle_try(&self, owed: &Owed, tried: Tried) -> Result<TryEnd, AppError> {
        let tried = owed.counts(tried);
        let booked = async {
            let _turn = self.turns.acquire().await;
            decide!(self.book(owed.lease.id, &tried))
        };
        let gone = match self.in_time(booked).await {
            Err(AppError::Store(_)) => return Ok(self.unbookable(&owed.lease, tried)),
            booked => booked?,
        };
        Ok(tried.as_booked(gone))
    }

    pub(crate) async fn touch_target(&self, lease: &Lease) -> Tried {
        if lease.what == LeaseKind::Session {
            return self.end_session(lease).await;
        }
        if lease.what == LeaseKind::Membership {
            return tokio::time::timeout(LONGEST_END, self.leave_place(lease)).await.unwrap_or_else(|_| too_long());
        }
        let handle = match self.target(lease.resource).await {
            Ok(handle) => handle,
            Err(error) => return Tried::not(error.to_string()),
        };
        let now = self.now();
        let effects = handle.kind.effects();
        let target = handle.target(now);
        let end = around(point!("app.end.target"), effects.end(&target, lease));
        let read_back = around(point!("app.end.read_back"), effects.read_back(&target, lease));
        let work = async {
            match end.await {
                Err(error) => failed(&error),
                Ok(outcome) => match short_of_done(outcome, now) {
                    Some(tried) => tried,
                    None => match read_back.await {
                        Err(error) => failed(&error),
                        Ok(presence) => settle(lease, presence, now),
                    },
                },
            }
        };
        tokio::time::timeout(LONGEST_END, work).await.unwrap_or_else(|_| too_long())
    }

    async fn book(&self, id: LeaseId, tried: &Tried) -> Result<bool, AppError> {
        let now = self.now();
        let Some(seen) = self.store.lease(id).await? else { return Ok(true) };
        if !matches!(seen.value.state, LeaseState::Revoking { .. }) {
            return Ok(!seen.value.is_open());
        }
        let grant = self.store.grant(seen.value.grant).await?;
        let mut change = self.change(Actor::System, now);
        let lease = self.book_try(&mut change, &seen, grant.as_ref(), tried)?;
        let gone = !lease.is_open();
        if let (true, Some(grant)) = (gone, grant) {
            self.close_if_last(&mut change, &grant, lease, now).await?;
        }
        change.commit(point!("app.try_end.commit")).await?;
        Ok(gone)
    }

    /// Puts into a change what a try came to; the lease after it.
    pub(crate) fn book_try(
        &self,
        change: &mut Change<'_>,
        seen: &Versioned<Lease>,
        grant: Option<&Versioned<Grant>>,
        tried: &Tried,
    ) -> Result<Lease, AppError> {
        let now = change.at();
        let tried_at =
            |met: &String, quarantined: &Option<String>, unrecallable_until: &Option<Time>| LeaseEvent::Tried {
                next: now.plus(self.backoff(&seen.value)),
                met: met.clone(),
                quarantined: quarantined.clone(),
                unrecallable_until: *unrecallable_until,
            };
        let event = match tried {
            Tried::Not { met, quarantined, unrecallable_until } => tried_at(met, quarantined, unrecallable_until),
            // What was known before stays known while the target cannot be asked.
            Tried::Unreachable { met } => {
                tried_at(met, &seen.value.debt.quarantined, &seen.value.debt.unrecallable_until)
            }
            Tried::Proven(basis) => LeaseEvent::Proven { basis: basis.clone() },
        };
        let (lease, fact) = seen.value.clone().apply(event, now)?;
        change.fact(about_lease(&lease, grant.map(|g| &g.value)), fact);
        change.write(Write::Lease(Put::over(seen, lease.clone())));
        Ok(lease)
    }

    /// Closes a grant in the change that proved its last lease gone.
    pub(crate) async fn close_if_last(
        &self,
        change: &mut Change<'_>,
        seen: &Versioned<Grant>,
        gone: Lease,
        now: Time,
    ) -> Result<(), AppError> {
        let leases = self.leases_of(seen.value.id).await?;
        close_over(change, seen, gone, leases, now)
    }

    /// Capped exponential: 1, 2, 4 … seconds.
    fn backoff(&self, lease: &Lease) -> Span {
        Span::from_secs(1u64.checked_shl(lease.debt.attempts.min(20)).unwrap_or(u64::MAX)).min(self.limits.retry_cap)
    }

    /// Ends an intent that nobody finished: the process that wrote it died, or was too slow. What this
    /// process is making right now is left alone, so that the sweep may be repeated at any time.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn sweep_intent(&self, id: LeaseId, at_start: bool) -> Result<(), AppError> {
        decide!(async {
            let now = self.now();
            let Some(seen) = self.store.lease(id).await? else { return Ok(()) };
            let old = at_start || now >= seen.value.at.plus(INTENT_LIFE);
            if !matches!(seen.value.state, LeaseState::Intended) || !old || self.making.has(id) {
                return Ok(());
            }
            // Of one that nobody carries there is nothing to be ended, and a close to be told.
            if seen.value.what == LeaseKind::Session && !self.sessions.has(id) {
                return self.settle_lost_session(&seen.value).await;
            }
            let grant = self.store.grant(seen.value.grant).await?;
            let mut change = self.change(Actor::System, now);
            let (lease, fact) = seen.value.clone().apply(LeaseEvent::End, now)?;
            change.fact(about_lease(&lease, grant.as_ref().map(|g| &g.value)), fact);
            change.write(Write::Lease(Put::over(&seen, lease)));
            change.commit(point!("app.sweep.commit")).await.map(|_| self.nudge())
        })
    }

    /// Looks whether a target accepts a credential that was only signed: what its later refusal is compared with.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn confirm(&self, id: LeaseId) -> Result<bool, AppError> {
        let Some(seen) = self.store.lease(id).await? else { return Ok(false) };
        let open = matches!(seen.value.state, LeaseState::Live { .. });
        if !open || seen.value.what != LeaseKind::Credential || seen.value.confirmed.is_some() {
            return Ok(false);
        }
        let handle = self.target(seen.value.resource).await?;
        let target = handle.target(self.now());
        let effects = handle.kind.effects();
        let present = around(point!("app.confirm.read_back"), effects.read_back(&target, &seen.value)).await;
        if !matches!(present, Ok(Presence::Present { .. })) {
            return Ok(false);
        }
        decide!(async {
            let Some(seen) = self.store.lease(id).await? else { return Ok(false) };
            if !matches!(seen.value.state, LeaseState::Live { .. } | LeaseState::Revoking { .. }) {
                return Ok(false);
            }
            let grant = self.store.grant(seen.value.grant).await?;
            let mut change = self.change(Actor::System, self.now());
            let (lease, fact) = seen.value.clone().apply(LeaseEvent::Confirmed, self.now())?;
            change.fact(about_lease(&lease, grant.as_ref().map(|g| &g.value)), fact);
            change.write(Write::Lease(Put::over(&seen, lease)));
            change.commit(point!("app.confirm.commit")).await.map(|_| true)
        })
    }
}

/// Puts into a change that a grant ends, and that what is open under it does; the grant after it.
pub(crate) fn begin_end(
    change: &mut Change<'_>,
    seen: &Versioned<Grant>,
    open: &[Versioned<Lease>],
    cause: &EndCause,
) -> Result<Grant, AppError> {
    let now = change.at();
    let (grant, fact) = seen.value.clone().apply(GrantEvent::End(cause.clone()), now)?;
    change.fact(about_grant(&grant), fact);
    for lease in open {
        if matches!(lease.value.state, LeaseState::Intended | LeaseState::Live { .. }) {
            let (ending, fact) = lease.value.clone().apply(LeaseEvent::End, now)?;
            change.fact(about_lease(&ending, Some(&grant)), fact);
            change.write(Write::Lease(Put::over(lease, ending)));
        }
    }
    Ok(grant)
}

/// Closes a grant that has just begun to end with nothing open under it: these are all its leases.
pub(crate) fn close_at_once(change: &mut Change<'_>, grant: Grant, leases: Vec<Lease>) -> Result<Grant, AppError> {
    // One was begun since the grant was read; beginning it wrote the grant, so look again.
    if leases.iter().any(Lease::is_open) {
        return Err(AppError::Contended);
    }
    let (closed, fact) = grant.apply(GrantEvent::Close(leases), change.at())?;
    change.fact(about_grant(&closed), fact);
    Ok(closed)
}

/// Closes a grant in the change that proved one of its leases gone, if that was the last of them.
pub(crate) fn close_over(
    change: &mut Change<'_>,
    seen: &Versioned<Grant>,
    gone: Lease,
    mut leases: Vec<Lease>,
    now: Time,
) -> Result<(), AppError> {
    for lease in &mut leases {
        if lease.id == gone.id {
            *lease = gone.clone();
        }
    }
    let last = leases.iter().all(|l| !l.is_open()) && matches!(seen.value.state, GrantState::Ending { .. });
    let grant = if last {
        let (closed, fact) = seen.value.clone().apply(GrantEvent::Close(leases), now)?;
        change.fact(about_grant(&closed), fact);
        closed
    } else {
        seen.value.clone()
    };
    // Written even if unchanged: of two last leases proven at once, one conflicts and looks again.
    change.write(Write::Grant(Put::over(seen, grant)));
    Ok(())
}

/// What an operator ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeWhat {
    /// One grant.
    Grant(GrantId),
    /// Everything a person holds.
    Person(PersonId),
    /// Every grant on a resource.
    Resource(ResourceId),
    /// Every grant of a role.
    Role(RoleId),
}

/// What a failed call to a target means for the others there.
pub(crate) fn failed(error: &ConnectError) -> Tried {
    let met = error.to_string();
    match error {
        ConnectError::Unreachable { .. } | ConnectError::Trust { .. } => Tried::Unreachable { met },
        ConnectError::Refused { .. } | ConnectError::Input(_) | ConnectError::Over(_) | ConnectError::Sign(_) => {
            Tried::not(met)
        }
    }
}

pub(crate) fn too_long() -> Tried {
    Tried::Unreachable { met: "the target took longer than 60 s".to_owned() }
}

/// What an end came to that does not say it was done; what does is read back.
pub(crate) fn short_of_done(outcome: EndOutcome, now: Time) -> Option<Tried> {
    match outcome {
        EndOutcome::Done => None,
        EndOutcome::Retry { why } => Some(Tried::not(why)),
        EndOutcome::Quarantined { why } => {
            Some(Tried::Not { met: why.clone(), quarantined: Some(why), unrecallable_until: None })
        }
        EndOutcome::Unrecallable { until, .. } if now >= until => {
            Some(Tried::Proven(ClosureBasis::Unrecallable { until }))
        }
        EndOutcome::Unrecallable { until, why } => {
            Some(Tried::Not { met: why, quarantined: None, unrecallable_until: Some(until) })
        }
    }
}

/// What a read-back establishes.
pub(crate) fn settle(lease: &LeaseData, presence: Presence, now: Time) -> Tried {
    match presence {
        Presence::Present { seen } => Tried::not(format!("read back: still there: {seen}")),
        Presence::Absent { proof } => Tried::Proven(ClosureBasis::AbsentReadBack { proof }),
        Presence::LoginRefused { proof } if lease.confirmed.is_some() => {
            Tried::Proven(ClosureBasis::LoginRefusedReadBack { proof })
        }
        // A refusal of what was never seen accepted proves nothing; its own end does.
        Presence::LoginRefused { .. } => match lease.debt.unrecallable_until {
            Some(until) if now >= until => Tried::Proven(ClosureBasis::Unrecallable { until }),
            until => Tried::Not {
                met: "refused, but it was never seen accepted, so the refusal proves nothing".to_owned(),
                quarantined: None,
                unrecallable_until: until,
            },
        },
    }
}

#[cfg(test)]
mod tests;
