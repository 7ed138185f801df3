//! Figures over what was asked, granted and ended, for whoever looks after a deployment: told from the trail, within
//! bounds. Nothing here decides anything.

use std::collections::{BTreeMap, HashMap};

use wane_audit::Record;
use wane_domain::id::{GrantId, PersonId, RequestId, ResourceId, RoleId};
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_policy::schema::Action;
use wane_store::{InventoryTaken, RecordFilter, Slice};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// The longest that is looked back.
pub const MOST_DAYS: u32 = 366;
/// Records that are read at most, of each sort, the newest first.
const MOST_RECORDS: usize = 20_000;
/// What is asked for again and again, at most.
const MOST_AGAIN: usize = 20;
/// How often something is asked for that is asked for again and again.
const AGAIN: u32 = 3;
/// Inventories that are read at most, the newest first: of a hundred resources each day of a year.
const MOST_INVENTORIES: u32 = 40_000;
const DAY: i64 = 86_400_000_000;

/// What the trail comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Day by day, each from midnight UTC, none left out.
    pub days: Vec<Day>,
    /// How long approvals took: from the ask to the grant, of what needed somebody.
    pub to_grant: Spread,
    /// How long ends took, by kind of target.
    pub ends: Vec<Ends>,
    /// What was granted to the same person again and again, most often first.
    pub again: Vec<Again>,
    /// Whether there was more than is read: the oldest days are not whole then.
    pub more: bool,
}

/// One day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// When it began.
    pub begins: Time,
    /// Requests that were made.
    pub asked: u32,
    /// Grants that policy alone gave.
    pub by_policy: u32,
    /// Grants that somebody approved.
    pub approved: u32,
    /// Grants of which everything was proven to be over.
    pub closed: u32,
    /// What stood at the targets; none if none was looked at until then.
    pub stands: Option<Stands>,
}

impl Day {
    /// Of every way in that there was on the day, how many in a hundred were granted for a while: what was granted that
    /// day against the rights that stood. None if it is not known what stood, or there was neither.
    #[must_use]
    pub fn just_in_time(&self) -> Option<u8> {
        let granted = u64::from(self.by_policy) + u64::from(self.approved);
        let standing = u64::from(self.stands?.standing);
        let share = (granted * 100).checked_div(granted + standing)?;
        u8::try_from(share).ok()
    }
}

/// What stood at all targets at the end of a day, as each last said itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stands {
    /// How many targets were looked at that day. The others are counted as they were last seen.
    pub looked: u32,
    /// What was made from here and belonged to an open grant.
    pub made: u32,
    /// Rights that were not given from here.
    pub standing: u32,
    /// What was made from here and belonged to nothing: at each target the most at once that day.
    pub orphans: u32,
}

/// How some lengths of time lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many there are.
    pub count: u32,
    /// Half of them are no longer than this.
    pub half: Span,
    /// Nine of ten are no longer than this.
    pub most: Span,
    /// The longest.
    pub longest: Span,
}

/// Ends at one kind of target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Which.
    pub kind: Name,
    /// From when the end began until everything was proven to be over.
    pub took: Spread,
    /// What is promised: the worst that any target of the kind declares.
    pub promised: Span,
    /// How many took longer than was promised at their target.
    pub late: u32,
}

/// What somebody was granted again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// Who.
    pub person: PersonId,
    /// On what.
    pub resource: ResourceId,
    /// Which role.
    pub role: RoleId,
    /// How often.
    pub times: u32,
    /// When last.
    pub last: Time,
}

/// A target, as far as figures care.
#[derive(Clone, Debug)]
struct Promise {
    kind: Name,
    within: Span,
}

