//! Putting questions to policy: which facts go in, what comes out.

use std::collections::BTreeSet;
use std::sync::Arc;

use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::{Decision, Permit};
use wane_domain::directory::Person;
use wane_domain::grant::{Grant, GrantState};
use wane_domain::id::{PersonId, ResourceId};
use wane_domain::lock::LockTarget;
use wane_domain::proved::ProvedBy;
use wane_domain::request::{Approval, Ask, Start};
use wane_domain::task::Task;
use wane_domain::text::{Name, Ticket};
use wane_domain::time::{Span, Time};
use wane_domain::workload::JobAsks;
use wane_domain::world::World;
use wane_policy::administer::{ActionQuery, Object, allows};
use wane_policy::query::{AccessQuery, Capabilities, Facts, Moment, Proof, Subject, Thing, Ways};
use wane_policy::rejudge::HeldApprovals;
use wane_policy::schema::{Action, KindFragment, SchemaParts};
use wane_policy::set::PolicySet;

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// The facts of an ask, besides who, what and which role.
#[derive(Clone, Debug)]
pub struct AskFacts {
    /// For how long.
    pub duration: Span,
    /// From when; none for now.
    pub start: Option<Time>,
    /// Whether a justification was given.
    pub justified: bool,
    /// Under which ticket.
    pub ticket: Option<Ticket>,
    /// For which one command, if for one.
    pub task: Option<Task>,
    /// In which job of a workload, if in one.
    pub job: Option<JobAsks>,
    /// How old the last proof of identity is.
    pub proof_age: Span,
    /// How identity was proved.
    pub proof: String,
    /// The moment of judgement.
    pub now: Time,
    /// Since when it is in use, if it is: what was approved with a key that was taken away later stands.
    pub used: Option<Time>,
}

/// The proof of those who are not asking right now.
pub(crate) const FRESH: Proof<'static> = Proof::assumed("password+totp");
/// How identity was proved by those whose proof was judged earlier.
const FROZEN: &str = "frozen";

/// How whoever asked had proved who they are, as far as that is known of an ask. A job shows one thing, once.
fn shown_then(ask: &Ask) -> &'static str {
    if ask.job.is_some() { ProvedBy::Job.word() } else { FROZEN }
}

/// An approval that is, was or might be given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// By whom.
    pub(crate) by: PersonId,
    /// In whose place, if they stand in.
    pub(crate) instead_of: Option<PersonId>,
    /// The proof of identity at hand; of those who might answer later, a fresh one is assumed.
    pub(crate) proof: Proof<'a>,
    /// When.
    pub(crate) at: Time,
}

/// How a grant that is held (or about to be) fares under the policy in force.
#[derive(Debug)]
pub(crate) enum Rejudged {
    /// The approvals it holds meet a path.
    Keeps(Permit),
    /// They meet none.
    Lost(String),
}

/// A proof of identity at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proven<'a> {
    /// How old it is.
    pub(crate) age: Span,
    /// How identity was proved.
    pub(crate) how: &'a str,
}

impl AskFacts {
    /// The facts of an ask that is being made, of which each item has a task of its own.
    pub(crate) fn of(input: &crate::AskInput, caller: &Caller, now: Time) -> Self {
        Self {
            duration: input.duration,
            start: input.start,
            justified: input.reason.is_some(),
            ticket: input.ticket.clone(),
            task: None,
            job: caller.job.clone(),
            proof_age: caller.proof_age(now),
            proof: caller.proof.clone(),
            now,
            used: None,
        }
    }

    /// The smallest ask there is: what could be had at all, with a reason and a ticket given.
    pub(crate) fn smallest(caller: &Caller, now: Time) -> Self {
        Self {
            duration: Span::from_mins(1),
            start: None,
            justified: true,
            ticket: "any".parse().ok(),
            task: None,
            job: caller.job.clone(),
            proof_age: caller.proof_age(now),
            proof: caller.proof.clone(),
            now,
            used: None,
        }
    }

