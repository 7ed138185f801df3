//! Deciding a request: approve, approve less, deny, withdraw.

use std::collections::BTreeSet;

use wane_audit::Actor;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::id::{PersonId, RequestId};
use wane_domain::request::{AccessRequest, Approval, Ask, AskItem, ItemEvent, ItemState, Opening, Parent};
use wane_domain::terms::Stage;
use wane_domain::text::Reason;
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_policy::query::Proof;
use wane_policy::schema::Action;
use wane_store::{Put, Versioned, Write};

use crate::caller::Caller;
use crate::change::{Change, about_request};
use crate::error::AppError;
use crate::judge::{AskFacts, FRESH, Rejudged};
use crate::{App, decide};

/// Less than was asked.
#[derive(Clone, Debug, Default)]
pub struct Narrower {
    /// Shorter.
    pub duration: Option<Span>,
    /// A narrower role of the same kind.
    pub role: Option<String>,
}

impl Narrower {
    fn is_nothing(&self) -> bool {
        self.duration.is_none() && self.role.is_none()
    }
}

/// Who could approve an item now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoCould {
    /// The open stage, from 0; none if nothing waits.
    pub stage: Option<u16>,
    /// How many more are needed there.
    pub missing: usize,
    /// Who could be one of them.
    pub people: BTreeSet<PersonId>,
}

impl App {
    /// Approves the items of a request that the caller may approve now, or one of them, as asked or narrower.
    ///
    /// # Errors
    /// When the caller may not, has already, or the request no longer waits.
    pub async fn approve(
        &self,
        caller: &Caller,
        id: RequestId,
        item: Option<usize>,
        less: &Narrower,
    ) -> Result<AccessRequest, AppError> {
        let request = decide!(self.try_approve(caller, id, item, less))?;
        // An extension that is complete now: targets that enforce an end of their own hear of the new one.
        if let Some(Parent::Extends { grant, .. }) = request.ask.parent
            && request.items.iter().any(|i| matches!(i.state, ItemState::Approved { .. }))
        {
            self.extend_targets(grant).await;
        }
        Ok(request)
    }