impl App {
    /// The figures of the last so many days, today among them.
    ///
    /// # Errors
    /// When policy does not let the caller see everybody's access, or the store cannot be read.
    pub async fn figures(&self, caller: &Caller, days: u32) -> Result<Figures, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadAccess)?;
        let now = self.now();
        let back = i64::from(days.clamp(1, MOST_DAYS)).saturating_sub(1).saturating_mul(DAY);
        let from = Time::from_micros(midnight(now).micros().saturating_sub(back));
        let mut records = Vec::new();
        let mut more = false;
        for event in ["request.opened", "grant."] {
            more |= self.read_back(event, from, &mut records).await?;
        }
        let mut promises = HashMap::new();
        for resource in world.resources.values() {
            let Ok(kind) = self.kind(&resource.kind) else { continue };
            let declared = kind.describe(&resource.settings);
            let secs = declared.residual_logins_secs.max(declared.residual_sessions_secs.unwrap_or_default());
            promises.insert(resource.id, Promise { kind: resource.kind.clone(), within: Span::from_secs(secs) });
        }
        let mut figures = told(&records, &promises, from, now);
        // What was not looked at on a day stands as it last stood.
        let taken = self.store.inventories(from, MOST_INVENTORIES).await?;
        figures.more = more || taken.len() >= MOST_INVENTORIES as usize;
        stand(&mut figures.days, &taken, |resource| world.resources.contains_key(&resource));
        Ok(figures)
    }

    /// Reads back to a moment, as far as the bound; whether there was more.
    async fn read_back(&self, event: &str, from: Time, into: &mut Vec<Record>) -> Result<bool, AppError> {
        let filter = RecordFilter { event: Some(event.to_owned()), from: Some(from), ..RecordFilter::default() };
        let mut slice = Slice::first(1000);
        let mut read = 0;
        loop {
            let page = self.store.records(filter.clone(), slice.clone()).await?;
            read += page.items.len();
            into.extend(page.items.into_iter().map(|line| line.record));
            match page.next {
                Some(_) if read >= MOST_RECORDS => return Ok(true),
                Some(next) => slice.after = Some(next),
                None => return Ok(false),
            }
        }
    }
}

/// When the day began, in UTC.
pub(crate) fn midnight(at: Time) -> Time {
    Time::from_micros(at.micros().div_euclid(DAY).saturating_mul(DAY))
}

/// What records come to, in whatever order they are.
fn told(records: &[Record], promises: &HashMap<ResourceId, Promise>, from: Time, now: Time) -> Figures {
    let mut days: Vec<Day> = Vec::new();
    let mut begins = from;
    while begins <= now {
        days.push(Day { begins, asked: 0, by_policy: 0, approved: 0, closed: 0, stands: None });
        begins = Time::from_micros(begins.micros().saturating_add(DAY));
    }
    let of = |at: Time| usize::try_from(at.micros().saturating_sub(from.micros()).div_euclid(DAY)).ok();
    let mut asked: HashMap<RequestId, Time> = HashMap::new();
    let mut ending: HashMap<GrantId, Time> = HashMap::new();
    for record in records {
        match (record.event.as_str(), record.about.request, record.about.grant) {
            ("request.opened", Some(request), _) => drop(asked.insert(request, record.at)),
            ("grant.ending", _, Some(grant)) => drop(ending.insert(grant, record.at)),
            _ => {}
        }
    }
    let mut waits = Vec::new();
    let mut took: BTreeMap<Name, (Vec<Span>, Span, u32)> = BTreeMap::new();
    let mut again: HashMap<(PersonId, ResourceId, RoleId), (u32, Time)> = HashMap::new();
    for record in records {
        let Some(day) = of(record.at).and_then(|n| days.get_mut(n)) else { continue };
        match record.event.as_str() {
            "request.opened" => day.asked += 1,
            "grant.minted" => {
                let people = record.detail.get("approvers").and_then(|list| list.as_array()).map_or(0, Vec::len);
                if people == 0 {
                    day.by_policy += 1;
                } else {
                    day.approved += 1;
                    let began = word::<RequestId>(record, "request").and_then(|request| asked.get(&request));
                    waits.extend(began.map(|began| record.at.since(*began)));
                }
                let role = word::<RoleId>(record, "role");
                if let (Some(person), Some(resource), Some(role)) = (record.about.person, record.about.resource, role) {
                    let seen = again.entry((person, resource, role)).or_insert((0, record.at));
                    *seen = (seen.0 + 1, seen.1.max(record.at));
                }
            }
            "grant.closed" => {
                day.closed += 1;
                let began = record.about.grant.and_then(|grant| ending.get(&grant));
                let promise = record.about.resource.and_then(|resource| promises.get(&resource));
                if let (Some(began), Some(promise)) = (began, promise) {
                    let span = record.at.since(*began);
                    let of = took.entry(promise.kind.clone()).or_insert((Vec::new(), Span::ZERO, 0));
                    of.0.push(span);
                    of.1 = of.1.max(promise.within);
                    of.2 += u32::from(span > promise.within);
                }
            }
            _ => {}
        }
    }
    let ends =
        took.into_iter().map(|(kind, (spans, promised, late))| Ends { kind, took: spread(spans), promised, late });
    let mut again: Vec<Again> = again
        .into_iter()
        .filter(|(_, (times, _))| *times >= AGAIN)
        .map(|((person, resource, role), (times, last))| Again { person, resource, role, times, last })
        .collect();
    again.sort_by_key(|one| (std::cmp::Reverse(one.times), std::cmp::Reverse(one.last), one.person));
    again.truncate(MOST_AGAIN);
    Figures { days, to_grant: spread(waits), ends: ends.collect(), again, more: false }
}

