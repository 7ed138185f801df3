//! Loading a policy set: all of it validates, or nothing changes.

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::PersonId;
use wane_domain::time::{Span, Time};
use wane_domain::world::{PolicyVersion, World};
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_policy::set::{LoadProblem, PolicySet};
use wane_store::Write;

use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, decide};

/// The proof of somebody who would do it later.
const FRESH_PROOF: &str = "password+totp";

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
            seen.map_or(Ok(()), |seen| still_from(&world, seen))?;
            self.put_in_force(caller, &world, text, None).await
        })?;
        self.nudge();
        Ok(loaded)
    }

    /// Writes it down as the one in force; `proposed` is by whom and when, if not by the caller themselves just now.
    pub(crate) async fn put_in_force(
        &self,
        caller: &Caller,
        world: &World,
        text: &str,
        proposed: Option<(PersonId, Time)>,
    ) -> Result<(PolicyVersion, Vec<LoadProblem>), AppError> {
        let set = self.compile(text)?;
        self.check_keeps_author(caller, world, &set)?;
        let now = self.now();
        let version = PolicyVersion {
            version: world.policy.version.saturating_add(1),
            digest: set.digest(),
            text: text.to_owned(),
            by: Some(caller.person),
            at: now,
        };
        let mut change = self.change_at(Actor::Person(caller.person), world, now);
        let mut detail = json!({ "version": version.version, "digest": version.digest, "before": world.policy.digest, "policies": set.len() });
        if let (Some((by, at)), Some(detail)) = (proposed, detail.as_object_mut()) {
            detail.insert("proposed".to_owned(), json!({ "by": by, "at": at }));
        }
        change.note("policy.loaded", Outcome::Done, Subjects::default(), detail);
        change.write(Write::Policy(version.clone()));
        change.commit(point!("app.policy.commit")).await?;
        Ok((version, set.warnings().to_vec()))
    }

    /// A set under which its author could not bring the next about, alone or with somebody else, is refused: it would take the
    /// recovery command to get out.
    fn check_keeps_author(&self, caller: &Caller, world: &World, set: &PolicySet) -> Result<(), AppError> {
        let age = caller.proof_age(self.now());
        let alone = self.judge_action_in(set, world, caller.person, &caller.proof, age, Action::ManagePolicy);
        if alone || self.could_second(set, world, caller).is_some() {
            return Ok(());
        }
        let message = "under this set you could not load another".to_owned();
        let hint = Some(
            "keep a permit for action `manage_policy` that applies to you, and to somebody else if two are needed"
                .to_owned(),
        );
        Err(AppError::Policy { problems: vec![LoadProblem { line: None, policy: None, message, hint }] })
    }

    /// Somebody with whom the caller could put a policy in force under this set: either what the other proposed.
    pub(crate) fn could_second(&self, set: &PolicySet, world: &World, caller: &Caller) -> Option<PersonId> {
        let (me, age) = (caller.person, caller.proof_age(self.now()));
        let others = world.people.keys().copied().filter(|other| *other != me && world.is_active(*other));
        let both = |other: &PersonId| {
            self.judge_proposal_in(set, world, (me, &caller.proof, age), *other)
                && self.judge_proposal_in(set, world, (*other, FRESH_PROOF, Span::ZERO), me)
        };
        others.into_iter().find(both)
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

/// Whether it was edited from the one in force.
pub(crate) fn still_from(world: &World, seen: u64) -> Result<(), AppError> {
    let present = world.policy.version;
    if seen == present {
        return Ok(());
    }
    Err(AppError::Taken(format!("version {present} is in force, not {seen}; look at what changed and load again")))
}
