//! Making notices of the trail: each record is read once, and what follows is written in the commit that says so.

use std::collections::BTreeSet;

use serde_json::json;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::catalogue::{Owner, Resource};
use wane_domain::id::{PersonId, RequestId, ResourceId};
use wane_domain::request::{AccessRequest, AskItem, Item};
use wane_domain::time::Span;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_notice::{
    Class, Delivery, DeliveryState, Said, Seen as About, To, WaitsFor, Warning, address, before_end, delivery_id, said,
    wants,
};
use wane_policy::schema::Action;
use wane_store::{Seen, Sequenced, Write};

use super::{Carries, MOST_WAITING, Notices};
use crate::App;
use crate::asked::asked_by;
use crate::error::AppError;
use crate::judge::FRESH;

/// How many records one look reads.
const STRETCH: u32 = 200;
/// A record that is read later than this after it was written makes no notice: whoever turns notices on, or on again,
/// wants those of today and not those of a year.
const STALE: Span = Span::from_hours(24);
/// The most people whom one notice goes to.
const MOST_PEOPLE: usize = 200;

/// How far the trail was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Up to this record.
    pub to: u64,
    /// Whether there may be more at once.
    pub more: bool,
}

impl App {
    /// Reads on in the trail from a place (or from where the store says it was read to) and writes down what follows.
    ///
    /// INVARIANT: how far was read moves in the commit that holds what follows, so that nothing is lost or made twice,
    /// wherever this ends (held by `what_was_sent_and_not_booked_comes_again_under_the_same_id`).
    ///
    /// # Errors
    /// When the store cannot be used; it is read again then.
    pub async fn read_for_notices(&self, from: Option<u64>) -> Result<Read, AppError> {
        let Some(notices) = self.notices.get().filter(|notices| !notices.channels.is_empty()) else {
            return Ok(Read { to: from.unwrap_or(0), more: false });
        };
        let kept = self.store.notices_read().await?;
        let Some(kept) = kept else { return self.begin_notices().await };
        let from = from.unwrap_or(kept).max(kept);
        let records = self.store.records_after(from, STRETCH).await?;
        let Some(last) = records.last().map(|last| last.seq) else { return Ok(Read { to: from, more: false }) };
        let more = records.len() >= usize::try_from(STRETCH).unwrap_or(usize::MAX);
        let made = self.made_of(notices, &records).await?;
        // Where nothing follows nothing is written: it would be one more record to read.
        if !made.is_empty() {
            self.write_down(notices, made, (kept, last)).await?;
        }
        Ok(Read { to: last, more })
    }

    /// Notices begin with what happens from now on.
    async fn begin_notices(&self) -> Result<Read, AppError> {
        let head = self.store.head().await?;
        let mut change = self.change(Actor::System, self.now());
        let channels: Vec<&str> = self.channels().iter().map(|channel| channel.name.as_str()).collect();
        let detail = json!({ "after": head, "channels": channels });
        change.note("notices.begun", Outcome::Done, Subjects::default(), detail);
        change.write(Write::NoticesRead(Seen::Nothing, head));
        change.commit(point!("app.notices.begin.commit")).await?;
        Ok(Read { to: head, more: true })
    }

    async fn made_of(&self, notices: &Notices, records: &[Sequenced]) -> Result<Vec<Delivery>, AppError> {
        let (world, now) = (self.world().await?, self.now());
        let mut made = Vec::new();
        for Sequenced { record, .. } in records {
            if record.at.plus(STALE) < now || !is_told(&record.event) {
                continue;
            }
            self.made_of_one(notices, &world, record, &mut made).await?;
        }
        Ok(made)
    }