/// Enters what stood on each day. What was not looked at on a day stands as it last stood, while there is such a target.
fn stand(days: &mut [Day], taken: &[InventoryTaken], there: impl Fn(ResourceId) -> bool) {
    let mut of: BTreeMap<Time, Vec<&InventoryTaken>> = BTreeMap::new();
    for one in taken {
        of.entry(one.day).or_default().push(one);
    }
    let mut last: HashMap<ResourceId, &InventoryTaken> = HashMap::new();
    let mut seen = of.into_iter().peekable();
    for day in days {
        while let Some((_, looked)) = seen.next_if(|(begins, _)| *begins <= day.begins) {
            last.extend(looked.into_iter().map(|one| (one.resource, one)));
        }
        let mut stands: Option<Stands> = None;
        for one in last.values().filter(|one| one.day == day.begins || there(one.resource)) {
            let sum = stands.get_or_insert_default();
            sum.made = sum.made.saturating_add(one.made);
            sum.standing = sum.standing.saturating_add(one.standing);
            if one.day == day.begins {
                sum.looked += 1;
                sum.orphans = sum.orphans.saturating_add(one.orphans);
            }
        }
        day.stands = stands;
    }
}

fn word<T: std::str::FromStr>(record: &Record, name: &str) -> Option<T> {
    record.detail.get(name)?.as_str()?.parse().ok()
}