    /// The facts of an ask that nobody makes: what a package gives. A proof of identity is judged when it is used.
    pub(crate) fn of_nobody(duration: Span, now: Time) -> Self {
        Self {
            duration,
            start: None,
            justified: true,
            ticket: None,
            task: None,
            job: None,
            proof_age: Span::ZERO,
            proof: FROZEN.to_owned(),
            now,
            used: None,
        }
    }

    /// The facts of an ask made earlier, of which each item has a task of its own. The proof of identity was judged then, and is judged again when the grant is used.
    pub(crate) fn frozen(ask: &Ask, now: Time) -> Self {
        Self {
            duration: ask.duration,
            start: match ask.start {
                Start::Now => None,
                Start::At(at) => Some(at),
            },
            justified: ask.justification.is_some(),
            ticket: ask.ticket.clone(),
            task: None,
            job: ask.job.clone(),
            proof_age: Span::ZERO,
            proof: shown_then(ask).to_owned(),
            now,
            used: None,
        }
    }

    /// The facts a grant was given under; `ask` is what it came from.
    pub(crate) fn of_grant(grant: &Grant, ask: &Ask, now: Time) -> Self {
        let duration = match &grant.state {
            GrantState::Active { since, end } => end.since(*since),
            GrantState::Scheduled | GrantState::Ending { .. } | GrantState::Closed { .. } => grant.window.duration,
        };
        let used = match &grant.state {
            GrantState::Active { since, .. } => Some(*since),
            GrantState::Scheduled | GrantState::Ending { .. } | GrantState::Closed { .. } => None,
        };
        Self {
            duration,
            start: None,
            justified: ask.justification.is_some(),
            ticket: grant.ticket.clone(),
            task: grant.item.task.clone(),
            job: ask.job.clone(),
            proof_age: Span::ZERO,
            proof: shown_then(ask).to_owned(),
            now,
            used,
        }
    }

    /// The same of one item, that is for this task if for one.
    pub(crate) fn for_task(self, task: Option<&Task>) -> Self {
        Self { task: task.cloned(), ..self }
    }

    /// The same with the proof of identity at hand.
    pub(crate) fn proven(self, proof_age: Span, proof: &str) -> Self {
        Self { proof_age, proof: proof.to_owned(), ..self }
    }

    fn proof(&self) -> Proof<'_> {
        if self.proof == FROZEN { Proof::assumed(FROZEN) } else { Proof::said(&self.proof, self.proof_age) }
    }
}

impl App {
    /// The schema of this deployment: the core and its kinds.
    pub(crate) fn schema(&self) -> Result<SchemaParts, AppError> {
        let fragments = self
            .kinds
            .iter()
            .map(|kind| {
                let name: Name =
                    kind.name().parse().map_err(|e: wane_domain::text::TextError| AppError::Fault(e.to_string()))?;
                Ok(KindFragment { kind: name, entity: kind.entity().to_owned() })
            })
            .collect::<Result<Vec<_>, AppError>>()?;
        SchemaParts::new(fragments).map_err(|e| AppError::Fault(e.to_string()))
    }

    /// Compiles a policy text.
    pub(crate) fn compile(&self, text: &str) -> Result<Arc<PolicySet>, AppError> {
        let schema = self.schema()?;
        PolicySet::load(text, &schema).map(Arc::new).map_err(|problems| AppError::Policy { problems })
    }

    /// Judges an ask.
    ///
    /// # Errors
    /// When the policy set cannot be used; a no is a decision, not an error.
    pub fn judge(
        &self,
        world: &World,
        person: &Person,
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
    ) -> Result<Decision, AppError> {
        let set = self.policy(world)?;
        self.asking(world, person.id, resource, role, facts, |query| wane_policy::judge::judge(&set, query))
    }

