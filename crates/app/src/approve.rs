//! Approving a request: the last approval mints, extends or denies, judged once more.

use wane_audit::Actor;
use wane_domain::approval::{ApproverKey, Signed};
use wane_domain::id::{PersonId, RequestId};
use wane_domain::request::{AccessRequest, Approval, Ask, ItemEvent, ItemState, Parent};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_store::{Put, Write};

use crate::approver_keys::key_for;
use crate::asked::Mine;
use crate::caller::Caller;
use crate::change::{Change, about_request};
use crate::error::AppError;
use crate::judge::{AskFacts, Rejudged};
use crate::narrow::Narrower;
use crate::signing::{Answered, Taken, in_place_of};
use crate::{App, decide};

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
        let request = decide!(self.try_approve(caller, id, (item, less), None))?;
        self.approved(&request).await;
        Ok(request)
    }

    /// Approves what the caller was given to sign, by their signature.
    ///
    /// # Errors
    /// When the signature is not good, or what it is over is not as it was.
    pub async fn approve_signed(
        &self,
        caller: &Caller,
        id: RequestId,
        answered: &Answered,
    ) -> Result<AccessRequest, AppError> {
        let taken = self.signed(caller, id, answered).await?;
        let request = decide!(self.try_approve(caller, id, (taken.item, &taken.less), Some(&taken)))?;
        self.drafts.spend(&taken.reference);
        self.approved(&request).await;
        Ok(request)
    }

    async fn approved(&self, request: &AccessRequest) {
        // An extension that is complete now: targets that enforce an end of their own hear of the new one.
        if let Some(Parent::Extends { grant, .. }) = request.ask.parent
            && request.items.iter().any(|i| matches!(i.state, ItemState::Approved { .. }))
        {
            self.extend_targets(grant).await;
        }
    }

    async fn try_approve(
        &self,
        caller: &Caller,
        id: RequestId,
        (item, less): (Option<usize>, &Narrower),
        taken: Option<&Taken>,
    ) -> Result<AccessRequest, AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        let seen = self.request_for(caller, &world, id).await?;
        let items = self.approvable(caller, &world, &seen.value, item)?;
        match taken {
            Some(taken) => self.still_so(caller, &world, &seen.value, &items, taken)?,
            None => self.needs_no_signature(&seen.value, &items)?,
        }
        let signed = taken.map(|taken| &taken.signed);
        let mut change = self.change_at(Actor::Person(caller.person), &world, now);
        if let Some(taken) = taken {
            self.count_key(&mut change, &world, taken).await?;
        }
        let request = if less.is_nothing() {
            let mut request = seen.value.clone();
            for mine in items {
                request = self.approve_item(&mut change, &world, request, mine, (caller.person, signed), now).await?;
            }
            change.write(Write::Request(Put::over(&seen, request.clone())));
            request
        } else {
            let drawn = self.nonce();
            let nonce = taken.map_or(drawn.as_str(), |taken| &taken.child);
            self.approve_less(&mut change, &world, caller, (&seen, &items), (less, nonce), signed).await?
        };
        change.commit(point!("app.approve.commit")).await?;
        self.nudge();
        Ok(request)
    }

    /// Refuses where a path asks for signatures and none came.
    fn needs_no_signature(&self, request: &AccessRequest, items: &[Mine]) -> Result<(), AppError> {
        if items.iter().all(|mine| request.items.get(mine.index).is_some_and(|item| !item.needs_signatures())) {
            return Ok(());
        }
        let (id, page) = (request.id, format!("{}/approve/{}", self.public_url, request.id));
        let why = format!("it asks for your signature: `wane approve {id} --sign-with KEY`, or open {page}");
        Err(AppError::invalid("signature", why))
    }

    /// Refuses where what was signed is not what would be approved now.
    fn still_so(
        &self,
        caller: &Caller,
        world: &World,
        request: &AccessRequest,
        items: &[Mine],
        taken: &Taken,
    ) -> Result<(), AppError> {
        let said = &taken.good.statement;
        let (seats, narrowed) = self.seats(world, request, items, &taken.less, &taken.child)?;
        let same = said.org == self.org
            && said.request == request.digest
            && said.approver == caller.person
            && Some(said.instead_of) == in_place_of(items)
            && said.seats == seats
            && said.narrowed == narrowed;
        let counts = key_for(world, said.key, caller.person, request.at, None).is_some();
        if same && counts {
            Ok(())
        } else {
            Err(AppError::Taken("what you signed is not what would be approved now; begin again".to_owned()))
        }
    }

    /// Keeps how far a key has counted.
    async fn count_key(&self, change: &mut Change<'_>, world: &World, taken: &Taken) -> Result<(), AppError> {
        let said = &taken.good.statement;
        let Some(key) = world.approver_keys.get(&said.key) else { return Err(AppError::Contended) };
        if key.material != taken.signed.key {
            return Err(AppError::Taken("the key was used elsewhere at the same time; begin again".to_owned()));
        }
        if key.material != taken.good.key {
            let seen = self.store.seen(&key.id.to_string()).await?;
            let value = ApproverKey { material: taken.good.key.clone(), ..key.clone() };
            change.write(Write::ApproverKey(Put { value, seen }));
        }
        Ok(())
    }

    pub(crate) async fn approve_item(
        &self,
        change: &mut Change<'_>,
        world: &World,
        request: AccessRequest,
        Mine { index, footing }: Mine,
        (approver, signed): (PersonId, Option<&Signed>),
        now: Time,
    ) -> Result<AccessRequest, AppError> {
        let stage = request.items.get(index).and_then(|i| i.open_stage()).unwrap_or_default();
        let approval = Approval {
            approver,
            instead_of: footing.instead_of,
            asked_after: footing.asked_after,
            stage,
            digest: request.digest,
            at: now,
            signed: signed.cloned().map(Box::new),
        };
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
            let (request, fact) = request.apply(index, ItemEvent::Deny { by: None, instead_of: None, reason }, now)?;
            change.fact(about_request(&request, Some(index)), fact);
            Ok(request)
        };
        let Ok((resource, role)) = self.item_of(world, &request, index) else {
            return deny(change, request, "the resource or role is gone".to_owned());
        };
        let Ask { requester, beneficiary, duration, parent, .. } = request.ask;
        let task = request.ask.items.get(index).and_then(|asked| asked.task.as_ref());
        let mut facts = AskFacts::frozen(&request.ask, now).for_task(task);
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
        let unpackaged = self.not_packaged(world, &request.ask);
        let verdict = match lock {
            Some(lock) => Err(format!("it is locked (`{}`)", lock.id)),
            None if !world.is_active(requester) => Err("who asked is disabled".to_owned()),
            None if [requester, beneficiary]
                .iter()
                .filter_map(|p| world.people.get(p))
                .any(|p| world.is_unsponsored(p)) =>
            {
                Err("whoever answered for them has left".to_owned())
            }
            None if unpackaged.is_some() => Err(unpackaged.unwrap_or_default()),
            None if request.ask.items.get(index).map(|i| i.role_digest) != Some(role.digest()?) => {
                Err(format!("role `{}` was redefined after it was asked for", role.name))
            }
            None => match self.rejudge(world, &request.ask, &resource, &role, &facts, &approvals)? {
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
}
