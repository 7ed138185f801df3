//! Ending from memory: said at once, done at the target, kept in the journal, booked later.

use wane_audit::{Actor, Subjects};
use wane_domain::closure::EndCause;
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::lease::{Lease, LeaseState};
use wane_domain::lock::Lock;
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_store::{GrantFilter, Versioned};

use super::entry::{Entry, What};
use super::known::READ;
use crate::App;
use crate::change::{about_grant, about_lease};
use crate::end::{Tried, TryEnd};
use crate::error::AppError;
use crate::sessions::in_words;

/// How often somebody looks again whether what is being made is made, before an end counts.
const AGAIN: Span = Span::from_secs(1);

impl App {
    /// Ends a grant of which the store cannot be told. `why` is what the store said.
    pub(crate) async fn end_from_memory(
        &self,
        actor: Actor,
        id: GrantId,
        cause: EndCause,
        why: String,
    ) -> Result<Grant, AppError> {
        let now = self.now();
        let Some(seen) = self.grant_in_time(id).await else {
            // Not even read: what is known of it is what was made for it.
            let accounts = self.storeless.agenda.of(id);
            let Some(account) = accounts.first() else { return Err(AppError::Store(why)) };
            let due = accounts.iter().all(|account| account.end <= now);
            if matches!(cause, EndCause::Expired) && !due {
                return Err(AppError::Store(why));
            }
            let about = Subjects { lease: None, ..about_lease(account, None) };
            self.say_from_memory(actor, id, cause, about, now);
            return Err(AppError::EndedUnread);
        };
        let Some(seen) = seen else { return Err(AppError::missing("grant", id)) };
        if !seen.value.is_live() {
            return Ok(seen.value);
        }
        let about = about_grant(&seen.value);
        let (ended, _) = seen.value.apply(GrantEvent::End(cause.clone()), now)?;
        self.say_from_memory(actor, id, cause, about, now);
        Ok(ended)
    }

    fn say_from_memory(&self, actor: Actor, grant: GrantId, cause: EndCause, about: Subjects, at: Time) {
        tracing::warn!(%grant, cause = cause.name(), "a grant is ended from memory; it is not in the log yet");
        self.sessions.tell_over(grant, &in_words(&cause));
        let what = What::Said { grant, cause };
        self.storeless.spool.add(Entry { id: self.ambient.id(), at, actor, about, what }, None);
    }

    /// Imposes a lock of which the store cannot be told: it holds in memory, and once booked in the store.
    pub(crate) fn lock_from_memory(&self, lock: &Lock, about: Subjects) {
        tracing::warn!(lock = %lock.id, "a lock holds from memory; it is not in the log yet");
        let (at, actor, what) = (lock.at, Actor::Person(lock.by), What::Locked { lock: lock.clone() });
        self.storeless.spool.add(Entry { id: self.ambient.id(), at, actor, about, what }, None);
    }

    /// The world with the locks that hold from memory.
    pub(crate) fn with_locks(&self, world: std::sync::Arc<World>) -> std::sync::Arc<World> {
        let locks = self.storeless.spool.locks();
        if locks.is_empty() {
            return world;
        }
        let mut world = World::clone(&world);
        locks.into_iter().for_each(|lock| world.locks.put(lock));
        std::sync::Arc::new(world)
    }

    /// A grant as it is, although the store may not know yet.
    #[must_use]
    pub fn as_it_is(&self, grant: Grant) -> Grant {
        let Some(said) = self.storeless.spool.said(grant.id) else { return grant };
        let What::Said { cause, .. } = said.entry.what else { return grant };
        if !grant.is_live() {
            return grant;
        }
        match grant.clone().apply(GrantEvent::End(cause), said.entry.at) {
            Ok((ended, _)) => ended,
            Err(_) => grant,
        }
    }

    /// Whether a grant was ended and the store does not know yet.
    #[must_use]
    pub fn is_ended_from_memory(&self, grant: GrantId) -> bool {
        self.storeless.spool.is_said(grant)
    }

    /// Refuses what a grant that was ended from memory would begin or prolong.
    pub(crate) fn still_stands(&self, grant: GrantId) -> Result<(), AppError> {
        if self.storeless.spool.is_said(grant) {
            return Err(AppError::Taken(format!("grant `{grant}` was ended; that is not in the log yet")));
        }
        Ok(())
    }

    /// Ends what is over by now, from memory, while the store cannot be used.
    pub async fn expire_from_memory(&self) {
        if !self.is_storeless() {
            return;
        }
        for lease in self.storeless.agenda.due(self.now()) {
            let live = matches!(lease.state, LeaseState::Intended | LeaseState::Live { .. });
            if live && !self.storeless.spool.is_said(lease.grant) {
                match self.end_from_memory(Actor::System, lease.grant, EndCause::Expired, String::new()).await {
                    Ok(_) | Err(AppError::EndedUnread) => {}
                    // It has more time than memory knew, or is over: then there is nothing to end.
                    Err(error) => tracing::debug!(grant = %lease.grant, %error, "nothing was ended from memory"),
                }
            }
        }
    }

    /// What is to be ended at its target although the store cannot be told: everything under the grants
    /// that were ended so, and what was being ended when the store failed.
    pub async fn owed_storeless(&self) -> Vec<Lease> {
        let spool = &self.storeless.spool;
        let mut owed = Vec::new();
        for grant in spool.unsettled() {
            let open = self.open_in_time(grant).await;
            if open.iter().all(|lease| spool.is_cut(lease.id)) {
                spool.settled(grant);
            }
            owed.extend(open);
        }
        if self.is_storeless() {
            owed.extend(self.storeless.agenda.those(|lease| matches!(lease.state, LeaseState::Revoking { .. })));
        }
        owed.retain(|lease| self.is_owed_storeless(lease));
        owed.sort_by_key(|lease| (lease.end, lease.id));
        owed.dedup_by_key(|lease| lease.id);
        owed
    }