    /// Builds the query and puts it.
    pub(crate) fn asking<T>(
        &self,
        world: &World,
        person: PersonId,
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
        put: impl FnOnce(&AccessQuery<'_>) -> T,
    ) -> Result<T, AppError> {
        let kind = self.kind(&resource.kind)?;
        let describe = kind.describe(&resource.settings);
        let who = Subject::of(world, person).ok_or_else(|| AppError::missing("person", person))?;
        let what = Thing::of(world, resource.id).ok_or_else(|| AppError::missing("resource", &resource.name))?;
        let query = AccessQuery {
            who,
            what,
            role,
            facts: Facts {
                duration: facts.duration,
                start_in: facts.start.map_or(Span::ZERO, |at| at.since(facts.now)),
                justified: facts.justified,
                ticket: facts.ticket.as_ref(),
                task: facts.task.as_ref(),
                job: facts.job.as_ref(),
                proof: facts.proof(),
                moment: Moment { now: facts.now, zone: &self.zone },
                residual_sessions: describe.residual_sessions_secs.map(Span::from_secs),
            },
            ways: if facts.task.is_some() || kind.needs_gateway(&role.definition) {
                Ways::GatewayOnly
            } else {
                Ways::Any
            },
            serves: Capabilities { brokered: self.has_gateway(kind.name()), recording: self.keeps_recordings() },
        };
        Ok(put(&query))
    }

    /// Judges what somebody holds, or is about to, by the approvals it has. `ask` is what it came from.
    ///
    /// INVARIANT: an approval counts only while its giver may give it: active, not locked, meant by the
    /// stage, and let by today's policy (held by `an_approval_counts_only_while_its_giver_may_give_it`); of who stood
    /// in for somebody, while that one may (held by `a_stand_in_is_worth_what_both_are_worth`).
    pub(crate) fn rejudge(
        &self,
        world: &World,
        ask: &Ask,
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
        held: &[Approval],
    ) -> Result<Rejudged, AppError> {
        let set = self.policy(world)?;
        let (holder, without) = (ask.beneficiary, [ask.beneficiary, ask.requester]);
        let mut approvers = BTreeSet::new();
        for approval in held {
            let (by, at) = (approval.approver, approval.at);
            let stands = |instead| world.stood_in(by, instead, at, facts.used) && !world.is_own(by, holder, &without);
            if approval.instead_of.is_some_and(|instead| !stands(instead)) {
                continue;
            }
            // The hour that counts is the one at which it was given.
            let given = Given { by, instead_of: approval.instead_of.map(|i| i.person), proof: FRESH, at };
            if self.may_approve(world, given, (ask.requester, ask.duration), resource, role)? {
                approvers.insert(approval.by_right_of());
            }
        }
        // Who was asked in addition counts where the policy of today would have asked them by then.
        let waited = |who: PersonId| held.iter().filter(|a| a.by_right_of() == who).filter_map(|a| a.asked_after).max();
        let meant = |stage: &wane_domain::terms::Stage| {
            world.meant(stage, waited, (holder, resource.id), &without).into_keys().collect()
        };
        let signers = self.signers(world, held, facts.used).into_iter().filter(|who| approvers.contains(who)).collect();
        let held = HeldApprovals { approvers: &approvers, signers: &signers, meant: &meant };
        let judged = self
            .asking(world, holder, resource, role, facts, |query| wane_policy::rejudge::rejudge(&set, query, &held))?;
        Ok(match judged {
            wane_policy::rejudge::Rejudged::Keep { permit, .. } => Rejudged::Keeps(permit),
            wane_policy::rejudge::Rejudged::Lost(denial) => {
                Rejudged::Lost(denial.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
        })
    }

    /// Whether policy lets a person do something to the deployment as a whole.
    pub(crate) fn judge_action(
        &self,
        world: &World,
        person: PersonId,
        proof: &str,
        age: Span,
        action: Action,
    ) -> Result<bool, AppError> {
        Ok(self.judge_action_in(&*self.policy(world)?, world, person, proof, age, action))
    }

    /// Whether policy lets a person do something about one resource, if not to the deployment as a whole.
    pub(crate) fn judge_action_on(
        &self,
        world: &World,
        person: PersonId,
        proof: Proof<'_>,
        action: Action,
        resource: ResourceId,
    ) -> Result<bool, AppError> {
        let set = self.policy(world)?;
        let (Some(who), Some(what)) = (Subject::of(world, person), Thing::of(world, resource)) else {
            return Ok(false);
        };
        let moment = Moment { now: self.now(), zone: &self.zone };
        let query = ActionQuery { who, on: Object::Thing(what), proof, moment };
        Ok(allows(&set, action, &query).allowed)
    }

    /// Whether policy lets a person do something about another, or themselves.
    pub(crate) fn judge_action_about(
        &self,
        world: &World,
        person: PersonId,
        proof: Proof<'_>,
        action: Action,
        about: PersonId,
    ) -> Result<bool, AppError> {
        let set = self.policy(world)?;
        let (Some(who), Some(about)) = (Subject::of(world, person), Subject::of(world, about)) else {
            return Ok(false);
        };
        let moment = Moment { now: self.now(), zone: &self.zone };
        let query = ActionQuery { who, on: Object::Person(about), proof, moment };
        Ok(allows(&set, action, &query).allowed)
    }

    /// The same under a given policy set.
    pub(crate) fn judge_action_in(
        &self,
        set: &PolicySet,
        world: &World,
        person: PersonId,
        proof: &str,
        age: Span,
        action: Action,
    ) -> bool {
        let Some(who) = Subject::of(world, person) else { return false };
        let moment = Moment { now: self.now(), zone: &self.zone };
        let query = ActionQuery { who, on: Object::System, proof: Proof::said(proof, age), moment };
        allows(set, action, &query).allowed
    }

    /// Whether a policy set lets a person put in force what another proposed.
    pub(crate) fn judge_proposal_in(
        &self,
        set: &PolicySet,
        world: &World,
        (person, proof, age): (PersonId, &str, Span),
        by: PersonId,
    ) -> bool {
        let (Some(who), Some(by)) = (Subject::of(world, person), Subject::of(world, by)) else { return false };
        let moment = Moment { now: self.now(), zone: &self.zone };
        let query = ActionQuery { who, on: Object::Proposal(by), proof: Proof::said(proof, age), moment };
        allows(set, Action::ManagePolicy, &query).allowed
    }

    /// Whether policy lets a person answer where a stage names them, or names whom they stand in for.
    ///
    /// Whoever stands in needs no right of their own: it is the other's. What they prove is their own, and so is what a
    /// guardrail says of them.
    pub(crate) fn may_approve(
        &self,
        world: &World,
        given: Given<'_>,
        (requester, duration): (PersonId, Span),
        resource: &Resource,
        role: &Role,
    ) -> Result<bool, AppError> {
        let Given { by, instead_of, proof, at } = given;
        // A locked person begins nothing, and an approval begins something for somebody else.
        let people = [Some(by), instead_of];
        if people
            .into_iter()
            .flatten()
            .any(|who| world.locks.values().any(|l| l.holds() && l.target == LockTarget::Person(who)))
        {
            return Ok(false);
        }
        let set = self.policy(world)?;
        let ask = |who: PersonId, instead_of: Option<PersonId>| {
            let (who, requester) = (Subject::of(world, who)?, Subject::of(world, requester)?);
            let what = Thing::of(world, resource.id)?;
            let instead_of = instead_of.and_then(|person| Subject::of(world, person));
            let on = Object::Ask { what, role, requester, duration, instead_of };
            let query = ActionQuery { who, on, proof, moment: Moment { now: at, zone: &self.zone } };
            Some(allows(&set, Action::Approve, &query))
        };
        let Some(whom) = instead_of else { return Ok(ask(by, None).is_some_and(|said| said.allowed)) };
        let theirs = ask(whom, None).is_some_and(|said| said.allowed);
        Ok(theirs && ask(by, Some(whom)).is_some_and(|said| !said.is_objected_to()))
    }
}
