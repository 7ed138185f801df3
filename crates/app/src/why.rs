//! Why, why not, who could approve, what could I ask for, which narrower role would do.

use std::collections::BTreeSet;

use wane_connector::Describe;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::Decision;
use wane_domain::directory::Person;
use wane_domain::id::{GrantId, PersonId, RequestId};
use wane_domain::request::{AccessRequest, Item, ItemState, Parent};
use wane_domain::task::Task;
use wane_domain::terms::{Need, Stage, Terms};
use wane_domain::text::{Reason, Ticket};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_policy::explain::Explanation;
use wane_policy::schema::Action;

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::judge::{AskFacts, FRESH, Given};
use crate::named::resolve;
use crate::past::{Era, Lens, Recorded};

/// A hypothetical ask.
#[derive(Clone, Debug)]
pub struct WhyInput {
    /// About whom; oneself if left out.
    pub person: Option<String>,
    /// On what.
    pub resource: String,
    /// Which role.
    pub role: String,
    /// For how long; an hour if left out.
    pub duration: Option<Span>,
    /// From when.
    pub start: Option<Time>,
    /// Why.
    pub reason: Option<Reason>,
    /// Under which ticket.
    pub ticket: Option<Ticket>,
    /// For which one command, if for one.
    pub task: Option<Task>,
    /// Under which version of the policy set; the one in force if left out.
    pub policy_version: Option<u64>,
    /// Under this text, which is in force nowhere.
    pub policy_text: Option<String>,
}

/// How one role would fare.
#[derive(Clone, Debug)]
pub struct Askable {
    /// The resource.
    pub resource: Resource,
    /// The role.
    pub role: Role,
    /// The terms under which it would be given; none if it would be refused.
    pub terms: Option<Terms>,
    /// Why it would be refused; empty if it would not.
    pub reasons: Vec<String>,
}

/// Everything that can be said about an ask.
#[derive(Clone, Debug)]
pub struct WhyAnswer {
    /// About whom.
    pub person: Person,
    /// The resource.
    pub resource: Resource,
    /// The role.
    pub role: Role,
    /// The version of the policy set that says so, over the facts of today.
    pub version: u64,
    /// Whether it is the one in force.
    pub era: Era,
    /// What policy says, path by path.
    pub explanation: Explanation,
    /// The lock that covers it, if any.
    pub lock: Option<String>,
    /// For each stage of the path that applies: who could approve.
    pub who_could: Vec<Vec<PersonId>>,
    /// Roles that give less and ask no more, narrowest first.
    pub narrower: Vec<Askable>,
    /// What ending it can and cannot do.
    pub residual: Describe,
}

/// Why the items of a request stand as they do.
#[derive(Clone, Debug)]
pub struct RequestWhy {
    /// The request, with what was recorded of each item.
    pub request: AccessRequest,
    /// The version of the policy set that was in force when it was asked.
    pub version: Option<u64>,
    /// Item by item, in its order.
    pub items: Vec<ItemWhy>,
}

/// Why one item of a request stands as it does.
#[derive(Clone, Debug)]
pub struct ItemWhy {
    /// What is missing for it to become a grant.
    pub missing: Vec<String>,
    /// Who could approve what is missing next.
    pub who_could: BTreeSet<PersonId>,
    /// How policy sees it now; none if its resource or role is gone.
    pub now: Option<WhyAnswer>,
}

impl App {
    /// Explains an ask that was not made.
    ///
    /// # Errors
    /// When a name does not resolve, or the caller may not ask about others.
    pub async fn why(&self, caller: &Caller, input: &WhyInput) -> Result<WhyAnswer, AppError> {
        let lens = match &input.policy_text {
            Some(text) if input.policy_version.is_none() => self.draft_lens(caller, text).await?,
            Some(_) => return Err(AppError::invalid("policy_text", "name a version or a text, not both")),
            None => self.lens(caller, input.policy_version, None).await?,
        };
        let world = &*lens.world;
        let names = (input.resource.as_str(), input.role.as_str());
        let (person, (resource, role)) = match &input.person {
            Some(name) if *name != caller.name.as_str() => {
                self.allow(caller, &*self.world().await?, Action::Simulate)?;
                (world.person(name).ok_or_else(|| AppError::missing("person", name))?, resolve(world, names)?)
            }
            Some(_) | None => {
                let person = world.people.get(&caller.person).ok_or(AppError::SignedOut)?;
                (person, self.look_up(caller, world, person, names, input.task.as_ref())?)
            }
        };
        if let Some(task) = &input.task {
            self.kind(&resource.kind)?.check_task(&role.definition, task)?;
        }
        let now = self.now();
        let facts = AskFacts {
            duration: input.duration.unwrap_or(Span::from_hours(1)),
            start: input.start,
            justified: input.reason.is_some(),
            ticket: input.ticket.clone(),
            task: input.task.clone(),
            job: caller.job.clone().filter(|_| person.id == caller.person),
            proof_age: if person.id == caller.person { caller.proof_age(now) } else { Span::ZERO },
            proof: caller.proof.clone(),
            now,
            used: None,
        };
        self.explain(&lens, person, resource, role, &facts)
    }

