//! Places in groups at a target: what several grants may give at once, and somebody may have had before.
//!
//! Owns: the union. A membership carries no mark and has no owner, so who else gives it is read from the
//! leases, and whether it was there before is read from the target *before* the lease is written down. It is
//! taken only when nobody else gives it and it was not there before. Refuses to know: what a group is.
//!
//! INVARIANT: between that reading and what rests on it, nothing of Wane changes the same place: each place
//! has a turn, which is held from looking to having read back (held by
//! `what_several_grants_give_goes_with_the_last` and `two_ends_and_a_beginning_at_once_leave_what_is_given`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use wane_audit::Actor;
use wane_connector::{ConnectError, Prepared, Presence};
use wane_domain::closure::{ClosureBasis, EndCause};
use wane_domain::grant::Grant;
use wane_domain::id::{GrantId, ResourceId};
use wane_domain::lease::{Lease, LeaseData, LeaseEvent, LeaseKind, LeaseState};
use wane_failpoint::{around, point};
use wane_store::{LeaseFilter, LeasePhase};

use crate::App;
use crate::caller::Caller;
use crate::credential::{HandedOut, Say};
use crate::end::{Tried, failed, settle, short_of_done};
use crate::error::AppError;
use crate::targets::TargetHandle;

/// Turns at single places. One that nobody waits for is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<Place, Arc<tokio::sync::Mutex<()>>>>);

type Place = (ResourceId, String);

impl Places {
    async fn turn(&self, resource: ResourceId, object: &str) -> OwnedMutexGuard<()> {
        let place = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            places.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(places.entry((resource, object.to_owned())).or_default())
        };
        place.lock_owned().await
    }
}

impl App {
    /// Gives the holder of a grant their place in a group: looks, writes down, makes, reads back.
    pub(crate) async fn give_place(
        &self,
        caller: &Caller,
        grant: &Grant,
        handle: &TargetHandle,
        say: &Say<'_>,
    ) -> Result<HandedOut, AppError> {
        // Which turn to wait for is known only after a look; what counts is seen once it is ours.
        let place = self.look(grant, handle).await?;
        let _turn = self.places.turn(handle.resource.id, &place.object).await;
        let prepared = self.look(grant, handle).await?;
        if prepared.object != place.object {
            return Err(AppError::Taken("the directory changed meanwhile; try again".to_owned()));
        }
        self.make(caller, grant.id, handle, None, Some(&prepared), say).await
    }

    async fn look(&self, grant: &Grant, handle: &TargetHandle) -> Result<Prepared, AppError> {
        let world = self.world().await?;
        let (_, role) = self.grant_parts(&world, grant)?;
        let holder = world.people.get(&grant.holder).ok_or_else(|| AppError::missing("person", grant.holder))?;
        let effects = handle.kind.effects();
        let target = handle.target(self.now());
        Ok(around(point!("app.join.look"), effects.prepare(&target, &role, holder)).await?)
    }

    /// What a lease notes of what was seen before it: that it was there already counts only if no lease of
    /// Wane accounts for it.
    pub(crate) async fn found_before(&self, lease: &Lease, prepared: &Prepared) -> Result<LeaseEvent, AppError> {
        let phases = vec![LeasePhase::Intended, LeasePhase::Live, LeasePhase::Revoking];
        let open = self.memberships_in(lease.resource, phases).await?;
        let ours = |l: &LeaseData| l.object.as_ref() == Some(&prepared.object) && l.standing.is_none();
        Ok(LeaseEvent::Prepared {
            object: prepared.object.clone(),
            notes: prepared.notes.clone(),
            standing: prepared.there.clone().filter(|_| !open.iter().any(ours)),
        })
    }

    /// Ends one lease at its target: takes the place, unless somebody else gives it too or it was there before.
    pub(crate) async fn leave_place(&self, lease: &Lease) -> Tried {
        let handle = match self.target(lease.resource).await {
            Ok(handle) => handle,
            Err(error) => return Tried::not(error.to_string()),
        };
        let Some(object) = lease.object.as_deref() else {
            let proof = "nobody was looked up for it, so nothing was made".to_owned();
            return Tried::Proven(ClosureBasis::AbsentReadBack { proof });
        };
        let _turn = self.places.turn(lease.resource, object).await;
        let by = self.also_given_by(lease, object).await;
        let now = self.now();
        let (effects, target) = (handle.kind.effects(), handle.target(now));
        if lease.standing.is_none() && by.is_empty() {
            let ended = around(point!("app.leave.target"), effects.end(&target, lease)).await;
            match ended.map(|outcome| short_of_done(outcome, now)) {
                Err(error) => return failed(&error),
                Ok(Some(short)) => return short,
                Ok(None) => {}
            }
        }
        match around(point!("app.leave.read_back"), effects.read_back(&target, lease)).await {
            Err(error) => failed(&error),
            Ok(Presence::Present { seen }) if !by.is_empty() => {
                Tried::Proven(ClosureBasis::StillGiven { by, proof: seen })
            }
            Ok(Presence::Present { seen }) if lease.standing.is_some() => {
                Tried::Proven(ClosureBasis::Standing { proof: seen })
            }
            Ok(presence) => settle(lease, presence, now),
        }
    }

