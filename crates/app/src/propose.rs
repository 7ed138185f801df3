//! Policies that one person proposes and another puts in force.
//!
//! Whether it takes two the policy itself says: what it sees of `manage_policy` is who proposed it (`context.proposed_by`). The
//! one proposal there may be is the last thing that the trail says about the policy; nothing else keeps it.
//!
//! INVARIANT: what is put in force is what was looked at, to the byte, over the version that it was written from (held by
//! `what_is_proposed_is_put_in_force_by_somebody_else_as_it_was_looked_at`).

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::canonical::Digest;
use wane_domain::id::PersonId;
use wane_domain::time::Time;
use wane_domain::world::{PolicyVersion, World};
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_policy::set::{LoadProblem, PolicySet};
use wane_store::{RecordFilter, Slice};

use crate::caller::Caller;
use crate::error::AppError;
use crate::policies::still_from;
use crate::{App, decide};

const PROPOSED: &str = "policy.proposed";
/// The longest that is said about one.
const LONGEST_NOTE: usize = 4096;

/// A policy set that somebody proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Who.
    pub by: PersonId,
    /// When.
    pub at: Time,
    /// Cedar.
    pub text: String,
    /// Of the text.
    pub digest: Digest,
    /// The version that it was written from.
    pub from: u64,
    /// What its author says about it.
    pub note: String,
}

impl App {
    /// Whether policy lets somebody propose: whoever could put in force what another proposed.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub fn may_propose(&self, caller: &Caller, world: &World) -> Result<bool, AppError> {
        if !world.is_active(caller.person) {
            return Ok(false);
        }
        Ok(self.allows(caller, world, Action::ManagePolicy)?
            || self.could_second(&*self.policy(world)?, world, caller).is_some())
    }

    /// Whether policy lets somebody put in force what that person proposed.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub fn may_activate(&self, caller: &Caller, world: &World, by: PersonId) -> Result<bool, AppError> {
        let age = caller.proof_age(self.now());
        let said = (caller.person, caller.proof.as_str(), age);
        Ok(world.is_active(caller.person) && self.judge_proposal_in(&*self.policy(world)?, world, said, by))
    }

    /// The proposal that is open, for those who read policy.
    ///
    /// # Errors
    /// When policy does not let the caller, or the store cannot be read.
    pub async fn proposal(&self, caller: &Caller) -> Result<Option<Proposal>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadPolicy)?;
        self.open_proposal().await
    }

    async fn open_proposal(&self) -> Result<Option<Proposal>, AppError> {
        let about = RecordFilter { event: Some("policy.".to_owned()), ..RecordFilter::default() };
        let last = self.store.records(about, Slice::first(1)).await?.items.into_iter().next();
        let Some(record) = last.map(|line| line.record).filter(|record| record.event == PROPOSED) else {
            return Ok(None);
        };
        let Actor::Person(by) = record.actor else { return Ok(None) };
        let word = |name: &str| record.detail.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        let text = word("text");
        let digest = word("digest").and_then(|digest| digest.parse().ok());
        let from = record.detail.get("from").and_then(serde_json::Value::as_u64);
        let (Some(text), Some(digest), Some(from)) = (text, digest, from) else { return Ok(None) };
        Ok(Some(Proposal { by, at: record.at, text, digest, from, note: word("note").unwrap_or_default() }))
    }

    /// Proposes a policy set, in place of whatever was proposed before.
    ///
    /// # Errors
    /// When it does not validate, was written from another version than the one in force, or policy does not let the caller.
    pub async fn propose_policy(
        &self,
        caller: &Caller,
        text: &str,
        seen: u64,
        note: &str,
    ) -> Result<Proposal, AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ReadPolicy)?;
            if !self.may_propose(caller, &world)? {
                return Err(AppError::NotAllowed { what: "propose a policy" });
            }
            if note.len() > LONGEST_NOTE {
                return Err(AppError::invalid("note", format!("it is at most {LONGEST_NOTE} bytes long")));
            }
            still_from(&world, seen)?;
            let set = self.compile(text)?;
            if set.digest() == world.policy.digest {
                return Err(AppError::invalid("text", "it is what is in force"));
            }
            let now = self.now();
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            let detail = json!({ "text": text, "digest": set.digest(), "from": seen, "note": note });
            change.note(PROPOSED, Outcome::Done, Subjects::default(), detail);
            change.commit(point!("app.policy.proposed.commit")).await?;
            let (text, note) = (text.to_owned(), note.to_owned());
            Ok(Proposal { by: caller.person, at: now, text, digest: set.digest(), from: seen, note })
        })
    }

    /// Takes a proposal back: one's own, or any that one could put in force.
    ///
    /// # Errors
    /// When there is none, it is another by now, or the caller may not.
    pub async fn withdraw_proposal(&self, caller: &Caller, digest: Digest) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            let proposal = self.looked_at(caller, &world, digest).await?;
            if proposal.by != caller.person && !self.may_activate(caller, &world, proposal.by)? {
                return Err(AppError::NotAllowed { what: "take back what somebody else proposed" });
            }
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            let detail = json!({ "digest": digest, "by": proposal.by });
            change.note("policy.proposal_withdrawn", Outcome::Done, Subjects::default(), detail);
            change.commit(point!("app.policy.withdrawn.commit")).await.map(drop)
        })
    }

    /// Puts in force what was proposed, if it still is what the caller looked at.
    ///
    /// # Errors
    /// When there is none, it is another by now, another version came into force meanwhile, or policy does not let the
    /// caller.
    pub async fn activate_proposal(
        &self,
        caller: &Caller,
        digest: Digest,
    ) -> Result<(PolicyVersion, Vec<LoadProblem>), AppError> {
        let loaded = decide!(async {
            let world = self.world().await?;
            let proposal = self.looked_at(caller, &world, digest).await?;
            if !self.may_activate(caller, &world, proposal.by)? {
                return Err(AppError::NotAllowed { what: "put this policy in force" });
            }
            still_from(&world, proposal.from)?;
            self.put_in_force(caller, &world, &proposal.text, Some((proposal.by, proposal.at))).await
        })?;
        self.nudge();
        Ok(loaded)
    }

    async fn looked_at(&self, caller: &Caller, world: &World, digest: Digest) -> Result<Proposal, AppError> {
        self.allow(caller, world, Action::ReadPolicy)?;
        let proposal = self.open_proposal().await?.ok_or_else(|| AppError::missing("proposal", "policy"))?;
        if proposal.digest != digest || PolicySet::digest_of(&proposal.text) != digest {
            return Err(AppError::Taken("something else is proposed by now; look at it first".to_owned()));
        }
        Ok(proposal)
    }
}