    /// Explains a grant: what was decided then, and how a policy set (the one in force, if no version is
    /// named) sees what it was given for.
    ///
    /// # Errors
    /// When there is no such grant that the caller may see, or no such version.
    pub async fn why_grant(
        &self,
        caller: &Caller,
        id: GrantId,
        version: Option<u64>,
    ) -> Result<(Recorded, WhyAnswer), AppError> {
        let grant = self.grant_for(caller, &*self.world().await?, id).await?.value;
        let recorded = self.recorded(grant).await?;
        let Recorded { grant, request, .. } = &recorded;
        let lens = self.lens(caller, version, Some(grant.basis.policy_set)).await?;
        let (resource, role) = self.grant_parts(&lens.world, grant)?;
        let person = lens.world.people.get(&grant.holder).ok_or_else(|| AppError::missing("person", grant.holder))?;
        let facts = AskFacts::of_grant(grant, &request.ask, self.now());
        let answer = self.explain(&lens, person, &resource, &role, &facts)?;
        Ok((recorded, answer))
    }

    /// Explains a request, item by item: what is missing, who could approve, what would do with less.
    ///
    /// # Errors
    /// When there is no such request that the caller may see, or no such version.
    pub async fn why_request(
        &self,
        caller: &Caller,
        id: RequestId,
        version: Option<u64>,
    ) -> Result<RequestWhy, AppError> {
        let now_world = self.world().await?;
        let request = self.request_for(caller, &now_world, id).await?.value;
        let lens = self.lens(caller, version, None).await?;
        let mut facts = AskFacts::frozen(&request.ask, self.now());
        if let Some(Parent::Extends { grant, .. }) = request.ask.parent
            && let Some(whole) = self.whole(grant, request.ask.duration).await?
        {
            facts.duration = whole;
        }
        let mut items = Vec::new();
        for (index, item) in request.items.iter().enumerate() {
            let parts = self.item_of(&lens.world, &request, index).ok();
            let person = lens.world.people.get(&request.ask.beneficiary);
            let task = request.ask.items.get(index).and_then(|asked| asked.task.as_ref());
            let facts = facts.clone().for_task(task);
            let now = match (&parts, person) {
                (Some((resource, role)), Some(person)) => Some(self.explain(&lens, person, resource, role, &facts)?),
                (_, _) => None,
            };
            let who_could = self.who_could(&now_world, &request, index)?.people.into_keys().collect();
            items.push(ItemWhy { missing: missing(item, now.as_ref()), who_could, now });
        }
        let version = self.version_at(request.at).await?;
        Ok(RequestWhy { request, version, items })
    }

    fn explain(
        &self,
        lens: &Lens,
        person: &Person,
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
    ) -> Result<WhyAnswer, AppError> {
        let world = &*lens.world;
        let set = self.policy(world)?;
        let explanation =
            self.asking(world, person.id, resource, role, facts, |query| wane_policy::explain::why(&set, query))?;
        let lock = world.lock_on(person.id, resource.id, role.id, None).map(|l| l.id.to_string());
        let asked = self.fares(world, person, resource, role, facts)?;
        let mut who_could = Vec::new();
        for stage in asked.terms.iter().flat_map(|t| &t.stages) {
            let mut people = Vec::new();
            for approver in world.approvers(&stage.approvers, person.id, resource.id, &[person.id]) {
                let given = Given { by: approver, instead_of: None, proof: FRESH, at: self.now() };
                if self.may_approve(world, given, (person.id, facts.duration), resource, role)? {
                    people.push(approver);
                }
            }
            who_could.push(people);
        }
        let kind = self.kind(&resource.kind)?;
        let mut narrower = Vec::new();
        for other in world.roles.values().filter(|r| r.kind == role.kind) {
            let does = facts.task.as_ref().is_none_or(|task| kind.check_task(&other.definition, task).is_ok());
            if !does || !kind.is_narrower(&other.definition, &role.definition) {
                continue;
            }
            let fares = self.fares(world, person, resource, other, facts)?;
            if fares.terms.is_some() && burden(&fares) <= burden(&asked) {
                narrower.push(fares);
            }
        }
        narrower.sort_by_key(|a| narrower_than(kind.as_ref(), world, &a.role));
        Ok(WhyAnswer {
            person: person.clone(),
            resource: resource.clone(),
            role: role.clone(),
            version: world.policy.version,
            era: lens.era,
            explanation,
            lock,
            who_could,
            narrower,
            residual: kind.describe(&resource.settings),
        })
    }