    /// The grants that give the same place and have not ended. What only was there before gives nothing: it
    /// would otherwise keep, in the name of a standing membership, what Wane has made since.
    async fn also_given_by(&self, lease: &Lease, object: &str) -> Vec<GrantId> {
        let wanted = |l: &LeaseData| {
            l.id != lease.id
                && l.resource == lease.resource
                && l.what == LeaseKind::Membership
                && l.object.as_deref() == Some(object)
                && l.standing.is_none()
                && matches!(l.state, LeaseState::Intended | LeaseState::Live { .. })
                && !self.is_ended_from_memory(l.grant)
        };
        let given = self.memberships_in(lease.resource, vec![LeasePhase::Intended, LeasePhase::Live]);
        let mut by: Vec<GrantId> = match tokio::time::timeout(crate::storeless::READ, given).await {
            Ok(Ok(open)) => open.iter().filter(|l| wanted(l)).map(|l| l.grant).collect(),
            // A store that cannot be read keeps no access alive but that of others.
            Ok(Err(_)) | Err(_) => self.storeless.agenda.those(|l| wanted(l)).iter().map(|l| l.grant).collect(),
        };
        by.sort_unstable();
        by.dedup();
        by
    }

    /// All memberships at a target, open and gone.
    pub(crate) async fn memberships_at(&self, resource: ResourceId) -> Result<Vec<LeaseData>, AppError> {
        self.memberships_in(resource, Vec::new()).await
    }

    async fn memberships_in(&self, resource: ResourceId, phases: Vec<LeasePhase>) -> Result<Vec<LeaseData>, AppError> {
        let filter = LeaseFilter { resource: Some(resource), phases, ..LeaseFilter::default() };
        let all = self.all_leases(filter).await?;
        Ok(all.iter().filter(|l| l.value.what == LeaseKind::Membership).map(|l| LeaseData::clone(&l.value)).collect())
    }

    /// Looks whether what is given at a target is still there. A grant whose place somebody took at the target
    /// ends: whoever took it meant it, and giving it back would be a quarrel. How many ended.
    ///
    /// # Errors
    /// When the store cannot be used or the target does not answer.
    pub async fn confirm_memberships(&self, target: ResourceId) -> Result<usize, AppError> {
        let given = self.memberships_in(target, vec![LeasePhase::Live]).await?;
        if given.is_empty() {
            return Ok(0);
        }
        let handle = self.target(target).await?;
        let effects = handle.kind.effects();
        let at = handle.target(self.now());
        let all: Vec<&LeaseData> = given.iter().collect();
        let seen = around(point!("app.memberships.look"), effects.read_back_together(&at, &all)).await?;
        let mut ended = 0usize;
        for (lease, seen) in given.iter().zip(seen) {
            if !matches!(seen, Presence::Absent { .. }) {
                continue;
            }
            if let Some(seen) = self.is_taken(&handle, lease).await? {
                tracing::warn!(grant = %lease.grant, %seen, "somebody took at the target what a grant gave; it ends");
                self.end_grant(Actor::System, lease.grant, EndCause::TakenAway { seen }).await?;
                ended = ended.saturating_add(1);
            }
        }
        Ok(ended)
    }

    /// What the target says of a place that a lease still gives, if it is not there.
    async fn is_taken(&self, handle: &TargetHandle, lease: &LeaseData) -> Result<Option<String>, AppError> {
        let Some(object) = lease.object.as_deref() else { return Ok(None) };
        let _turn = self.places.turn(lease.resource, object).await;
        let Some(again) = self.store.lease(lease.id).await? else { return Ok(None) };
        if !matches!(again.value.state, LeaseState::Live { .. }) {
            return Ok(None);
        }
        let effects = handle.kind.effects();
        let target = handle.target(self.now());
        match around(point!("app.memberships.read_back"), effects.read_back(&target, &again.value)).await {
            Ok(Presence::Absent { proof }) => Ok(Some(proof)),
            Ok(Presence::Present { .. } | Presence::LoginRefused { .. }) => Ok(None),
            Err(error @ (ConnectError::Unreachable { .. } | ConnectError::Trust { .. })) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;
    use wane_domain::time::Time;

    use super::*;

    #[tokio::test]
    async fn one_has_the_turn_at_a_place_and_a_place_nobody_waits_for_is_forgotten() {
        let (places, target) = (Places::default(), ResourceId::mint(Time::from_micros(0), &[1; 10]));
        let held = places.turn(target, "one").await;
        let mut next = Box::pin(places.turn(target, "one"));
        assert!(futures::poll!(&mut next).is_pending());
        drop(places.turn(target, "another").await);
        drop(held);
        drop(next.await);
        let _held = places.turn(target, "a third").await;
        assert_eq!(places.0.lock().unwrap().len(), 1);
    }
}
