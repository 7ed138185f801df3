//! From a record of the trail to a notice, and whom it concerns.
//!
//! Nobody is told by mail what they did themselves, unless it is a matter of security: then it may have been somebody
//! else. Who is among those asked, and whose a resource is, is said in a word ([`To`]) and looked up by whoever knows.

pub(crate) mod told;

use serde::de::DeserializeOwned;
use serde_json::Value;
use wane_audit::{Actor, Record};
use wane_domain::closure::EndCause;
use wane_domain::delegation::{Delegation, InsteadOf};
use wane_domain::grant::Grant;
use wane_domain::id::{PersonId, RequestId, ResourceId};
use wane_domain::lease::{Lease, LeaseState};
use wane_domain::request::{AccessRequest, ItemState, Parent};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;

use crate::delivery::Only;
use crate::kind::{Class, Kind};
use crate::notice::Notice;
use crate::plain::{line, quoted};
use told::Told;

/// How long an end is owed before somebody is told …
const OWED_FOR_LONG: Span = Span::from_mins(15);
/// … and then once in so long.
const AGAIN: Span = Span::from_hours(24);
/// In how long somebody is told once of one key or token that is misused.
const MISUSED_AGAIN: Span = Span::from_hours(1);

/// What a record is about, as it stands now.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// People, resources, roles.
    pub world: &'a World,
    /// The record's request.
    pub request: Option<&'a AccessRequest>,
    /// The record's grant.
    pub grant: Option<&'a Grant>,
    /// The record's lease.
    pub lease: Option<&'a Lease>,
}

/// Whom a notice concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// This person.
    Person(PersonId),
    /// Whoever could decide now what waits of this request.
    Approvers(RequestId),
    /// Whoever would have been asked, had it not been settled.
    Asked(RequestId),
    /// The resource's owners; if it has none, whoever may end access to it.
    Owners(ResourceId),
}

/// A notice with whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it says.
    pub notice: Notice,
    /// Whom it concerns.
    pub to: Vec<To>,
    /// Who is not told, because they did it.
    pub not: Option<PersonId>,
    /// What it follows from: one notice follows from one cause.
    pub cause: String,
    /// When that was, as ids are in order of.
    pub since: Time,
    /// What must still be so when it is sent.
    pub only: Option<Only>,
}

/// The notices that follow from a record.
#[must_use]
pub fn said(record: &Record, seen: &Seen<'_>) -> Vec<Said> {
    let told = Told { record, seen: *seen };
    // Who asked hears of it in other words than who is asked.
    let also = (record.event == "request.item.escalated").then(|| told.escalated()).flatten();
    let also = also.map(|(notice, to)| told.about_it(notice, to));
    first(&told).into_iter().chain(also).collect()
}

fn first(told: &Told<'_>) -> Option<Said> {
    let record = told.record;
    let (notice, to) = match record.event.as_str() {
        "request.opened" => told.opened()?,
        "request.item.approved" => told.approved()?,
        "request.item.narrowed" => told.narrowed()?,
        "request.item.escalated" => told.also_asked()?,
        "request.still_waiting" => return told.reminded(),
        "request.item.denied" => told.settled(Kind::Denied)?,
        "request.item.lapsed" => told.settled(Kind::Lapsed)?,
        "request.item.withdrawn" => told.settled(Kind::Withdrawn)?,
        "grant.minted" => told.granted()?,
        "grant.activated" => told.moved(Kind::Activated)?,
        "grant.extended" => told.moved(Kind::Extended)?,
        "grant.shortened" => told.moved(Kind::Shortened)?,
        "grant.ending" => told.ended()?,
        // Nothing was made under it: its end and its close are one.
        "grant.closed" if record.detail.get("word").is_none() => told.ended()?,
        "grant.closed" => told.closed()?,
        "session.killed" => told.cut()?,
        "session.finding" => told.found()?,
        "gateway.shut_out" => told.shut_out()?,
        "key.refused" | "token.refused" => return misused(told),
        "lease.end_tried" => return owed(told),
        "login.enrolled" => {
            told.way_in("a password and an authenticator, or a first passkey, was set up with a one-time code")?
        }
        "passkey.added" => told.way_in("a passkey was added")?,
        "passkey.removed" => told.way_in("a passkey was taken away")?,
        "identity.linked" => told.way_in("an identity at a provider was linked")?,
        "identity.unlinked" => told.way_in("an identity at a provider was taken away")?,
        "recovery.used" => told.way_in("a recovery code was used to sign in")?,
        "delegation.given" | "delegation.ended" => told.stands_in()?,
        _ => return None,
    };
    Some(told.about_it(notice, to))
}