    /// Every role on every resource that the caller could ask for, and how it would fare.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub async fn askable(&self, caller: &Caller) -> Result<Vec<Askable>, AppError> {
        let world = self.world().await?;
        let person = world.people.get(&caller.person).ok_or(AppError::SignedOut)?;
        let facts = AskFacts::smallest(caller, self.now());
        let mut out = Vec::new();
        for resource in world.resources.values() {
            for role in world.roles.values().filter(|r| r.kind == resource.kind) {
                let fares = self.fares(&world, person, resource, role, &facts)?;
                if fares.terms.is_some() {
                    out.push(fares);
                }
            }
        }
        out.sort_by(|a, b| (&a.resource.name, &a.role.name).cmp(&(&b.resource.name, &b.role.name)));
        Ok(out)
    }

    pub(crate) fn fares(
        &self,
        world: &World,
        person: &Person,
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
    ) -> Result<Askable, AppError> {
        let locked = world.lock_on(person.id, resource.id, role.id, None).map(|l| format!("it is locked (`{}`)", l.id));
        let (terms, reasons) = match (locked, self.judge(world, person, resource, role, facts)?) {
            (Some(reason), _) => (None, vec![reason]),
            (None, Decision::Permit(permit)) => (Some(permit.terms().clone()), Vec::new()),
            (None, Decision::Deny(denial)) => (None, denial.reasons.iter().map(ToString::to_string).collect()),
        };
        Ok(Askable { resource: resource.clone(), role: role.clone(), terms, reasons })
    }
}

/// What is missing for an item to become a grant.
fn missing(item: &Item, now: Option<&WhyAnswer>) -> Vec<String> {
    match &item.state {
        ItemState::Waiting => {
            let stages = item.terms.iter().flat_map(|t| &t.stages);
            let open = (0u16..).zip(stages).filter_map(|(n, stage)| {
                let quorum = usize::from(stage.quorum).saturating_sub(item.approvals_at(n));
                let quorum = u16::try_from(quorum).ok().filter(|q| *q > 0)?;
                let left = Stage { quorum, ..stage.clone() };
                let signed = if item.needs_signatures() { ", signed" } else { "" };
                Some(format!("approval by {left}{signed}"))
            });
            open.collect()
        }
        ItemState::Denied { by: None, .. } => {
            let paths = now.into_iter().flat_map(|n| &n.explanation.paths).filter(|p| p.scope_matches);
            let unmet: BTreeSet<String> = paths.flat_map(|p| p.unmet.iter().map(ToString::to_string)).collect();
            unmet.into_iter().collect()
        }
        ItemState::Denied { by: Some(_), .. }
        | ItemState::Approved { .. }
        | ItemState::Withdrawn { .. }
        | ItemState::Lapsed { .. }
        | ItemState::Narrowed { .. } => Vec::new(),
    }
}

/// How much a role asks of people: refused is most.
fn burden(fares: &Askable) -> (usize, usize) {
    match &fares.terms {
        None => (usize::MAX, usize::MAX),
        Some(terms) => {
            let needs =
                usize::from(terms.ticket == Need::Required).saturating_add(usize::from(terms.step_up.is_some()));
            (terms.stages.len(), needs)
        }
    }
}

/// How many roles of its kind are narrower still: the narrowest has none.
fn narrower_than(kind: &dyn wane_connector::Kind, world: &World, role: &Role) -> usize {
    world
        .roles
        .values()
        .filter(|other| other.kind == role.kind && kind.is_narrower(&other.definition, &role.definition))
        .count()
}