    /// Whether a lease is to be ended without the store, still: what was booked meanwhile is the engine's.
    fn is_owed_storeless(&self, lease: &Lease) -> bool {
        let spool = &self.storeless.spool;
        let failed_while_ending = self.is_storeless() && matches!(lease.state, LeaseState::Revoking { .. });
        !spool.is_cut(lease.id) && (failed_while_ending || spool.is_said(lease.grant))
    }

    /// Ends a lease at its target and reads that back, whatever the store knows.
    pub async fn end_at_target(&self, lease: &Lease) -> TryEnd {
        if !self.is_owed_storeless(lease) {
            return TryEnd::Gone;
        }
        let under_way = self.making.has(lease.id);
        match self.touch_target(lease).await {
            Tried::Proven(_) if under_way => TryEnd::Open,
            Tried::Proven(basis) => {
                if self.is_owed_storeless(lease) {
                    self.cut_from_memory(lease, basis);
                }
                TryEnd::Gone
            }
            Tried::Not { met, .. } => {
                tracing::warn!(lease = %lease.id, %met, "an end from memory is not done; it is tried again");
                TryEnd::Open
            }
            Tried::Unreachable { met } => {
                tracing::warn!(lease = %lease.id, %met, "an end from memory cannot reach its target; it is tried again");
                TryEnd::Unreachable
            }
        }
    }

    /// Remembers that an end was established which could not be booked.
    pub(crate) fn cut_from_memory(&self, lease: &Lease, basis: wane_domain::closure::ClosureBasis) {
        tracing::warn!(lease = %lease.id, artifact = %lease.artifact, basis = basis.word(), "ended at its target from memory; it is not in the log yet");
        let what = What::Cut { lease: lease.id, artifact: lease.artifact.clone(), basis };
        let (id, at, about) = (self.ambient.id(), self.now(), about_lease(lease, None));
        self.storeless.spool.add(Entry { id, at, actor: Actor::System, about, what }, None);
    }

    /// What a try to end came to that could not be booked: remembered, so that the target is not asked
    /// again and again for the sake of a store that cannot take the answer.
    pub(crate) fn unbookable(&self, lease: &Lease, tried: Tried) -> TryEnd {
        let now = self.now();
        let mut tries = self.storeless.tries();
        let (attempts, next) = tries.entry(lease.id).or_insert((0, now));
        *attempts = attempts.saturating_add(1);
        let wait = 1u64.checked_shl((*attempts).min(20)).unwrap_or(u64::MAX);
        *next = now.plus(Span::from_secs(wait).min(self.limits.retry_cap).max(AGAIN));
        drop(tries);
        match tried {
            Tried::Proven(basis) => {
                self.cut_from_memory(lease, basis);
                TryEnd::Gone
            }
            Tried::Not { .. } => TryEnd::Open,
            Tried::Unreachable { .. } => TryEnd::Unreachable,
        }
    }

    /// Whether an end need not be tried now, because what came of the last try is waiting to be booked.
    pub(crate) fn waits_for_store(&self, lease: LeaseId) -> Option<TryEnd> {
        let mut tries = self.storeless.tries();
        if !self.is_storeless() {
            tries.clear();
            return None;
        }
        if self.storeless.spool.is_cut(lease) {
            return Some(TryEnd::Gone);
        }
        let (_, next) = tries.get(&lease)?;
        (*next > self.now()).then_some(TryEnd::Open)
    }

    /// What memory knows of a grant that the store cannot be asked for: an account under it.
    pub(crate) fn known_of(&self, grant: GrantId, why: String) -> Result<Lease, AppError> {
        self.storeless.agenda.of(grant).into_iter().next().ok_or(AppError::Store(why))
    }

    /// The ids of all live grants that match; of those memory knows, if the store cannot be asked.
    pub(crate) async fn live_or_known(&self, filter: GrantFilter) -> Result<Vec<GrantId>, AppError> {
        let why = match tokio::time::timeout(READ, self.live_grants(filter.clone())).await {
            Ok(Err(AppError::Store(why))) => why,
            Ok(done) => return done,
            Err(_) => "it cannot be read in time".to_owned(),
        };
        self.store_failed(&why);
        let matches = |lease: &Lease| {
            filter.holder.is_none_or(|id| id == lease.holder)
                && filter.resource.is_none_or(|id| id == lease.resource)
                && filter.role.is_none_or(|id| id == lease.role)
        };
        let mut grants: Vec<GrantId> = self.storeless.agenda.those(matches).iter().map(|l| l.grant).collect();
        grants.sort_unstable();
        grants.dedup();
        Ok(grants)
    }

    /// A grant, if the store can be read in time.
    async fn grant_in_time(&self, id: GrantId) -> Option<Option<Versioned<Grant>>> {
        tokio::time::timeout(READ, self.store.grant(id)).await.ok()?.ok()
    }

    /// The open leases of a grant: as the store has them, or else as memory does.
    async fn open_in_time(&self, grant: GrantId) -> Vec<Lease> {
        match tokio::time::timeout(READ, self.open_leases(grant)).await {
            Ok(Ok(leases)) => leases.into_iter().map(|lease| lease.value).collect(),
            Ok(Err(_)) | Err(_) => self.storeless.agenda.of(grant),
        }
    }
}

impl super::Storeless {
    fn tries(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<LeaseId, (u32, Time)>> {
        self.tries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
