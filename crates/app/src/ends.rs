//! Many ends in one commit: saying them, and booking what the tries to do them came to.
//!
//! Owns: that each is written as it would be alone, with records of its own, read for all with a few questions
//! instead of a few for each. Whoever does not fit in (it is not as it was read, it is not live, another of
//! its grant is in) is left to be said or booked alone, and so is everybody if the commit is refused: one
//! that changed meanwhile spoils no other's end (held by `one_that_changed_meanwhile_spoils_no_others_end`).
//! Refuses to know: when, why, and what a target does.

use std::collections::{BTreeSet, HashMap};

use wane_audit::Actor;
use wane_domain::closure::EndCause;
use wane_domain::grant::{Grant, GrantState};
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::lease::{Lease, LeaseState};
use wane_domain::time::Time;
use wane_failpoint::point;
use wane_store::{GrantFilter, LeaseFilter, LeasePhase, Put, Slice, Versioned, Write};

use crate::App;
use crate::change::Change;
use crate::end::{Owed, Owing, Tried, TryEnd, begin_end, close_at_once, close_over};
use crate::error::AppError;

/// As many as a page of the store may hold.
const PAGE: u32 = 1_000;

/// Leases by the grant they hang under.
type ByGrant<T> = HashMap<GrantId, Vec<T>>;

impl App {
    /// Says of several grants that they end, in one commit; those of which it was said.
    pub(crate) async fn end_together(&self, actor: &Actor, ids: &[GrantId], cause: &EndCause) -> BTreeSet<GrantId> {
        if ids.len() < 2 || self.is_storeless() {
            return BTreeSet::new();
        }
        match self.in_time(self.say_ends(actor, ids, cause)).await {
            Ok(said) => {
                self.nudge();
                said
            }
            Err(error) => {
                tracing::debug!(%error, grants = ids.len(), "ends could not be said together; each is said alone");
                BTreeSet::new()
            }
        }
    }

    async fn say_ends(&self, actor: &Actor, ids: &[GrantId], cause: &EndCause) -> Result<BTreeSet<GrantId>, AppError> {
        let now = self.now();
        let grants = self.grants_of(ids).await?;
        let mut change = self.change(actor.clone(), now);
        let said = self.ends_in(&mut change, &grants, cause).await?;
        if !said.is_empty() {
            change.commit(point!("app.ends.commit")).await?;
        }
        Ok(said)
    }

    /// Puts into a change that those of these grants end that live; which they are.
    pub(crate) async fn ends_in(
        &self,
        change: &mut Change<'_>,
        grants: &HashMap<GrantId, Versioned<Grant>>,
        cause: &EndCause,
    ) -> Result<BTreeSet<GrantId>, AppError> {
        if grants.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ids: Vec<GrantId> = grants.keys().copied().collect();
        let mut open = self.open_of(&ids).await?;
        let bare: Vec<GrantId> = grants.keys().filter(|id| !open.contains_key(id)).copied().collect();
        let mut ended = by_grant(self.under(&bare).await?, |lease| lease.value);
        let mut said = BTreeSet::new();
        for (id, seen) in grants.iter().filter(|(_, seen)| seen.value.is_live()) {
            let open = open.remove(id).unwrap_or_default();
            let mut grant = begin_end(change, seen, &open, &unless_expired(&seen.value, cause, change.at()))?;
            if open.is_empty() && matches!(grant.state, GrantState::Ending { .. }) {
                grant = close_at_once(change, grant, ended.remove(id).unwrap_or_default())?;
            }
            change.write(Write::Grant(Put::over(seen, grant)));
            said.insert(*id);
        }
        Ok(said)
    }

    /// Of each of several leases, whether it is to be ended at its target now.
    pub(crate) async fn all_owed(&self, ids: &[LeaseId]) -> Result<Vec<(LeaseId, Owing)>, AppError> {
        let turn = self.turns.acquire().await;
        let mut leases = self.leases_by_id(ids).await?;
        drop(turn);
        Ok(ids.iter().map(|id| (*id, self.owing(*id, leases.remove(id)))).collect())
    }

