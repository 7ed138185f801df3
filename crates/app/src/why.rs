//! Why, why not, who could approve, what could I ask for, which narrower role would do.

use wane_connector::Describe;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::Decision;
use wane_domain::directory::Person;
use wane_domain::id::{GrantId, PersonId};
use wane_domain::terms::{Need, Terms};
use wane_domain::text::{Reason, Ticket};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_policy::explain::Explanation;
use wane_policy::schema::Action;

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::judge::{AskFacts, FRESH};

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

impl App {
    /// Explains an ask that was not made.
    ///
    /// # Errors
    /// When a name does not resolve, or the caller may not ask about others.
    pub async fn why(&self, caller: &Caller, input: &WhyInput) -> Result<WhyAnswer, AppError> {
        let world = self.world().await?;
        let person = match &input.person {
            Some(name) if *name != caller.name.as_str() => {
                self.allow(caller, &world, Action::Simulate)?;
                world.person(name).ok_or_else(|| AppError::missing("person", name))?
            }
            Some(_) | None => world.people.get(&caller.person).ok_or(AppError::SignedOut)?,
        };
        let resource = world.resource(&input.resource).ok_or_else(|| AppError::missing("resource", &input.resource))?;
        let role = world.role(&resource.kind, &input.role).ok_or_else(|| AppError::missing("role", &input.role))?;
        let now = self.now();
        let facts = AskFacts {
            duration: input.duration.unwrap_or(Span::from_hours(1)),
            start: input.start,
            justified: input.reason.is_some(),
            ticket: input.ticket.clone(),
            proof_age: if person.id == caller.person { caller.proof_age(now) } else { Span::ZERO },
            proof: caller.proof.clone(),
            now,
        };
        self.explain(&world, person, resource, role, &facts)
    }

    /// Explains a grant: how the policy in force sees what it was given for.
    ///
    /// # Errors
    /// When there is no such grant that the caller may see.
    pub async fn why_grant(&self, caller: &Caller, id: GrantId) -> Result<WhyAnswer, AppError> {
        let world = self.world().await?;
        let grant = self.grant_for(caller, &world, id).await?.value;
        let (resource, role) = self.grant_parts(&world, &grant)?;
        let person = world.people.get(&grant.holder).ok_or_else(|| AppError::missing("person", grant.holder))?;
        let facts = AskFacts::of_grant(&grant, &self.ask_of(&grant).await?, self.now());
        self.explain(&world, person, &resource, &role, &facts)
    }

    fn explain(
        &self,
        world: &World,
        person: &Person,
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
    ) -> Result<WhyAnswer, AppError> {
        let set = self.policy(world)?;
        let explanation =
            self.asking(world, person.id, resource, role, facts, |query| wane_policy::explain::why(&set, query))?;
        let lock = world.lock_on(person.id, resource.id, role.id, None).map(|l| l.id.to_string());
        let asked = self.fares(world, person, resource, role, facts)?;
        let mut who_could = Vec::new();
        for stage in asked.terms.iter().flat_map(|t| &t.stages) {
            let mut people = Vec::new();
            for approver in world.approvers(&stage.approvers, person.id, resource.id, &[person.id]) {
                if self.may_approve(world, (approver, FRESH), person.id, resource, role, facts.duration)? {
                    people.push(approver);
                }
            }
            who_could.push(people);
        }
        let kind = self.kind(&resource.kind)?;
        let mut narrower = Vec::new();
        for other in world.roles.values().filter(|r| r.kind == role.kind) {
            if !kind.is_narrower(&other.definition, &role.definition) {
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
        let now = self.now();
        // The smallest ask: what could be had at all, with a reason and a ticket given.
        let facts = AskFacts {
            duration: Span::from_mins(1),
            start: None,
            justified: true,
            ticket: "any".parse().ok(),
            proof_age: caller.proof_age(now),
            proof: caller.proof.clone(),
            now,
        };
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

    fn fares(
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