/// An end that is owed for long, or that a person has to look at.
fn owed(told: &Told<'_>) -> Option<Said> {
    let LeaseState::Revoking { since, .. } = told.seen.lease?.state else { return None };
    let owed = told.record.at.since(since);
    let quarantined = told.record.detail.get("quarantined").is_some_and(|why| !why.is_null());
    if owed < OWED_FOR_LONG && !quarantined {
        return None;
    }
    // The same all day long, so that one day's tries are one notice.
    let day = owed.micros() / AGAIN.micros().max(1);
    let (notice, to) = told.debt(owed)?;
    let cause = format!("{}/{day}", told.seen.lease?.id);
    Some(Said {
        cause,
        since: since.plus(Span::from_micros(day.saturating_mul(AGAIN.micros()))),
        ..told.about_it(notice, to)
    })
}

/// A key or a token that is used where it may not be, as often as that may be: one notice of each an hour.
fn misused(told: &Told<'_>) -> Option<Said> {
    let (notice, to) = told.misused()?;
    let hour = told.record.at.micros().div_euclid(i64::try_from(MISUSED_AGAIN.micros()).ok()?.max(1));
    let which = told.record.detail.get("jti").or_else(|| told.record.detail.get("serial"))?;
    let cause = format!("{}/{which}/{hour}", told.seen.grant?.id);
    let since = Time::from_micros(hour.saturating_mul(i64::try_from(MISUSED_AGAIN.micros()).ok()?));
    Some(Said { cause, since, ..told.about_it(notice, to) })
}

