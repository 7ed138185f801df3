//! Beginning to use a grant: policy judged again, the clock of the access started.

use wane_audit::Actor;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::{Permit, Why};
use wane_domain::grant::{Grant, GrantEvent, GrantState};
use wane_domain::id::GrantId;
use wane_domain::request::{Approval, Ask};
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{Put, Standing, Versioned, Write};

use crate::caller::Caller;
use crate::change::about_grant;
use crate::error::AppError;
use crate::jobs::not_its_job;
use crate::judge::{AskFacts, Proven, Rejudged};
use crate::{App, decide};

impl App {
    /// Activates a scheduled grant; an active one stays as it is.
    ///
    /// # Errors
    /// When it is not the caller's, its window is not open, or policy refuses now.
    pub async fn activate(&self, caller: &Caller, id: GrantId) -> Result<Grant, AppError> {
        decide!(async {
            let world = self.world().await?;
            let now = self.steady_now().await?;
            let seen = self.held_grant(caller, &world, id).await?;
            if !matches!(seen.value.state, GrantState::Scheduled) {
                seen.value.usable_until(now)?;
                return Ok(seen.value);
            }
            let permit = self.permit_to_use(caller, &world, &seen.value, now).await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            let (active, fact) = seen.value.clone().apply(GrantEvent::Activate(permit), now)?;
            change.fact(about_grant(&active), fact);
            change.write(Write::Grant(Put::over(&seen, active.clone())));
            change.commit(point!("app.activate.commit")).await?;
            self.nudge();
            Ok(active)
        })
    }

    /// Judges a grant's use now: person, lock, role as it was approved, policy, age of the last proof.
    pub(crate) async fn permit_to_use(
        &self,
        caller: &Caller,
        world: &World,
        grant: &Grant,
        now: Time,
    ) -> Result<Permit, AppError> {
        self.permit_to_use_as_asked(caller, world, grant, &self.ask_of(grant).await?, now)
    }

    /// The same where what the grant came from is at hand.
    pub(crate) fn permit_to_use_as_asked(
        &self,
        caller: &Caller,
        world: &World,
        grant: &Grant,
        ask: &Ask,
        now: Time,
    ) -> Result<Permit, AppError> {
        let proven = Proven { age: caller.proof_age(now), how: &caller.proof };
        self.permit_with_proof(world, grant, ask, &proven, now)
    }

    /// The same for a holder who is not calling, but has proved themselves in another way.
    pub(crate) fn permit_with_proof(
        &self,
        world: &World,
        grant: &Grant,
        ask: &Ask,
        proven: &Proven<'_>,
        now: Time,
    ) -> Result<Permit, AppError> {
        let refused = |reasons| AppError::Refused { reasons };
        if !world.is_active(grant.holder) {
            return Err(refused(vec![Why::Disabled]));
        }
        self.heard_of(grant.holder, now)?;
        if let Some(lock) = world.lock_on(grant.holder, grant.item.resource, grant.item.role, Some(grant.id)) {
            return Err(refused(vec![Why::Locked { lock: lock.id.to_string() }]));
        }
        if let Some(missing) = self.not_packaged(world, ask).or_else(|| not_its_job(world, ask)) {
            return Err(refused(vec![Why::TermsNotMet { missing }]));
        }
        let (resource, role) = self.grant_parts(world, grant)?;
        if role.digest()? != grant.item.role_digest {
            let missing = format!("role `{}` was redefined after this was approved; ask again", role.name);
            return Err(refused(vec![Why::TermsNotMet { missing }]));
        }
        let facts = AskFacts::of_grant(grant, ask, now).proven(proven.age, proven.how);
        match self.rejudge(world, ask, &resource, &role, &facts, &grant.approvals)? {
            Rejudged::Keeps(permit) => Ok(permit),
            Rejudged::Lost(missing) => Err(refused(vec![Why::TermsNotMet { missing }])),
        }
    }

    /// What a grant came from.
    pub(crate) async fn ask_of(&self, grant: &Grant) -> Result<Ask, AppError> {
        let request = self.store.request(grant.request).await?;
        Ok(request.ok_or_else(|| AppError::missing("request", grant.request))?.value.ask.clone())
    }

    /// A grant that the caller holds.
    pub(crate) async fn held_grant(
        &self,
        caller: &Caller,
        world: &World,
        id: GrantId,
    ) -> Result<Versioned<Grant>, AppError> {
        let seen = self.grant_for(caller, world, id).await?;
        held(caller, &seen.value)?;
        self.still_stands(id)?;
        Ok(seen)
    }

    /// A grant that the caller holds, with what its use is judged by.
    pub(crate) async fn held_standing(
        &self,
        caller: &Caller,
        world: &World,
        id: GrantId,
    ) -> Result<Standing, AppError> {
        let standing = self.store.standing(id).await?.ok_or_else(|| AppError::missing("grant", id))?;
        self.known_to(caller, world, &standing.grant.value)?;
        held(caller, &standing.grant.value)?;
        self.still_stands(id)?;
        Ok(standing)
    }

    /// A grant, if the caller may see it: it is theirs, they approved it, or they may read all access.
    ///
    /// # Errors
    /// When there is none that the caller may see.
    pub async fn grant_for(&self, caller: &Caller, world: &World, id: GrantId) -> Result<Versioned<Grant>, AppError> {
        let seen = self.store.grant(id).await?.ok_or_else(|| AppError::missing("grant", id))?;
        self.known_to(caller, world, &seen.value)?;
        Ok(seen)
    }

    /// Whether the caller may know of a grant; to others it is not there.
    fn known_to(&self, caller: &Caller, world: &World, grant: &Grant) -> Result<(), AppError> {
        let party = (grant.holder == caller.person && caller.is_of_job(grant.job))
            || grant.approvals.iter().flat_map(Approval::people).any(|p| p == caller.person);
        if party || self.allows_on(caller, world, Action::ReadAccess, grant.item.resource)? {
            Ok(())
        } else {
            Err(AppError::missing("grant", grant.id))
        }
    }

    /// The resource and role of a grant.
    ///
    /// # Errors
    /// When either was removed.
    pub fn grant_parts(&self, world: &World, grant: &Grant) -> Result<(Resource, Role), AppError> {
        let resource = world
            .resources
            .get(&grant.item.resource)
            .ok_or_else(|| AppError::missing("resource", grant.item.resource))?;
        let role = world.roles.get(&grant.item.role).ok_or_else(|| AppError::missing("role", grant.item.role))?;
        Ok((resource.clone(), role.clone()))
    }
}

fn held(caller: &Caller, grant: &Grant) -> Result<(), AppError> {
    if !caller.is_of_job(grant.job) {
        return Err(AppError::missing("grant", grant.id));
    }
    if grant.holder == caller.person { Ok(()) } else { Err(AppError::NotAllowed { what: "use somebody else's grant" }) }
}