    async fn made_of_one(
        &self,
        notices: &Notices,
        world: &World,
        record: &Record,
        made: &mut Vec<Delivery>,
    ) -> Result<(), AppError> {
        let about = &record.about;
        let request = match about.request {
            Some(id) => self.store.request(id).await?.map(|seen| seen.value),
            None => None,
        };
        let grant = match about.grant {
            Some(id) => self.store.grant(id).await?.map(|seen| seen.value),
            None => None,
        };
        let lease = match about.lease {
            Some(id) => self.store.lease(id).await?.map(|seen| seen.value),
            None => None,
        };
        let seen = About { world, request: request.as_ref(), grant: grant.as_ref(), lease: lease.as_ref() };
        for said in said(record, &seen) {
            let people = self.concerned(world, request.as_ref(), &said)?;
            made.extend(self.addressed(notices, world, &said, &people));
        }
        for warning in before_end(record, &seen) {
            made.extend(self.warned(notices, world, &warning));
        }
        Ok(())
    }

    /// One delivery over each channel to each it concerns.
    fn addressed(&self, notices: &Notices, world: &World, said: &Said, people: &BTreeSet<PersonId>) -> Vec<Delivery> {
        let Said { notice, cause, since, only, .. } = said;
        let now = self.now();
        let one = |channel: &str, to: Option<PersonId>| Delivery {
            id: delivery_id(
                *since,
                cause,
                notice.kind.word(),
                channel,
                &to.map(|id| id.to_string()).unwrap_or_default(),
            ),
            channel: channel.to_owned(),
            to,
            notice: notice.clone(),
            made: now,
            expires: now.plus(notices.try_for),
            only: *only,
            tries: 0,
            state: DeliveryState::Waiting(WaitsFor { next: now, last: None }),
        };
        let mut all = Vec::new();
        for channel in &notices.channels {
            match &channel.carries {
                Carries::Messages(kinds) if kinds.is_empty() || kinds.contains(&notice.kind) => {
                    all.push(one(&channel.name, None));
                }
                Carries::Messages(_) => {}
                Carries::ToPeople => {
                    let wanted = people.iter().filter(|id| is_told_so(world, **id, notice.kind.class()));
                    all.extend(wanted.take(MOST_PEOPLE).map(|id| one(&channel.name, Some(*id))));
                }
            }
        }
        all
    }

    fn warned(&self, notices: &Notices, world: &World, warning: &Warning) -> Vec<Delivery> {
        let Warning { notice, to, due, expires, only } = warning;
        let mut all = Vec::new();
        for channel in &notices.channels {
            let to = match &channel.carries {
                Carries::Messages(kinds) if kinds.is_empty() || kinds.contains(&notice.kind) => None,
                Carries::ToPeople if is_told_so(world, *to, notice.kind.class()) => Some(*to),
                Carries::Messages(_) | Carries::ToPeople => continue,
            };
            all.push(Delivery {
                id: warning.id(&channel.name),
                channel: channel.name.clone(),
                to,
                notice: notice.clone(),
                made: self.now(),
                expires: *expires,
                only: Some(*only),
                tries: 0,
                state: DeliveryState::Waiting(WaitsFor { next: *due, last: None }),
            });
        }
        all
    }

    /// Writes down what was made, and how far was read.
    async fn write_down(
        &self,
        notices: &Notices,
        made: Vec<Delivery>,
        (kept, last): (u64, u64),
    ) -> Result<(), AppError> {
        let mut change = self.change(Actor::System, self.now());
        let mut told = serde_json::Map::new();
        for channel in &notices.channels {
            let waiting = self.store.deliveries_waiting(&channel.name).await?;
            let room = usize::try_from(MOST_WAITING.saturating_sub(waiting)).unwrap_or(usize::MAX);
            let mine: Vec<&Delivery> = made.iter().filter(|delivery| delivery.channel == channel.name).collect();
            let over = mine.len().saturating_sub(room);
            if over > 0 {
                tracing::error!(channel = %channel.name, over, "too many notices wait for this channel; these are not sent over it");
                let detail = json!({ "channel": channel.name, "count": over, "waiting": waiting });
                change.note("notices.overflowed", Outcome::Failed, Subjects::default(), detail);
            }
            told.insert(channel.name.clone(), json!(mine.len().min(room)));
            for delivery in mine.into_iter().take(room) {
                change.write(Write::EnterDelivery(delivery.clone()));
            }
        }
        change.note("notices.made", Outcome::Done, Subjects::default(), json!({ "up_to": last, "deliveries": told }));
        change.write(Write::NoticesRead(Seen::Generation(kept), last));
        change.commit(point!("app.notices.made.commit")).await.map(|_| ())
    }

