//! Loading a policy set: all of it validates, or nothing changes.

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::world::PolicyVersion;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_policy::set::{LoadProblem, PolicySet};
use wane_store::Write;

use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, decide};

/// What checking a policy text came to.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What keeps it from being loaded; empty if nothing does.
    pub problems: Vec<LoadProblem>,
    /// What is worth knowing.
    pub warnings: Vec<LoadProblem>,
}

impl App {
    /// Checks a policy text and changes nothing.
    ///
    /// # Errors
    /// When policy does not let the caller read policy.
    pub async fn check_policy(&self, caller: &Caller, text: &str) -> Result<Checked, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadPolicy)?;
        Ok(match PolicySet::load(text, &self.schema()?) {
            Ok(set) => Checked { problems: Vec::new(), warnings: set.warnings().to_vec() },
            Err(problems) => Checked { problems, warnings: Vec::new() },
        })
    }

    /// Loads a policy set. `seen` is the version its author edited; a newer one in force is a conflict.
    ///
    /// # Errors
    /// When it does not validate, would lock its author out of policy, or policy does not let the caller.
    pub async fn load_policy(
        &self,
        caller: &Caller,
        text: &str,
        seen: Option<u64>,
    ) -> Result<(PolicyVersion, Vec<LoadProblem>), AppError> {
        let loaded = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManagePolicy)?;
            if let Some(seen) = seen
                && seen != world.policy.version
            {
                let present = world.policy.version;
                return Err(AppError::Taken(format!(
                    "version {present} is in force, not {seen}; look at what changed and load again"
                )));
            }
            let set = self.compile(text)?;
            self.check_keeps_author(caller, &world, &set)?;
            let now = self.now();
            let version = PolicyVersion {
                version: world.policy.version.saturating_add(1),
                digest: set.digest(),
                text: text.to_owned(),
                by: Some(caller.person),
                at: now,
            };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            let detail = json!({ "version": version.version, "digest": version.digest, "before": world.policy.digest, "policies": set.len() });
            change.note("policy.loaded", Outcome::Done, Subjects::default(), detail);
            change.write(Write::Policy(version.clone()));
            change.commit(point!("app.policy.commit")).await?;
            Ok((version, set.warnings().to_vec()))
        })?;
        self.nudge();
        Ok(loaded)
    }

    /// A set under which its author could not load the next is refused: it would take the recovery command to get out.
    fn check_keeps_author(
        &self,
        caller: &Caller,
        world: &wane_domain::world::World,
        set: &PolicySet,
    ) -> Result<(), AppError> {
        let allowed = self.judge_action_in(
            set,
            world,
            caller.person,
            &caller.proof,
            caller.proof_age(self.now()),
            Action::ManagePolicy,
        );
        if allowed {
            return Ok(());
        }
        let message = "under this set you could not load another".to_owned();
        let hint = Some("keep a permit for action `manage_policy` that applies to you".to_owned());
        Err(AppError::Policy { problems: vec![LoadProblem { line: None, policy: None, message, hint }] })
    }

    /// The policy set in force.
    ///
    /// # Errors
    /// When policy does not let the caller read policy.
    pub async fn policy_in_force(&self, caller: &Caller) -> Result<PolicyVersion, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadPolicy)?;
        Ok(world.policy.clone())
    }
}