    /// Books in one commit what tries came to. Those that could not be booked so are to be booked alone.
    pub(crate) async fn settle_together(
        &self,
        tried: Vec<(Owed, Tried)>,
    ) -> (Vec<(LeaseId, TryEnd)>, Vec<(Owed, Tried)>) {
        if tried.len() < 2 || self.is_storeless() {
            return (Vec::new(), tried);
        }
        let tried: Vec<(Owed, Tried)> = tried
            .into_iter()
            .map(|(owed, tried)| {
                let counts = owed.counts(tried);
                (owed, counts)
            })
            .collect();
        let booking = async {
            let _turn = self.turns.acquire().await;
            self.book_together(&tried).await
        };
        match self.in_time(booking).await {
            Ok(booked) => {
                let alone = tried.into_iter().filter(|(owed, _)| !booked.contains_key(&owed.lease.id)).collect();
                (booked.into_iter().collect(), alone)
            }
            Err(error) => {
                tracing::debug!(%error, ends = tried.len(), "ends could not be booked together; each is booked alone");
                (Vec::new(), tried)
            }
        }
    }

    async fn book_together(&self, tried: &[(Owed, Tried)]) -> Result<HashMap<LeaseId, TryEnd>, AppError> {
        let now = self.now();
        let ids: Vec<LeaseId> = tried.iter().map(|(owed, _)| owed.lease.id).collect();
        let leases = self.leases_by_id(&ids).await?;
        let mut of: Vec<GrantId> = leases.values().map(|seen| seen.value.grant).collect();
        of.sort_unstable();
        of.dedup();
        let mut grants = self.grants_of(&of).await?;
        let mut under = by_grant(self.under(&of).await?, |lease| lease.value);
        let mut change = self.change(Actor::System, now);
        let mut booked = HashMap::new();
        for (owed, tried) in tried {
            let Some(seen) = leases.get(&owed.lease.id) else { continue };
            // What was read of a grant is true for one of its leases only: that one changes it.
            let Some(grant) = grants.remove(&seen.value.grant) else { continue };
            if !matches!(seen.value.state, LeaseState::Revoking { .. }) {
                continue;
            }
            let lease = self.book_try(&mut change, seen, Some(&grant), tried)?;
            booked.insert(lease.id, tried.as_booked(!lease.is_open()));
            if !lease.is_open() {
                close_over(&mut change, &grant, lease, under.remove(&grant.value.id).unwrap_or_default(), now)?;
            }
        }
        if !booked.is_empty() {
            change.commit(point!("app.try_ends.commit")).await?;
        }
        Ok(booked)
    }

    async fn grants_of(&self, ids: &[GrantId]) -> Result<HashMap<GrantId, Versioned<Grant>>, AppError> {
        let mut out = HashMap::with_capacity(ids.len());
        for some in ids.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
            let filter = GrantFilter { ids: some.to_vec(), ..GrantFilter::default() };
            let page = self.store.grants(filter, Slice::first(PAGE)).await?;
            out.extend(page.items.into_iter().map(|seen| (seen.value.id, seen)));
        }
        Ok(out)
    }

    async fn open_of(&self, grants: &[GrantId]) -> Result<ByGrant<Versioned<Lease>>, AppError> {
        let phases = vec![LeasePhase::Intended, LeasePhase::Live, LeasePhase::Revoking];
        let filter = LeaseFilter { grants: grants.to_vec(), phases, ..LeaseFilter::default() };
        Ok(by_grant(self.all_leases(filter).await?, |lease| lease))
    }

    /// All leases under these grants.
    async fn under(&self, grants: &[GrantId]) -> Result<Vec<Versioned<Lease>>, AppError> {
        // Of an empty list the store would make all there are.
        if grants.is_empty() {
            return Ok(Vec::new());
        }
        self.all_leases(LeaseFilter { grants: grants.to_vec(), ..LeaseFilter::default() }).await
    }

    async fn leases_by_id(&self, ids: &[LeaseId]) -> Result<HashMap<LeaseId, Versioned<Lease>>, AppError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let filter = LeaseFilter { ids: ids.to_vec(), ..LeaseFilter::default() };
        Ok(self.all_leases(filter).await?.into_iter().map(|seen| (seen.value.id, seen)).collect())
    }
}

/// What has run out by then has expired, whatever its holder no longer has: somebody whose time is over loses both in
/// the same instant.
fn unless_expired(grant: &Grant, cause: &EndCause, now: Time) -> EndCause {
    match (cause, &grant.state) {
        (EndCause::LostEligibility { .. }, GrantState::Active { end, .. }) if *end <= now => EndCause::Expired,
        _ => cause.clone(),
    }
}

fn by_grant<T>(leases: Vec<Versioned<Lease>>, keep: impl Fn(Versioned<Lease>) -> T) -> ByGrant<T> {
    let mut out = ByGrant::new();
    for lease in leases {
        out.entry(lease.value.grant).or_default().push(keep(lease));
    }
    out
}