    /// Whom a notice concerns, less who did it.
    fn concerned(
        &self,
        world: &World,
        request: Option<&AccessRequest>,
        said: &Said,
    ) -> Result<BTreeSet<PersonId>, AppError> {
        let mut people = BTreeSet::new();
        for to in &said.to {
            match to {
                To::Person(id) => drop(people.insert(*id)),
                To::Approvers(id) => people.extend(self.who_decides(world, of(request, *id))?),
                To::Asked(id) => people.extend(asked(world, of(request, *id))),
                To::Owners(id) => people.extend(self.owners(world, *id)?),
            }
        }
        people.retain(|id| Some(*id) != said.not && world.people.contains_key(id));
        Ok(people)
    }

    /// Who could decide now what waits of a request.
    pub(crate) fn who_decides(
        &self,
        world: &World,
        request: Option<&AccessRequest>,
    ) -> Result<BTreeSet<PersonId>, AppError> {
        let Some(request) = request else { return Ok(BTreeSet::new()) };
        let mut people = BTreeSet::new();
        for index in 0..request.items.len() {
            people.extend(self.who_could(world, request, index)?.people.into_keys());
        }
        Ok(people)
    }

    /// A resource's owners; if it has none, whoever may end access to it and has an address.
    fn owners(&self, world: &World, id: ResourceId) -> Result<BTreeSet<PersonId>, AppError> {
        let owner = world.resources.get(&id).and_then(|resource: &Resource| resource.owner);
        let mut people: BTreeSet<PersonId> = match owner {
            Some(Owner::Person(person)) => [person].into(),
            Some(Owner::Group(group)) => world.groups.get(&group).map(|g| g.members.clone()).unwrap_or_default(),
            None => BTreeSet::new(),
        };
        people.retain(|person| world.is_active(*person));
        if people.is_empty() {
            for person in world.people.values().filter(|person| address(person).is_some()) {
                let may = self.judge_action_on(world, person.id, FRESH, Action::Revoke, id)?
                    || self.judge_action(world, person.id, "password+totp", Span::ZERO, Action::Revoke)?;
                if may {
                    people.insert(person.id);
                }
            }
        }
        Ok(people)
    }
}

/// Records that may be told about: others need not be looked at.
fn is_told(event: &str) -> bool {
    let heads = ["request.", "grant.", "lease.end_tried", "session.killed", "session.finding", "gateway.shut_out"];
    let refused = ["key.refused", "token.refused"];
    let ways = ["login.enrolled", "passkey.", "identity.", "recovery.used", "delegation."];
    heads.iter().chain(&refused).chain(&ways).any(|head| event.starts_with(head))
}

fn of(request: Option<&AccessRequest>, id: RequestId) -> Option<&AccessRequest> {
    request.filter(|request| request.id == id)
}

/// Whoever a stage of the request named.
fn asked(world: &World, request: Option<&AccessRequest>) -> BTreeSet<PersonId> {
    let Some(request) = request else { return BTreeSet::new() };
    let without = [request.ask.requester, request.ask.beneficiary];
    let items = request.items.iter().zip(&request.ask.items);
    let people = |(item, asked): (&Item, &AskItem)| {
        asked_by(world, item, (request.ask.beneficiary, asked.resource), &without).into_iter().flatten()
    };
    items.flat_map(people).collect()
}

/// Whether a person gets mail of this sort.
fn is_told_so(world: &World, id: PersonId, class: Class) -> bool {
    world.people.get(&id).is_some_and(|person| wants(person, class))
}
