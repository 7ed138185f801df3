//! Whom a request asks, and who may see it.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::catalogue::{Resource, Role};
use wane_domain::delegation::InsteadOf;
use wane_domain::id::{PersonId, RequestId, ResourceId};
use wane_domain::request::{AccessRequest, Approval, Item, ItemState};
use wane_domain::terms::Stage;
use wane_domain::time::Span;
use wane_domain::world::World;
use wane_policy::query::Proof;
use wane_policy::schema::Action;
use wane_store::Versioned;

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::judge::{FRESH, Given};

/// Who could approve an item now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoCould {
    /// The open stage, from 0; none if nothing waits.
    pub stage: Option<u16>,
    /// How many more are needed there.
    pub missing: usize,
    /// Who could be one of them, and on what footing.
    pub people: BTreeMap<PersonId, Footing>,
}

/// What somebody's right to answer rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footing {
    /// Whose right it is, if they stand in for somebody.
    pub instead_of: Option<InsteadOf>,
    /// How long the stage had to be open for whose right it is to be asked, if they are asked in addition.
    pub asked_after: Option<Span>,
}

/// A waiting item that somebody may answer, and on what footing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mine {
    pub(crate) index: usize,
    pub(crate) footing: Footing,
}

impl Mine {
    /// One that is settled on no approver's footing.
    pub(crate) fn of(index: usize) -> Self {
        Self { index, footing: Footing::default() }
    }
}