impl Told<'_> {
    fn about_it(&self, notice: Notice, to: Vec<To>) -> Said {
        let not = match &self.record.actor {
            Actor::Person(actor) if notice.kind.class() != Class::Security => Some(*actor),
            Actor::Person(_) | Actor::System | Actor::Host(_) | Actor::Directory(_) | Actor::Unknown => None,
        };
        Said { notice, to, not, cause: self.record.id.to_string(), since: self.record.at, only: None }
    }

    /// Those a request concerns besides the ones it asks.
    fn parties(&self) -> Option<Vec<To>> {
        let ask = &self.seen.request?.ask;
        let mut to = vec![To::Person(ask.requester)];
        if ask.beneficiary != ask.requester {
            to.push(To::Person(ask.beneficiary));
        }
        Some(to)
    }

    fn holder(&self) -> Option<Vec<To>> {
        Some(vec![To::Person(self.seen.grant?.holder)])
    }

    fn opened(&self) -> Option<(Notice, Vec<To>)> {
        let request = self.seen.request?;
        // What an approver approves of something wider is decided already.
        if matches!(request.ask.parent, Some(Parent::Narrows { .. })) {
            return None;
        }
        request.items.iter().any(|item| item.state == ItemState::Waiting).then_some(())?;
        Some((self.waits()?, vec![To::Approvers(request.id)]))
    }

    fn approved(&self) -> Option<(Notice, Vec<To>)> {
        let request = self.seen.request?;
        let item = request.items.get(self.item()?)?;
        if item.state == ItemState::Waiting {
            // Somebody said yes; now the next are asked, or the others of the same stage still are.
            return Some((self.waits()?, vec![To::Approvers(request.id)]));
        }
        let by = self.name(self.read("approver")?);
        let (what, _) = self.asked()?;
        let text = format!("{by}{} approved {what}", self.instead());
        Some((self.notice(Kind::Approved, text, Vec::new(), self.use_it()), self.parties()?))
    }

    /// Those who are asked are told that more people are, and these that they are.
    fn also_asked(&self) -> Option<(Notice, Vec<To>)> {
        let request = self.seen.request?;
        let waits = request.items.get(self.item()?)?.state == ItemState::Waiting;
        let after: Span = self.read("after")?;
        let mut notice = waits.then(|| self.waits()).flatten()?;
        notice.lines.insert(0, format!("Nobody decided within {after}, so more people are asked."));
        Some((notice, vec![To::Approvers(request.id)]))
    }

    fn escalated(&self) -> Option<(Notice, Vec<To>)> {
        let (what, after) = (self.asked()?.0, self.read::<Span>("after")?);
        let who: Vec<String> = self.read("approvers")?;
        let text =
            format!("nobody decided about {what} within {after}: {} may decide it as well", line(&who.join(", ")));
        let todo = Told::todo("to see whom it waits for", format!("wane requests {}", self.seen.request?.id));
        Some((self.notice(Kind::Escalated, text, Vec::new(), Some(todo)), self.parties()?))
    }

    /// That a request still waits, to whom it waits for when that is said.
    fn reminded(&self) -> Option<Said> {
        let request = self.seen.request.filter(|request| request.is_waiting())?;
        let waits = self.waits()?;
        let notice = Notice { kind: Kind::StillWaiting, subject: format!("still waiting: {}", waits.subject), ..waits };
        let said = self.about_it(notice, vec![To::Approvers(request.id)]);
        Some(Said { only: Some(Only::Waits(request.id)), ..said })
    }

    /// In whose place somebody answered, if they stood in.
    fn instead(&self) -> String {
        let whom = self.read::<InsteadOf>("instead_of").map(|instead| self.name(instead.person));
        whom.map(|whom| format!(", in the place of {whom},")).unwrap_or_default()
    }

    fn narrowed(&self) -> Option<(Notice, Vec<To>)> {
        let (what, _) = self.asked()?;
        let text = format!("{} approved less than you asked: {what}", self.name(self.read("by")?));
        let child: RequestId = self.read("child")?;
        let lines = vec![format!("What was approved is request {child}.")];
        let todo = Told::todo("to see what was approved", format!("wane requests {child}"));
        Some((self.notice(Kind::Narrowed, text, lines, Some(todo)), self.parties()?))
    }

    fn settled(&self, kind: Kind) -> Option<(Notice, Vec<To>)> {
        let request = self.seen.request?;
        let (what, again) = self.asked()?;
        let mut lines = Vec::new();
        let (text, to) = match kind {
            Kind::Denied => {
                let by = self.read::<PersonId>("by").map_or_else(|| "policy".to_owned(), |by| self.name(by));
                lines.extend(self.text("reason").map(|reason| format!("Reason: {}", quoted(reason))));
                (format!("{by}{} denied {what}", self.instead()), self.parties()?)
            }
            Kind::Withdrawn => {
                let by = self.name(self.read("by")?);
                (format!("{by} took back the ask for {what}"), [self.parties()?, vec![To::Asked(request.id)]].concat())
            }
            _ => (format!("nobody decided in time about {what}: the ask lapsed"), self.parties()?),
        };
        let todo = (kind != Kind::Withdrawn).then(|| Told::todo("to ask again", again));
        Some((self.notice(kind, text, lines, todo), to))
    }

    fn granted(&self) -> Option<(Notice, Vec<To>)> {
        let grant = self.seen.grant?;
        let text = format!("{} is granted, for {}", self.held()?, grant.window.duration);
        let lines = vec![format!("It is to be begun by {}.", grant.window.activate_by)];
        // Who asked is told that it was approved, or was answered so at once.
        let asked = self.seen.request.map(|request| request.ask.requester);
        let to = if asked == Some(grant.holder) { Vec::new() } else { self.holder()? };
        Some((self.notice(Kind::Granted, text, lines, self.use_it()), to))
    }

    fn moved(&self, kind: Kind) -> Option<(Notice, Vec<To>)> {
        let (held, end) = (self.held()?, self.read::<Time>("end")?);
        let text = match kind {
            Kind::Extended => format!("{held} now lasts until {end}"),
            Kind::Shortened => format!("{held} now ends sooner, at {end}"),
            _ => format!("{held} runs until {end}"),
        };
        let lines = match (kind, self.read::<Time>("from")) {
            (Kind::Shortened, Some(from)) => vec![format!("It was to end at {from}; policy now allows less.")],
            (_, Some(from)) => vec![format!("It was to end at {from}.")],
            (_, None) => Vec::new(),
        };
        Some((self.notice(kind, text, lines, None), self.holder()?))
    }

    fn ended(&self) -> Option<(Notice, Vec<To>)> {
        let cause: EndCause = serde_json::from_value(self.record.detail.get("cause")?.clone()).ok()?;
        let (kind, why) = match &cause {
            EndCause::Expired => (Kind::Ended, "its time is up".to_owned()),
            EndCause::Returned => (Kind::Ended, "it was given back".to_owned()),
            EndCause::NeverActivated => (Kind::Ended, "it was not begun in time".to_owned()),
            EndCause::TaskDone { outcome } => (Kind::Ended, format!("its task is done: {}", quoted(outcome))),
            EndCause::JobOver { how } => (Kind::Ended, format!("the job that it was for is over: {}", quoted(how))),
            EndCause::Revoked { by, reason } => {
                (Kind::TakenAway, format!("{} revoked it: {}", self.name(*by), quoted(reason)))
            }
            EndCause::DeniedAfterApproval { by, reason } => {
                (Kind::TakenAway, format!("{} took the approval back: {}", self.name(*by), quoted(reason)))
            }
            EndCause::Locked { .. } => (Kind::TakenAway, "a lock covers it".to_owned()),
            EndCause::TakenAway { .. } => (Kind::TakenAway, "somebody took at the target what it gave".to_owned()),
            EndCause::LostEligibility { reason } => {
                (Kind::TakenAway, format!("policy no longer allows it: {}", quoted(reason)))
            }
        };
        let text = format!("{} has ended: {why}", self.held()?);
        let lines = vec!["Open sessions are cut, and what was made for it is taken away.".to_owned()];
        let notice = self.notice(kind, text, lines, Some(Told::todo("to ask again", self.again()?)));
        let about = crate::About { reason: Some(cause.name().to_owned()), ..notice.about };
        Some((Notice { about, ..notice }, self.holder()?))
    }

    fn closed(&self) -> Option<(Notice, Vec<To>)> {
        let word = line(self.text("word")?);
        let text = format!("{} is closed: {word}", self.held()?);
        let lines = vec!["Everything that was made for it was looked for where it was.".to_owned()];
        let notice = self.notice(Kind::Closed, text, lines, None);
        let about = crate::About { reason: Some(word), ..notice.about };
        // Whose it was knows that it ended; that it is proven is for whoever follows all of it.
        Some((Notice { about, ..notice }, Vec::new()))
    }

    fn cut(&self) -> Option<(Notice, Vec<To>)> {
        let text = format!("a session of {} was cut by {}", self.held()?, self.actor());
        let lines = self.text("reason").map(|reason| format!("Reason: {}", quoted(reason))).into_iter().collect();
        let todo = Told::todo("to see what became of the grant", format!("wane grant {}", self.seen.grant?.id));
        Some((self.notice(Kind::SessionCut, text, lines, Some(todo)), self.holder()?))
    }

    fn found(&self) -> Option<(Notice, Vec<To>)> {
        let grant = self.seen.grant?;
        let rule = quoted(self.text("rule")?);
        let follows = if self.text("then") == Some("cut") { ", and cut it" } else { "" };
        let text = format!("the rule `{rule}` found something in a session of {}{follows}", self.held()?);
        let session = line(self.text("session").unwrap_or_default());
        let lines = vec![format!("Session {session}, grant {}.", grant.id)];
        let todo = Told::todo("to see the session", format!("wane replay {session}"));
        Some((self.notice(Kind::Finding, text, lines, Some(todo)), vec![To::Owners(grant.item.resource)]))
    }

    fn shut_out(&self) -> Option<(Notice, Vec<To>)> {
        let person = self.record.about.person?;
        let text =
            format!("too many logins of {} at the gateway failed; they are refused for a while", self.name(person));
        let lines = vec!["If that was not you, somebody else tries to be you: tell whoever runs Wane.".to_owned()];
        Some((self.notice(Kind::ShutOut, text, lines, None), vec![To::Person(person)]))
    }

    fn misused(&self) -> Option<(Notice, Vec<To>)> {
        let grant = self.seen.grant?;
        let what = if self.record.event == "key.refused" { "an API key" } else { "an access token" };
        let text = format!("{what} of {} was refused: {}", self.held()?, quoted(self.text("why")?));
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.text("peer").map(|peer| format!("It came from {}.", line(peer))));
        lines.extend(self.text("server").map(|server| format!("It came to {}.", line(server))));
        lines.push("If that was not you or a program of yours, somebody else has it: give the access back, which ends every key and token of it.".to_owned());
        let todo = grant.is_live().then(|| Told::todo("to give it back", format!("wane done {}", grant.id)));
        let notice = self.notice(Kind::Misused, text, lines, todo);
        Some((notice, vec![To::Person(grant.holder), To::Owners(grant.item.resource)]))
    }

    fn way_in(&self, what: &str) -> Option<(Notice, Vec<To>)> {
        let person = self.record.about.person?;
        let text = format!("how {} signs in has changed: {what}", self.name(person));
        let lines = vec!["If that was not you, tell whoever runs Wane at once.".to_owned()];
        let todo = Told::todo("to see your ways to sign in", "wane passkey list".to_owned());
        Some((self.notice(Kind::WayIn, text, lines, Some(todo)), vec![To::Person(person)]))
    }

    fn stands_in(&self) -> Option<(Notice, Vec<To>)> {
        let Delegation { by, to, from, until, reason, ended, .. } = self.read("delegation")?;
        let (away, other) = (self.name(by), self.name(to));
        let text = match ended {
            None => format!("{other} stands in for {away} from {from} to {until}, and decides in their place"),
            Some(ended) => {
                format!("{other} does not stand in for {away} any more: {} took it back", self.name(ended.by))
            }
        };
        let mut lines: Vec<String> = reason.iter().map(|why| format!("Reason: {}", quoted(why.as_str()))).collect();
        lines.push(if ended.is_some() {
            "What was approved under it and not begun has to be approved again.".to_owned()
        } else {
            "If that is not what you meant, take it back.".to_owned()
        });
        let todo = Told::todo("to see who stands in for whom", "wane delegate list".to_owned());
        Some((self.notice(Kind::StandsIn, text, lines, Some(todo)), vec![To::Person(by), To::Person(to)]))
    }

    fn debt(&self, owed: Span) -> Option<(Notice, Vec<To>)> {
        let lease = self.seen.lease?;
        let owed = Span::from_mins(owed.secs() / 60);
        let text = format!("an end on {} is owed for {owed}", self.resource(lease.resource));
        let mut lines = vec![format!("{} under grant {} is not proven gone.", line(&lease.artifact), lease.grant)];
        lines.extend(self.text("met").map(|met| format!("The last try met: {}", quoted(met))));
        lines.extend(self.text("quarantined").map(|why| format!("A person has to look: {}", quoted(why))));
        let todo = Told::todo("to see all that is owed", "wane debts".to_owned());
        Some((self.notice(Kind::Debt, text, lines, Some(todo)), vec![To::Owners(lease.resource)]))
    }

    fn read<T: DeserializeOwned>(&self, member: &str) -> Option<T> {
        serde_json::from_value(self.record.detail.get(member)?.clone()).ok()
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.record.detail.get(member).and_then(Value::as_str)
    }

    fn item(&self) -> Option<usize> {
        usize::try_from(self.record.detail.get("item")?.as_u64()?).ok()
    }
}