    async fn try_approve(
        &self,
        caller: &Caller,
        id: RequestId,
        item: Option<usize>,
        less: &Narrower,
    ) -> Result<AccessRequest, AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        let seen = self.request_for(caller, &world, id).await?;
        let items = self.approvable(caller, &world, &seen.value, item)?;
        let mut change = self.change_at(Actor::Person(caller.person), &world, now);
        let request = if less.is_nothing() {
            let mut request = seen.value.clone();
            for index in items {
                request = self.approve_item(&mut change, &world, request, index, caller.person, now).await?;
            }
            change.write(Write::Request(Put::over(&seen, request.clone())));
            request
        } else {
            self.approve_less(&mut change, &world, caller, &seen, &items, less).await?
        };
        change.commit().await?;
        self.nudge();
        Ok(request)
    }

    async fn approve_item(
        &self,
        change: &mut Change<'_>,
        world: &World,
        request: AccessRequest,
        index: usize,
        approver: PersonId,
        now: Time,
    ) -> Result<AccessRequest, AppError> {
        let stage = request.items.get(index).and_then(|i| i.open_stage()).unwrap_or_default();
        let approval = Approval { approver, stage, digest: request.digest, at: now };
        let (request, fact) = request.apply(index, ItemEvent::Approve(approval), now)?;
        change.fact(about_request(&request, Some(index)), fact);
        self.finish_item(change, world, request, index, now).await
    }

    /// Mints (or extends) once an item's approvals are complete, judging once more.
    pub(crate) async fn finish_item(
        &self,
        change: &mut Change<'_>,
        world: &World,
        request: AccessRequest,
        index: usize,
        now: Time,
    ) -> Result<AccessRequest, AppError> {
        let Some(item) = request.items.get(index) else { return Ok(request) };
        if !matches!(item.state, ItemState::Approved { grant: None, .. }) {
            return Ok(request);
        }
        let approvals = item.approvals.clone();
        let deny = |change: &mut Change<'_>, request: AccessRequest, reason: String| {
            let (request, fact) = request.apply(index, ItemEvent::Deny { by: None, reason }, now)?;
            change.fact(about_request(&request, Some(index)), fact);
            Ok(request)
        };
        let Ok((resource, role)) = self.item_of(world, &request, index) else {
            return deny(change, request, "the resource or role is gone".to_owned());
        };
        let Ask { requester, beneficiary, duration, parent, .. } = request.ask;
        let mut facts = AskFacts::frozen(&request.ask, now);
        let mut covers = duration;
        let extends = match parent {
            Some(Parent::Extends { grant, .. }) => Some(grant),
            Some(Parent::Narrows { .. }) | None => None,
        };
        if let Some(grant) = extends {
            match self.whole(grant, duration).await? {
                // Policy sees the whole access that the extension makes, and the domain keeps it under the cap.
                Some(whole) => (facts.duration, covers) = (whole, Span::ZERO),
                None => return deny(change, request, "the grant it extends has ended".to_owned()),
            }
        }
        let lock = [beneficiary, requester].into_iter().find_map(|p| world.lock_on(p, resource.id, role.id, extends));
        let verdict = match lock {
            Some(lock) => Err(format!("it is locked (`{}`)", lock.id)),
            None if !world.is_active(requester) => Err("who asked is disabled".to_owned()),
            None if request.ask.items.get(index).map(|i| i.role_digest) != Some(role.digest()?) => {
                Err(format!("role `{}` was redefined after it was asked for", role.name))
            }
            None => match self.rejudge(world, beneficiary, &resource, &role, &facts, &approvals)? {
                Rejudged::Keeps(permit) if permit.terms().max_ttl >= covers => Ok(permit),
                Rejudged::Keeps(permit) => Err(format!("policy now allows at most {}", permit.terms().max_ttl)),
                Rejudged::Lost(why) => Err(why),
            },
        };
        let done = match (verdict, extends) {
            (Ok(permit), Some(grant)) => self.extend_in(change, request.clone(), index, grant, permit, now).await,
            (Ok(permit), None) => self.mint(change, request.clone(), index, permit, None, now),
            (Err(reason), _) => return deny(change, request, reason),
        };
        match done {
            // Its window has passed, or the grant has ended meanwhile: an answer, and no obstacle to the other items.
            Err(AppError::Illegal(why)) => deny(change, request, why.to_string()),
            done => done,
        }
    }

    /// The child request of an approval that narrows; the approval counts for the child.
    async fn approve_less(
        &self,
        change: &mut Change<'_>,
        world: &World,
        caller: &Caller,
        seen: &Versioned<AccessRequest>,
        items: &[usize],
        less: &Narrower,
    ) -> Result<AccessRequest, AppError> {
        let (wide, now) = (&seen.value, change.at());
        if matches!(wide.ask.parent, Some(Parent::Extends { .. })) {
            return Err(AppError::invalid("narrower", "an extension is approved as asked, or denied"));
        }
        let mut asked = Vec::new();
        let mut openings = Vec::new();
        for index in items {
            let (resource, role) = self.item_of(world, wide, *index)?;
            let role = self.narrower_role(world, &resource, &role, less)?;
            asked.push(AskItem { resource: resource.id, role: role.id, role_digest: role.digest()? });
            let item = wide.items.get(*index).ok_or_else(|| AppError::missing("item", index))?;
            match (&item.terms, &item.path) {
                (Some(terms), Some(path)) => openings.push(Opening::Path { terms: terms.clone(), path: path.clone() }),
                (Some(_) | None, _) => return Err(AppError::Fault("a waiting item has no terms".to_owned())),
            }
        }
        let parent = Parent::Narrows { request: wide.id, digest: wide.digest };
        let duration = less.duration.unwrap_or(wide.ask.duration);
        let ask = Ask { items: asked, duration, parent: Some(parent), nonce: self.nonce(), ..wide.ask.clone() };
        let within = ask.is_within(&wide.ask, |mine, theirs| self.role_within(world, mine, theirs));
        if !within || (ask.duration == wide.ask.duration && ask.items.iter().all(|i| wide.ask.items.contains(i))) {
            return Err(AppError::invalid(
                "narrower",
                "approve a shorter time or a narrower role than was asked, or approve as asked",
            ));
        }
        let id = self.ambient.id::<RequestId>();
        let (mut child, opened) = AccessRequest::open(id, ask, openings, now, wide.lapses)?;
        change.fact(about_request(&child, None), opened);
        let mut parent_request = wide.clone();
        for (at, index) in items.iter().enumerate() {
            let (narrowed, fact) =
                parent_request.apply(*index, ItemEvent::Narrow { by: caller.person, child: id }, now)?;
            change.fact(about_request(&narrowed, Some(*index)), fact);
            parent_request = narrowed;
            // Whoever approved the wider ask approved this one too: it is within it.
            let earlier = wide.items.get(*index).map(|i| i.approvals.clone()).unwrap_or_default();
            for approval in earlier {
                let (next, fact) = child.apply(at, ItemEvent::Approve(approval), now)?;
                change.fact(about_request(&next, Some(at)), fact);
                child = next;
            }
            child = self.approve_item(change, world, child, at, caller.person, now).await?;
        }
        change.write(Write::Request(Put::over(seen, parent_request)));
        change.write(Write::Request(Put::new(child.clone())));
        Ok(child)
    }

    fn narrower_role(
        &self,
        world: &World,
        resource: &Resource,
        role: &Role,
        less: &Narrower,
    ) -> Result<Role, AppError> {
        let Some(name) = &less.role else { return Ok(role.clone()) };
        let found = world.role(&resource.kind, name).ok_or_else(|| AppError::missing("role", name))?;
        let kind = self.kind(&resource.kind)?;
        if found.id != role.id && !kind.is_narrower(&found.definition, &role.definition) {
            return Err(AppError::invalid("role", format!("`{name}` is not narrower than `{}`", role.name)));
        }
        Ok(found.clone())
    }

    fn role_within(&self, world: &World, mine: &AskItem, theirs: &AskItem) -> bool {
        let (Some(narrow), Some(wide)) = (world.roles.get(&mine.role), world.roles.get(&theirs.role)) else {
            return false;
        };
        narrow.kind == wide.kind
            && self.kinds.get(narrow.kind.as_str()).is_some_and(|k| k.is_narrower(&narrow.definition, &wide.definition))
    }

    /// Denies the items the caller may decide, or one of them.
    ///
    /// # Errors
    /// When the caller may not, or the request no longer waits.
    pub async fn deny(
        &self,
        caller: &Caller,
        id: RequestId,
        item: Option<usize>,
        reason: &Reason,
    ) -> Result<AccessRequest, AppError> {
        decide!(async {
            let world = self.world().await?;
            let now = self.now();
            let seen = self.request_for(caller, &world, id).await?;
            // Whoever may revoke may deny, besides whoever could approve.
            let items = match self.approvable(caller, &world, &seen.value, item) {
                Ok(items) => items,
                Err(error) if self.allows(caller, &world, Action::Revoke)? => {
                    let waiting = waiting_items(&seen.value, item);
                    if waiting.is_empty() { return Err(error) } else { waiting }
                }
                Err(error) => return Err(error),
            };
            let event = || ItemEvent::Deny { by: Some(caller.person), reason: reason.as_str().to_owned() };
            self.apply_items(caller, &world, seen, &items, event, now).await
        })
    }

    /// Takes a request back, or one item of it.
    ///
    /// # Errors
    /// When it is not the caller's, or no longer waits.
    pub async fn withdraw(
        &self,
        caller: &Caller,
        id: RequestId,
        item: Option<usize>,
    ) -> Result<AccessRequest, AppError> {
        decide!(async {
            let world = self.world().await?;
            let now = self.now();
            let seen = self.request_for(caller, &world, id).await?;
            let items = match item {
                Some(index) => vec![index],
                None => waiting_items(&seen.value, None),
            };
            if items.is_empty() {
                return Err(AppError::Taken(format!("nothing of request `{id}` waits any more")));
            }
            self.apply_items(caller, &world, seen, &items, || ItemEvent::Withdraw { by: caller.person }, now).await
        })
    }

    async fn apply_items(
        &self,
        caller: &Caller,
        world: &World,
        seen: Versioned<AccessRequest>,
        items: &[usize],
        event: impl Fn() -> ItemEvent,
        now: Time,
    ) -> Result<AccessRequest, AppError> {
        let mut change = self.change_at(Actor::Person(caller.person), world, now);
        let mut request = seen.value.clone();
        for index in items {
            let (next, fact) = request.apply(*index, event(), now)?;
            change.fact(about_request(&next, Some(*index)), fact);
            request = next;
        }
        change.write(Write::Request(Put::over(&seen, request.clone())));
        change.commit().await?;
        Ok(request)
    }

    /// Lapses what of a request was not decided in time.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn lapse(&self, id: RequestId) -> Result<(), AppError> {
        decide!(async {
            let now = self.now();
            let Some(seen) = self.store.request(id).await? else { return Ok(()) };
            if now < seen.value.lapses {
                return Ok(());
            }
            let mut change = self.change(Actor::System, now);
            let mut request = seen.value.clone();
            for index in waiting_items(&seen.value, None) {
                let (next, fact) = request.apply(index, ItemEvent::Lapse, now)?;
                change.fact(about_request(&next, Some(index)), fact);
                request = next;
            }
            if request == seen.value {
                return Ok(());
            }
            change.write(Write::Request(Put::over(&seen, request)));
            change.commit().await.map(|_| ())
        })
    }

    /// Who could approve an item now.
    ///
    /// # Errors
    /// When the policy set cannot be used.
    pub fn who_could(&self, world: &World, request: &AccessRequest, index: usize) -> Result<WhoCould, AppError> {
        let nobody = WhoCould { stage: None, missing: 0, people: BTreeSet::new() };
        let (Some(item), Some(asked)) = (request.items.get(index), request.ask.items.get(index)) else {
            return Ok(nobody);
        };
        let (ItemState::Waiting, Some(number), Some(terms)) = (&item.state, item.open_stage(), &item.terms) else {
            return Ok(nobody);
        };
        let Some(stage) = terms.stages.get(usize::from(number)) else { return Ok(nobody) };
        let mut without = vec![request.ask.requester, request.ask.beneficiary];
        without.extend(item.approvals.iter().map(|a| a.approver));
        let mut people = world.approvers(&stage.approvers, request.ask.beneficiary, asked.resource, &without);
        let (Some(resource), Some(role)) = (world.resources.get(&asked.resource), world.roles.get(&asked.role)) else {
            return Ok(nobody);
        };
        let mut may = BTreeSet::new();
        for person in people.iter().copied() {
            if self.may_approve(world, (person, FRESH), request.ask.requester, resource, role, request.ask.duration)? {
                may.insert(person);
            }
        }
        people = may;
        Ok(WhoCould {
            stage: Some(number),
            missing: usize::from(stage.quorum).saturating_sub(item.approvals_at(number)),
            people,
        })
    }

    /// The waiting items that the caller may approve: the one named, or all.
    fn approvable(
        &self,
        caller: &Caller,
        world: &World,
        request: &AccessRequest,
        item: Option<usize>,
    ) -> Result<Vec<usize>, AppError> {
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
            if !self.who_could(world, request, index)?.people.contains(&caller.person) {
                continue;
            }
            // Who could is a list of people; whether this one may now, with the proof at hand, is asked again.
            let (resource, role) = self.item_of(world, request, index)?;
            let proof = Proof { how: &caller.proof, age: caller.proof_age(self.now()) };
            let Ask { requester, duration, .. } = request.ask;
            if self.may_approve(world, (caller.person, proof), requester, &resource, &role, duration)? {
                mine.push(index);
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
        let party = [request.ask.requester, request.ask.beneficiary].contains(&caller.person)
            || request.items.iter().any(|i| i.approvals.iter().any(|a| a.approver == caller.person));
        if party {
            return Ok(true);
        }
        for item in &request.ask.items {
            if self.allows_on(caller, world, Action::ReadAccess, item.resource)? {
                return Ok(true);
            }
        }
        // Whoever a stage asks, asked, or will ask; after it is decided too, so that nobody who just
        // decided, or came second, is told that it never was.
        let beneficiary = request.ask.beneficiary;
        let without = [request.ask.requester, beneficiary];
        for (item, asked) in request.items.iter().zip(&request.ask.items) {
            let stages = item.terms.iter().flat_map(|t| &t.stages);
            let named = |stage: &Stage| world.approvers(&stage.approvers, beneficiary, asked.resource, &without);
            let denied_it = matches!(item.state, ItemState::Denied { by: Some(by), .. } if by == caller.person);
            if denied_it || stages.map(named).any(|people| people.contains(&caller.person)) {
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

fn waiting_items(request: &AccessRequest, item: Option<usize>) -> Vec<usize> {
    (0..request.items.len())
        .filter(|i| item.is_none_or(|wanted| wanted == *i))
        .filter(|i| request.items.get(*i).is_some_and(|item| item.state == ItemState::Waiting))
        .collect()
}
