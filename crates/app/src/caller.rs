//! Who is calling, and whether policy lets them.

use wane_domain::grant::Grant;
use wane_domain::id::{JobId, PersonId, ResourceId, TokenId};
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_domain::workload::JobAsks;
use wane_domain::world::World;
use wane_policy::query::Proof;
use wane_policy::schema::Action;

use crate::App;
use crate::error::AppError;

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub person: PersonId,
    /// Their name.
    pub name: Name,
    /// The session; none of whoever shows a credential that was issued to them.
    pub token: Option<TokenId>,
    /// When identity was last proved.
    pub proved: Time,
    /// How, in a word: `password+totp`, `passkey`, `oidc`…
    pub proof: String,
    /// When the session ends at the latest.
    pub expires: Time,
    /// The job that a workload calls in; none of people.
    pub job: Option<JobAsks>,
}

impl Caller {
    /// How old the last proof of identity is.
    #[must_use]
    pub fn proof_age(&self, now: Time) -> Span {
        now.since(self.proved)
    }

    /// Whether the caller may be shown a grant that policy or its holder lets be seen: to a job those of other jobs of its
    /// workload are not there.
    #[must_use]
    pub fn has(&self, grant: &Grant) -> bool {
        self.job.is_none() || self.is_of_job(grant.job)
    }

    /// Whether a grant, or what it came from, is theirs to see and use as far as jobs go: what a job has is that job's,
    /// and no other's of the same workload. A credential stands for the job that it was issued in.
    pub(crate) fn is_of_job(&self, job: Option<JobId>) -> bool {
        self.is_by_credential() || self.job.as_ref().map(|asks| asks.job) == job
    }

    /// Whether they are known by a credential that this server issued and not by being signed in.
    #[must_use]
    pub(crate) fn is_by_credential(&self) -> bool {
        self.token.is_none()
    }
}

impl App {
    /// Refuses unless policy permits the caller this action.
    ///
    /// # Errors
    /// When it does not, or cannot say.
    pub fn allow(&self, caller: &Caller, world: &World, action: Action) -> Result<(), AppError> {
        if self.allows(caller, world, action)? { Ok(()) } else { Err(AppError::NotAllowed { what: action.name() }) }
    }

    /// Whether policy permits the caller this action.
    ///
    /// INVARIANT: a workload holds what it asks for and does nothing else, whatever policy says (held by
    /// `a_workload_does_nothing_but_ask`).
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub fn allows(&self, caller: &Caller, world: &World, action: Action) -> Result<bool, AppError> {
        if !world.is_active(caller.person) || world.is_workload(caller.person) {
            return Ok(false);
        }
        self.judge_action(world, caller.person, &caller.proof, caller.proof_age(self.now()), action)
    }

    /// Whether policy permits the caller this action on one resource: for the deployment as a whole, or as its owner, say.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub fn allows_on(
        &self,
        caller: &Caller,
        world: &World,
        action: Action,
        resource: ResourceId,
    ) -> Result<bool, AppError> {
        if self.allows(caller, world, action)? {
            return Ok(true);
        }
        let proof = Proof::said(&caller.proof, caller.proof_age(self.now()));
        let may_act = world.is_active(caller.person) && !world.is_workload(caller.person);
        Ok(may_act && self.judge_action_on(world, caller.person, proof, action, resource)?)
    }

    /// Whether policy permits the caller this action about one person: about themselves, say.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub fn allows_about(
        &self,
        caller: &Caller,
        world: &World,
        action: Action,
        person: PersonId,
    ) -> Result<bool, AppError> {
        let proof = Proof::said(&caller.proof, caller.proof_age(self.now()));
        let may_act = world.is_active(caller.person) && !world.is_workload(caller.person);
        Ok(may_act && self.judge_action_about(world, caller.person, proof, action, person)?)
    }
}
