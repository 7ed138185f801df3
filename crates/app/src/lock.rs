//! Locks: end what they cover, refuse anything new until lifted.

use wane_audit::{Actor, Subjects};
use wane_domain::closure::EndCause;
use wane_domain::id::{GrantId, LockId};
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::text::Reason;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{GrantFilter, Put, Seen, Write};

use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, decide};

/// A lock to be imposed.
#[derive(Clone, Debug)]
pub struct LockInput {
    /// What it covers.
    pub target: LockTarget,
    /// Why.
    pub reason: Reason,
}

impl App {
    /// Imposes a lock and ends everything it covers. Returns the lock and the grants it ended.
    ///
    /// The lock itself is one commit, so nothing new begins from then on; if the process dies before
    /// all ends are said, the pass that judges live grants again says the rest.
    ///
    /// # Errors
    /// When policy does not let the caller, or the store cannot be written.
    pub async fn impose_lock(&self, caller: &Caller, input: &LockInput) -> Result<(Lock, Vec<GrantId>), AppError> {
        let lock = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::Lock)?;
            self.check_target(&world, input.target).await?;
            let now = self.now();
            let (lock, fact) = Lock::impose(self.ambient.id(), input.target, input.reason.clone(), caller.person, now);
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.fact(about(input.target), fact);
            change.write(Write::Lock(Put::new(lock.clone())));
            match self.in_time(change.commit(point!("app.lock.commit"))).await {
                Err(AppError::Store(_)) => self.lock_from_memory(&lock, about(input.target)),
                done => drop(done?),
            }
            Ok(lock)
        })?;
        let filter = match input.target {
            LockTarget::Person(id) => GrantFilter { holder: Some(id), ..GrantFilter::default() },
            LockTarget::Resource(id) => GrantFilter { resource: Some(id), ..GrantFilter::default() },
            LockTarget::Role(id) => GrantFilter { role: Some(id), ..GrantFilter::default() },
            LockTarget::Grant(id) => {
                let cause = || EndCause::Locked { lock: lock.id.to_string() };
                self.end_each(&Actor::Person(caller.person), &[id], cause).await?;
                return Ok((lock, vec![id]));
            }
        };
        let covered = self.live_or_known(filter).await?;
        self.end_each(&Actor::Person(caller.person), &covered, || EndCause::Locked { lock: lock.id.to_string() })
            .await?;
        Ok((lock, covered))
    }

    async fn check_target(&self, world: &World, target: LockTarget) -> Result<(), AppError> {
        let (there, what, id) = match target {
            LockTarget::Person(id) => (world.people.contains_key(&id), "person", id.to_string()),
            LockTarget::Resource(id) => (world.resources.contains_key(&id), "resource", id.to_string()),
            LockTarget::Role(id) => (world.roles.contains_key(&id), "role", id.to_string()),
            LockTarget::Grant(id) => (self.store.grant(id).await?.is_some(), "grant", id.to_string()),
        };
        if there { Ok(()) } else { Err(AppError::missing(what, id)) }
    }

    /// Lifts a lock. What it ended stays ended.
    ///
    /// # Errors
    /// When there is no such lock or policy does not let the caller.
    pub async fn lift_lock(&self, caller: &Caller, id: LockId) -> Result<Lock, AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::Lock)?;
            let now = self.now();
            let lock = world.locks.get(&id).cloned().ok_or_else(|| AppError::missing("lock", id))?;
            let target = lock.target;
            let (lifted, fact) = lock.lift(caller.person, now)?;
            let seen = self.store.seen(&id.to_string()).await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.fact(about(target), fact);
            change.write(Write::Lock(Put { value: lifted.clone(), seen }));
            change.commit(point!("app.unlock.commit")).await?;
            Ok(lifted)
        })
    }

    /// The locks that hold.
    ///
    /// # Errors
    /// When policy does not let the caller see them.
    pub async fn locks(&self, caller: &Caller) -> Result<Vec<Lock>, AppError> {
        let world = self.world().await?;
        if !self.allows(caller, &world, Action::ReadAccess)? {
            self.allow(caller, &world, Action::Lock)?;
        }
        let mut locks: Vec<Lock> = world.locks.values().cloned().collect();
        locks.sort_by_key(|l| l.id);
        Ok(locks)
    }

    /// The generation a change of this id rests on; nothing if it is new.
    pub(crate) async fn seen(&self, id: impl ToString) -> Result<Seen, AppError> {
        Ok(self.store.seen(&id.to_string()).await?)
    }
}

fn about(target: LockTarget) -> Subjects {
    match target {
        LockTarget::Person(id) => Subjects { person: Some(id), ..Subjects::default() },
        LockTarget::Resource(id) => Subjects { resource: Some(id), ..Subjects::default() },
        LockTarget::Grant(id) => Subjects { grant: Some(id), ..Subjects::default() },
        LockTarget::Role(_) => Subjects::default(),
    }
}