/// By nearest rank.
fn spread(mut spans: Vec<Span>) -> Spread {
    spans.sort_unstable();
    let rank = |tenths: usize| {
        let rank = spans.len().saturating_mul(tenths).div_ceil(10).saturating_sub(1);
        spans.get(rank).copied().unwrap_or(Span::ZERO)
    };
    Spread { count: u32::try_from(spans.len()).unwrap_or(u32::MAX), half: rank(5), most: rank(9), longest: rank(10) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wane_audit::{Actor, Outcome, Subjects};

    use super::*;

    const FROM: Time = Time::from_micros(20_000 * DAY);

    fn at(day: i64, second: i64) -> Time {
        Time::from_micros(FROM.micros() + day * DAY + second * 1_000_000)
    }

    fn id<T: wane_domain::id::TypedId>(n: u8) -> T {
        T::mint(FROM, &[n; 10])
    }

    fn record(at: Time, event: &str, n: u8, detail: serde_json::Value) -> Record {
        let about = Subjects {
            person: Some(id(1)),
            resource: Some(id(2)),
            request: Some(id(n)),
            grant: event.starts_with("grant.").then(|| id(n)),
            ..Subjects::default()
        };
        let (id, org, event) = (id(9), id(8), event.to_owned());
        Record { id, org, at, actor: Actor::System, event, outcome: Outcome::Done, about, detail }
    }

    #[test]
    fn what_happened_is_counted_by_day_and_set_against_what_is_promised() {
        let minted = |n: u8, people: &[&str]| json!({ "request": id::<RequestId>(n).to_string(), "role": id::<RoleId>(3).to_string(), "approvers": people });
        let records = [
            record(at(0, 10), "request.opened", 1, json!({})),
            record(at(0, 70), "grant.minted", 1, minted(1, &["x"])),
            record(at(0, 90), "grant.ending", 1, json!({})),
            record(at(0, 100), "grant.closed", 1, json!({})),
            record(at(1, 5), "request.opened", 2, json!({})),
            record(at(1, 5), "grant.minted", 2, minted(2, &[])),
            record(at(1, 50), "grant.ending", 2, json!({})),
            record(at(1, 80), "grant.closed", 2, json!({})),
            record(at(1, 90), "grant.minted", 3, minted(3, &[])),
            record(at(-1, 90), "grant.minted", 4, minted(4, &[])),
            record(at(1, 95), "grant.activated", 3, json!({})),
            record(at(1, 60), "grant.ending", 5, json!({})),
            record(at(1, 99), "grant.closed", 5, json!({})),
        ];
        let kind: Name = "paper".parse().unwrap();
        let promises = HashMap::from([(id(2), Promise { kind: kind.clone(), within: Span::from_secs(10) })]);
        let told = told(&records, &promises, FROM, at(1, 100));
        let day = |n, asked, by_policy, approved, closed| Day {
            begins: at(n, 0),
            asked,
            by_policy,
            approved,
            closed,
            stands: None,
        };
        assert_eq!(told.days, [day(0, 1, 0, 1, 1), day(1, 1, 2, 0, 2)]);
        let minute = Span::from_secs(60);
        assert_eq!(told.to_grant, Spread { count: 1, half: minute, most: minute, longest: minute });
        let took =
            Spread { count: 3, half: Span::from_secs(30), most: Span::from_secs(39), longest: Span::from_secs(39) };
        // What takes as long as was promised is not late.
        assert_eq!(told.ends, [Ends { kind, took, promised: Span::from_secs(10), late: 2 }]);
        let often = Again { person: id(1), resource: id(2), role: id(3), times: 3, last: at(1, 90) };
        assert_eq!(told.again, [often]);
    }

    #[test]
    fn what_was_not_looked_at_stands_as_it_last_stood_while_it_is_there() {
        let taken = |resource: u8, day, (made, standing, orphans)| InventoryTaken {
            resource: id(resource),
            day: at(day, 0),
            at: at(day, 60),
            made,
            standing,
            orphans,
        };
        let all = [
            taken(1, 2, (1, 4, 0)),
            taken(2, 1, (0, 3, 1)),
            taken(1, 1, (2, 6, 0)),
            taken(3, 1, (0, 9, 0)),
            taken(2, -3, (5, 7, 2)),
        ];
        let mut days = told(&[], &HashMap::new(), FROM, at(3, 5)).days;
        stand(&mut days, &all, |resource| resource != id(3));
        let stands = |looked, made, standing, orphans| Some(Stands { looked, made, standing, orphans });
        let said: Vec<_> = days.iter().map(|day| day.stands).collect();
        assert_eq!(said, [stands(0, 5, 7, 0), stands(3, 2, 18, 1), stands(1, 1, 7, 0), stands(0, 1, 7, 0)]);
        stand(&mut days, &[], |_| true);
        assert!(days.iter().all(|day| day.stands.is_none()), "nobody looked");
    }

    #[test]
    fn a_share_is_of_what_was_granted_and_what_stood() {
        let share = |granted, standing: Option<u32>| {
            let stands = standing.map(|standing| Stands { standing, ..Stands::default() });
            Day { begins: FROM, asked: 0, by_policy: granted, approved: 1, closed: 0, stands }.just_in_time()
        };
        assert_eq!(share(2, Some(1)), Some(75));
        assert_eq!(share(0, Some(2)), Some(33), "rounded down");
        assert_eq!(share(4, Some(0)), Some(100));
        assert_eq!(share(4, None), None, "nobody looked");
        let idle = Day { approved: 0, ..told(&[], &HashMap::new(), FROM, FROM).days[0].clone() };
        assert_eq!(Day { stands: Some(Stands::default()), ..idle }.just_in_time(), None, "there was neither");
    }

    #[test]
    fn a_spread_is_by_nearest_rank() {
        let spans = |secs: &[u64]| secs.iter().map(|s| Span::from_secs(*s)).collect::<Vec<_>>();
        let none = Spread { count: 0, half: Span::ZERO, most: Span::ZERO, longest: Span::ZERO };
        assert_eq!(spread(Vec::new()), none);
        let all = spread(spans(&[10, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
        assert_eq!((all.half.secs(), all.most.secs(), all.longest.secs()), (5, 9, 10));
    }
}