impl App {
    /// Who could approve an item now.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub fn who_could(&self, world: &World, request: &AccessRequest, index: usize) -> Result<WhoCould, AppError> {
        let nobody = WhoCould { stage: None, missing: 0, people: BTreeMap::new() };
        let (Some(item), Some(asked)) = (request.items.get(index), request.ask.items.get(index)) else {
            return Ok(nobody);
        };
        let (ItemState::Waiting, Some(number), Some(terms)) = (&item.state, item.open_stage(), &item.terms) else {
            return Ok(nobody);
        };
        let Some(stage) = terms.stages.get(usize::from(number)) else { return Ok(nobody) };
        let mut without = vec![request.ask.requester, request.ask.beneficiary];
        without.extend(item.approvals.iter().flat_map(Approval::people));
        let holder = request.ask.beneficiary;
        let waited = item.waited(number);
        let meant = world.meant(stage, |_| waited, (holder, asked.resource), &without);
        let (Some(resource), Some(role)) = (world.resources.get(&asked.resource), world.roles.get(&asked.role)) else {
            return Ok(nobody);
        };
        let now = self.now();
        let may = |by: PersonId, instead_of: Option<PersonId>| {
            let given = Given { by, instead_of, proof: FRESH, at: now };
            self.may_approve(world, given, (request.ask.requester, request.ask.duration), resource, role)
        };
        let mut people = BTreeMap::new();
        for (person, asked_after) in meant {
            if may(person, None)? {
                people.insert(person, Footing { asked_after, ..Footing::default() });
            }
        }
        let could: BTreeSet<PersonId> = people.keys().copied().collect();
        let about = (asked.resource, item.path.as_deref());
        for (person, instead) in world.stand_ins(&could, about, holder, &without, now) {
            if may(person, Some(instead.person))? {
                let asked_after = people.get(&instead.person).and_then(|footing: &Footing| footing.asked_after);
                people.insert(person, Footing { instead_of: Some(instead), asked_after });
            }
        }
        Ok(WhoCould {
            stage: Some(number),
            missing: usize::from(stage.quorum).saturating_sub(item.approvals_at(number)),
            people,
        })
    }

    /// The waiting items that the caller may approve: the one named, or all.
    pub(crate) fn approvable(
        &self,
        caller: &Caller,
        world: &World,
        request: &AccessRequest,
        item: Option<usize>,
    ) -> Result<Vec<Mine>, AppError> {
        let waiting = waiting_items(request, item);
        if waiting.is_empty() {
            return Err(AppError::Taken(format!(
                "nothing of request `{}` waits for a decision: it is {}",
                request.id,
                request.state_name()
            )));
        }
        if caller.person == request.ask.requester || caller.person == request.ask.beneficiary {
            return Err(AppError::NotAllowed { what: "decide a request of your own" });
        }
        let mut mine = Vec::new();
        for index in waiting {
            let Some(footing) = self.who_could(world, request, index)?.people.get(&caller.person).copied() else {
                continue;
            };
            // Who could is a list of people; whether this one may now, with the proof at hand, is asked again.
            let (resource, role) = self.item_of(world, request, index)?;
            let proof = Proof::said(&caller.proof, caller.proof_age(self.now()));
            let instead_of = footing.instead_of.map(|instead| instead.person);
            let given = Given { by: caller.person, instead_of, proof, at: self.now() };
            if self.may_approve(world, given, (request.ask.requester, request.ask.duration), &resource, &role)? {
                mine.push(Mine { index, footing });
            }
        }
        if mine.is_empty() {
            Err(AppError::NotAllowed { what: "decide this request at its present stage" })
        } else {
            Ok(mine)
        }
    }

    /// A request, if the caller may see it: it is theirs, they are among those it asks, or they may read all access.
    ///
    /// # Errors
    /// When there is none that the caller may see.
    pub async fn request_for(
        &self,
        caller: &Caller,
        world: &World,
        id: RequestId,
    ) -> Result<Versioned<AccessRequest>, AppError> {
        let missing = || AppError::missing("request", id);
        let seen = self.store.request(id).await?.ok_or_else(missing)?;
        if self.may_see_request(caller, world, &seen.value)? { Ok(seen) } else { Err(missing()) }
    }

    /// Whether the caller may see a request.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub fn may_see_request(&self, caller: &Caller, world: &World, request: &AccessRequest) -> Result<bool, AppError> {
        let of_job = caller.is_of_job(request.ask.job.as_ref().map(|asks| asks.job));
        let party = ([request.ask.requester, request.ask.beneficiary].contains(&caller.person) && of_job)
            || request.items.iter().any(|i| i.approvals.iter().flat_map(Approval::people).any(|p| p == caller.person));
        if party {
            return Ok(true);
        }
        for item in &request.ask.items {
            if self.allows_on(caller, world, Action::ReadAccess, item.resource)? {
                return Ok(true);
            }
        }
        // Whoever a stage asks, asked, or will ask, and who stands in for one of them now; after it is decided too, so
        // that nobody who just decided, or came second, is told that it never was.
        let beneficiary = request.ask.beneficiary;
        let without = [request.ask.requester, beneficiary];
        for (item, asked) in request.items.iter().zip(&request.ask.items) {
            let stages = asked_by(world, item, (beneficiary, asked.resource), &without);
            let about = (asked.resource, item.path.as_deref());
            let stands_in = |people: &BTreeSet<PersonId>| {
                world.stand_ins(people, about, beneficiary, &without, self.now()).contains_key(&caller.person)
            };
            let denied_it = matches!(item.state, ItemState::Denied { by: Some(by), .. } if by == caller.person);
            if denied_it || stages.iter().any(|people| people.contains(&caller.person) || stands_in(people)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The resource and role of an item.
    pub(crate) fn item_of(
        &self,
        world: &World,
        request: &AccessRequest,
        index: usize,
    ) -> Result<(Resource, Role), AppError> {
        let asked = request.ask.items.get(index).ok_or_else(|| AppError::missing("item", index))?;
        let resource =
            world.resources.get(&asked.resource).ok_or_else(|| AppError::missing("resource", asked.resource))?;
        let role = world.roles.get(&asked.role).ok_or_else(|| AppError::missing("role", asked.role))?;
        Ok((resource.clone(), role.clone()))
    }
}

/// Whom each stage of an item asks, asked, or will ask, those among them who were asked in addition.
pub(crate) fn asked_by(
    world: &World,
    item: &Item,
    (holder, resource): (PersonId, ResourceId),
    without: &[PersonId],
) -> Vec<BTreeSet<PersonId>> {
    let stages = item.terms.iter().flat_map(|terms| &terms.stages);
    let meant = |(number, stage): (u16, &Stage)| {
        let waited = item.waited(number);
        world.meant(stage, |_| waited, (holder, resource), without).into_keys().collect()
    };
    (0u16..).zip(stages).map(meant).collect()
}

/// The items of a request that wait: the one named, or all.
pub(crate) fn waiting_items(request: &AccessRequest, item: Option<usize>) -> Vec<usize> {
    (0..request.items.len())
        .filter(|i| item.is_none_or(|wanted| wanted == *i))
        .filter(|i| request.items.get(*i).is_some_and(|item| item.state == ItemState::Waiting))
        .collect()
}
