//! A policy set that is not in force, rehearsed: what it would have said to those who asked, beside what the one in force
//! says. Nothing is asked and nothing is changed.
//!
//! Both are asked about the same facts: what was asked, as it was asked, by the people, groups, resources and roles of
//! today. What differs is the policy's doing.

use wane_domain::decision::Decision;
use wane_domain::id::{PersonId, RequestId, ResourceId, RoleId};
use wane_domain::terms::Terms;
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_policy::schema::Action;
use wane_policy::set::PolicySet;
use wane_store::{RequestFilter, Slice};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::judge::AskFacts;

/// Requests that one rehearsal looks at, the newest first.
const MOST_REQUESTS: usize = 1000;
/// Differences that are told.
const MOST_TOLD: usize = 500;
/// After so many others get a turn.
const TURN: usize = 20;

/// What a rehearsal came to.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// Of how many asks.
    pub looked_at: usize,
    /// How many could not be asked about: the person, the resource or the role is gone.
    pub gone: usize,
    /// How many are decided otherwise.
    pub differ: usize,
    /// The first of them, the newest ask first.
    pub told: Vec<Differs>,
    /// The oldest that was looked at.
    pub since: Option<Time>,
    /// Whether there are older ones.
    pub more: bool,
}

/// An ask that is decided otherwise.
#[derive(Clone, Debug)]
pub struct Differs {
    /// The request.
    pub request: RequestId,
    /// When it was asked.
    pub at: Time,
    /// Who would hold it.
    pub person: PersonId,
    /// The resource.
    pub resource: ResourceId,
    /// The role.
    pub role: RoleId,
    /// What the set in force says.
    pub now: Fares,
    /// What the other one says.
    pub then: Fares,
}

/// How an ask fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fares {
    /// What it would be given under; none if it is refused.
    pub terms: Option<Terms>,
    /// Why it is refused.
    pub reasons: Vec<String>,
}

impl From<Decision> for Fares {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Permit(permit) => Self { terms: Some(permit.terms().clone()), reasons: Vec::new() },
            Decision::Deny(denial) => {
                Self { terms: None, reasons: denial.reasons.iter().map(ToString::to_string).collect() }
            }
        }
    }
}

impl Fares {
    /// Whether it is the same to whoever asks: why it is refused may be said in other words.
    fn is_as(&self, other: &Self) -> bool {
        self.terms == other.terms
    }
}

impl App {
    /// Asks a policy text about what was asked of late, and tells where it differs from the set in force.
    ///
    /// # Errors
    /// When the text does not validate, or policy does not let the caller read policy and everybody's requests.
    pub async fn rehearse_policy(&self, caller: &Caller, text: &str) -> Result<Rehearsal, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadPolicy)?;
        self.allow(caller, &world, Action::ReadAccess)?;
        let (in_force, other) = (self.policy(&world)?, self.compile(text)?);
        let mut out = Rehearsal::default();
        let mut slice = Slice::first(200);
        let mut seen = 0;
        loop {
            let page = self.store.requests(RequestFilter::default(), slice.clone()).await?;
            for request in page.items {
                if seen >= MOST_REQUESTS {
                    out.more = true;
                    return Ok(out);
                }
                seen += 1;
                self.rehearse(&world, (&in_force, &other), &request.value, &mut out)?;
                if seen % TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return Ok(out),
            }
        }
    }

    fn rehearse(
        &self,
        world: &World,
        (in_force, other): (&PolicySet, &PolicySet),
        request: &wane_domain::request::AccessRequest,
        out: &mut Rehearsal,
    ) -> Result<(), AppError> {
        out.since = Some(request.at);
        let person = world.people.get(&request.ask.beneficiary);
        for (index, item) in request.ask.items.iter().enumerate() {
            out.looked_at += 1;
            let (Some(person), Ok((resource, role))) = (person, self.item_of(world, request, index)) else {
                out.gone += 1;
                continue;
            };
            let facts = AskFacts::frozen(&request.ask, request.at).for_task(item.task.as_ref());
            let fares = |set: &PolicySet| {
                self.asking(world, person.id, &resource, &role, &facts, |query| wane_policy::judge::judge(set, query))
                    .map(Fares::from)
            };
            let (now, then) = (fares(in_force)?, fares(other)?);
            if now.is_as(&then) {
                continue;
            }
            out.differ += 1;
            if out.told.len() < MOST_TOLD {
                let (resource, role) = (resource.id, role.id);
                out.told.push(Differs {
                    request: request.id,
                    at: request.at,
                    person: person.id,
                    resource,
                    role,
                    now,
                    then,
                });
            }
        }
        Ok(())
    }
}
