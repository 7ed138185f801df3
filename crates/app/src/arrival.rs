//! A login at the gateway without a credential: its person is invited to a page, then their grant is found,
//! or asked for and waited for, with word of how it stands.
//!
//! INVARIANT: nothing is decided here that is decided elsewhere: what is asked for goes through
//! [`App::request_for_login`], what is opened through [`App::open_session`], and both judge for themselves.

use std::time::Duration;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_connector::broker::{Goal, Invitation, Next};
use wane_domain::grant::{Grant, GrantState};
use wane_domain::id::{ArrivalId, GrantId, RequestId};
use wane_domain::request::ItemState;
use wane_domain::terms::{Mode, Need};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_store::{GrantFilter, GrantPhase, Slice};

use crate::App;
use crate::arrivals::{Arrival, Arriving, Asked, Stage, Wish};
use crate::ask::{AskInput, ItemInput};
use crate::caller::Caller;
use crate::error::AppError;
use crate::judge::AskFacts;

/// How long nothing new is waited for before the client is asked for a sign of life.
const ROUND: Duration = Duration::from_secs(1);
/// What is asked for, if policy lets it last as long.
const USUAL: Span = Span::from_hours(1);
/// Grants of one person on one resource that are looked at.
const MOST_GRANTS: u32 = 100;

impl App {
    /// Begins a login whose person is to confirm it.
    ///
    /// # Errors
    /// When too many wait, or this cannot be written down.
    pub async fn arrive(&self, who: Arriving) -> Result<(ArrivalId, Invitation), AppError> {
        let reference = self.nonce();
        let link = self.arrival_link(&reference);
        let (id, code) = self.arrivals.enter(who.clone(), &self.ambient, reference).ok_or_else(|| {
            AppError::Taken("too many logins wait to be confirmed; try again in a few minutes".to_owned())
        })?;
        let Some(arrival) = self.arrivals.get(id) else { return Err(AppError::missing("login", id)) };
        match self.note_arrival(Actor::Unknown, "arrival.asked", Outcome::Done, id, &arrival.who, None).await {
            Ok(()) => Ok((id, Invitation { link, code, until: arrival.until })),
            Err(error) => {
                self.arrivals.strike(id);
                Err(error)
            }
        }
    }

    fn arrival_link(&self, reference: &str) -> String {
        format!("{}/login/{reference}", self.public_url)
    }

    /// Begins the login of somebody who has proved who they are outside their connection.
    ///
    /// # Errors
    /// When the proof does not hold any more, or too many of theirs wait.
    pub async fn arrive_known(&self, passage: ArrivalId, who: Arriving) -> Result<ArrivalId, AppError> {
        let caller = self.passage_holds(passage).await?;
        let id = self.arrivals.enter_known(who, caller, &self.ambient, self.nonce());
        id.ok_or_else(|| AppError::Taken("too many of your logins wait; let some of them go".to_owned()))
    }

    /// What comes next of a login, waited for a moment; and until when something has to.
    ///
    /// # Errors
    /// When it comes to nothing.
    pub async fn arrival_next(&self, id: ArrivalId, answer: Option<&str>) -> Result<(Next, Time), AppError> {
        let over = |why: &str| AppError::Taken(why.to_owned());
        let get = || self.arrivals.get(id).ok_or_else(|| over("this login is over"));
        let mut arrival = get()?;
        if matches!(arrival.stage, Stage::Asked | Stage::Confirming) {
            let _ = tokio::time::timeout(ROUND, arrival.heard()).await;
            arrival = get()?;
        }
        let now = self.now();
        if now >= arrival.until {
            return Err(over(match arrival.stage {
                Stage::Asked | Stage::Confirming => "nobody confirmed this login in time",
                Stage::Waiting(..) => "nobody decided in time; the request is taken back",
                _ => "this login took too long",
            }));
        }
        let next = match arrival.stage.clone() {
            Stage::Asked | Stage::Confirming => Next::Wait,
            Stage::Over(why) => return Err(AppError::Taken(why)),
            Stage::Confirmed(caller) => {
                self.arrivals.renew(id, now);
                self.arrival_found(id, &arrival.who, caller, now).await?
            }
            Stage::Choosing(caller, grants) => self.chosen(id, caller, grants, answer)?,
            Stage::Asking(caller, wish) => self.wished(id, &arrival.who, caller, wish, answer).await?,
            Stage::Waiting(caller, request, said) => self.waited(id, caller, request, said).await?,
            Stage::Ready(caller, grant) => {
                self.activate(&caller, grant).await?;
                Next::Enter { grant, arrival: id }
            }
        };
        Ok((next, get()?.until))
    }

    /// Nobody waits for a login any more. What it asked for, and is not granted, is taken back.
    pub async fn arrival_left(&self, id: ArrivalId) {
        let Some(arrival) = self.arrivals.strike(id) else { return };
        let done = match &arrival.stage {
            Stage::Waiting(caller, request, _) => match self.withdraw(caller, *request, None).await {
                // It was decided meanwhile, and stands as it was decided.
                Ok(_) | Err(AppError::Taken(_) | AppError::Illegal(_)) => Ok(()),
                Err(error) => Err(error),
            },
            Stage::Asked
            | Stage::Confirming
            | Stage::Confirmed(_)
            | Stage::Choosing(..)
            | Stage::Asking(..)
            | Stage::Ready(..)
            | Stage::Over(_) => {
                let actor = arrival.caller().map_or(Actor::Unknown, |caller| Actor::Person(caller.person));
                let why = match &arrival.stage {
                    Stage::Over(why) => why,
                    _ => "nobody waits for it any more",
                };
                self.note_arrival(actor, "arrival.lapsed", Outcome::Denied, id, &arrival.who, Some(why)).await
            }
        };
        if let Err(error) = done {
            tracing::warn!(arrival = %id, %error, "a login is given up; that could not be written down, or its request not be taken back");
        }
    }

    /// Finds what a person who confirmed a login may do.
    async fn arrival_found(&self, id: ArrivalId, who: &Arriving, caller: Caller, now: Time) -> Result<Next, AppError> {
        let Goal::Session { resource, login } = &who.goal else { return Ok(Next::Pass(id)) };
        let to = (resource.as_str(), login.as_str());
        let world = self.world().await?;
        let mut live = self.live_for(&world, &caller, to, now).await?;
        // One that is used already comes before those that wait to be.
        if live.iter().any(|grant| matches!(grant.state, GrantState::Active { .. })) {
            live.retain(|grant| matches!(grant.state, GrantState::Active { .. }));
        }
        let hello = format!("confirmed by {}", caller.name);
        match live.as_slice() {
            // A certificate opens what its holder holds. To ask for more they have to be there.
            [] if caller.is_by_credential() => {
                let asked = self.arrivals.ask_again(id, now);
                let (arrival, code) = asked.ok_or_else(|| AppError::missing("login", id))?;
                Ok(Next::Invite(Invitation { link: self.arrival_link(&arrival.reference), code, until: arrival.until }))
            }
            [] => match self.wish(&world, &caller, to, now).await? {
                Some(wish) => {
                    let text = format!("{hello}; you hold no access for that, so `{}` is asked for", wish.role);
                    self.arrivals.put(id, Stage::Asking(caller, wish));
                    Ok(Next::Say(text))
                }
                None => {
                    Err(AppError::missing("access that you hold or may ask for as", format!("{login}` on `{resource}")))
                }
            },
            [grant] => {
                self.arrivals.put(id, Stage::Ready(caller, grant.id));
                Ok(Next::Say(hello))
            }
            several => {
                let mut text = format!("{hello}; you hold several grants that would do:\n");
                for (n, grant) in (1..).zip(several) {
                    let task = grant.item.task.as_ref().map_or(String::new(), |task| format!(", for `{task}` alone"));
                    let role = world.roles.get(&grant.item.role).map_or("", |role| role.name.as_str());
                    let end = grant.usable_until(now).map_or_else(|_| "not begun".to_owned(), |end| format!("{end}"));
                    text.push_str(&format!("\n  {n}  {role}, until {end}{task} ({})", grant.id));
                }
                let grants = several.iter().map(|grant| grant.id).collect();
                self.arrivals.put(id, Stage::Choosing(caller, grants));
                Ok(Next::Ask { text, prompt: "Which one? ".to_owned() })
            }
        }
    }

    fn chosen(
        &self,
        id: ArrivalId,
        caller: Caller,
        grants: Vec<GrantId>,
        said: Option<&str>,
    ) -> Result<Next, AppError> {
        let number = said.and_then(|said| said.trim().parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
        let grant = number.and_then(|at| grants.get(at)).copied();
        let grant = grant.ok_or_else(|| AppError::invalid("answer", "that is none of the numbers"))?;
        self.arrivals.put(id, Stage::Ready(caller, grant));
        Ok(Next::Wait)
    }

    /// Asks what is missing for a request, one after the other, and then makes it.
    async fn wished(
        &self,
        id: ArrivalId,
        who: &Arriving,
        caller: Caller,
        mut wish: Wish,
        answer: Option<&str>,
    ) -> Result<Next, AppError> {
        if let Some(said) = answer.map(str::trim) {
            let wanted = [&mut wish.reason, &mut wish.ticket].into_iter().find(|asked| **asked == Asked::Needed);
            if let (Some(asked), false) = (wanted, said.is_empty()) {
                *asked = Asked::Given(said.to_owned());
            }
        }
        let prompt = match (&wish.reason, &wish.ticket) {
            (Asked::Needed, _) => "Why do you need it? ",
            (_, Asked::Needed) => "Under which ticket? ",
            (Asked::Unneeded | Asked::Given(_), Asked::Unneeded | Asked::Given(_)) => {
                return self.ask_for(id, who, caller, &wish).await;
            }
        };
        // Whoever is asked and says nothing may think about it until the time is over.
        self.arrivals.put(id, Stage::Asking(caller, wish));
        Ok(Next::Ask { text: String::new(), prompt: prompt.to_owned() })
    }

    async fn ask_for(&self, id: ArrivalId, who: &Arriving, caller: Caller, wish: &Wish) -> Result<Next, AppError> {
        let Goal::Session { resource, .. } = &who.goal else { return Err(AppError::missing("login", id)) };
        let input = AskInput {
            items: vec![ItemInput { resource: resource.clone(), role: wish.role.clone(), task: None }],
            for_person: None,
            duration: wish.duration,
            start: None,
            reason: wish.reason.given().map(str::parse).transpose().map_err(|e| AppError::invalid("reason", e))?,
            ticket: wish.ticket.given().map(str::parse).transpose().map_err(|e| AppError::invalid("ticket", e))?,
        };
        let request = self.request_for_login(&caller, input, Some(id)).await?;
        // From here on it is taken back once nobody waits for it.
        self.arrivals.renew(id, self.now());
        if !self.arrivals.put(id, Stage::Waiting(caller.clone(), request.id, String::new())) {
            let _ = self.withdraw(&caller, request.id, None).await;
            return Err(AppError::Taken("this login is over".to_owned()));
        }
        self.waited(id, caller, request.id, String::new()).await
    }

    /// How the request of a login stands.
    async fn waited(&self, id: ArrivalId, caller: Caller, request: RequestId, said: String) -> Result<Next, AppError> {
        let world = self.world().await?;
        let seen = self.request_for(&caller, &world, request).await?.value;
        let over = |why: String| {
            self.arrivals.put(id, Stage::Over(why.clone()));
            Err(AppError::Taken(why))
        };
        let name = |person| world.people.get(person).map_or_else(|| "somebody".to_owned(), |p| p.name.to_string());
        match seen.items.first().map(|item| &item.state) {
            Some(ItemState::Waiting) => {
                let could = self.who_could(&world, &seen, 0)?;
                let people: Vec<String> = could.people.keys().map(&name).collect();
                let who = if people.is_empty() { "nobody can give now".to_owned() } else { people.join(", ") };
                let approvals = if could.missing == 1 { "approval" } else { "approvals" };
                let text = format!("`{request}` waits for {} more {approvals}: {who}", could.missing);
                if text == said {
                    tokio::time::sleep(ROUND).await;
                    return Ok(Next::Wait);
                }
                self.arrivals.put(id, Stage::Waiting(caller, request, text.clone()));
                Ok(Next::Say(text))
            }
            Some(ItemState::Approved { grant: Some(grant), .. }) => {
                self.arrivals.put(id, Stage::Ready(caller, *grant));
                Ok(Next::Say("approved".to_owned()))
            }
            Some(ItemState::Narrowed { child, .. }) => {
                self.arrivals.put(id, Stage::Waiting(caller, *child, String::new()));
                Ok(Next::Say("somebody approved less than was asked for".to_owned()))
            }
            Some(ItemState::Denied { by: Some(by), reason, .. }) => {
                over(format!("`{}` refused it: {reason}", name(by)))
            }
            Some(ItemState::Denied { by: None, reason, .. }) => over(format!("policy refused it: {reason}")),
            Some(ItemState::Withdrawn { .. }) => over("the request was taken back".to_owned()),
            Some(ItemState::Lapsed { .. }) => over("nobody decided the request in time".to_owned()),
            Some(ItemState::Approved { grant: None, .. }) | None => over("the request came to nothing".to_owned()),
        }
    }

    /// The grants of a person that are good for a login, now.
    pub(crate) async fn live_for(
        &self,
        world: &World,
        caller: &Caller,
        (resource, login): (&str, &str),
        now: Time,
    ) -> Result<Vec<Grant>, AppError> {
        let Some(resource) = world.resource(resource) else { return Ok(Vec::new()) };
        let Some(broker) = self.kind(&resource.kind)?.broker() else { return Ok(Vec::new()) };
        let filter = GrantFilter {
            holder: Some(caller.person),
            resource: Some(resource.id),
            phases: vec![GrantPhase::Scheduled, GrantPhase::Active],
            ..GrantFilter::default()
        };
        let held = self.store.grants(filter, Slice::first(MOST_GRANTS)).await?;
        let good = |grant: &Grant| {
            let usable = match &grant.state {
                GrantState::Scheduled => now >= grant.window.opens && now < grant.window.activate_by,
                GrantState::Active { .. } => grant.usable_until(now).is_ok(),
                GrantState::Ending { .. } | GrantState::Closed { .. } => false,
            };
            let role = world.roles.get(&grant.item.role);
            let as_approved = |role: &wane_domain::catalogue::Role| {
                role.digest().is_ok_and(|digest| digest == grant.item.role_digest) && broker.opens(role, login)
            };
            let through = grant.terms.mode != Mode::Direct && grant.spent.is_none();
            through && usable && role.is_some_and(as_approved) && self.still_stands(grant.id).is_ok()
        };
        Ok(held.items.into_iter().map(|grant| grant.value).filter(good).collect())
    }

    /// The roles at a resource that a person may ask for, by name.
    pub(crate) fn open_roles(
        &self,
        world: &World,
        caller: &Caller,
        resource: &str,
        now: Time,
    ) -> Result<Vec<String>, AppError> {
        let person = world.people.get(&caller.person).ok_or(AppError::SignedOut)?;
        let Some(resource) = world.resource(resource) else { return Ok(Vec::new()) };
        let facts = AskFacts::smallest(caller, now);
        let mut open = Vec::new();
        for role in world.roles.values().filter(|role| role.kind == resource.kind) {
            if self.fares(world, person, resource, role, &facts)?.terms.is_some() {
                open.push(role.name.to_string());
            }
        }
        open.sort_unstable();
        Ok(open)
    }

    /// The narrowest role that a person may ask for and that is good for a login; none if there is none.
    async fn wish(
        &self,
        world: &World,
        caller: &Caller,
        (resource, login): (&str, &str),
        now: Time,
    ) -> Result<Option<Wish>, AppError> {
        let person = world.people.get(&caller.person).ok_or(AppError::SignedOut)?;
        let Some(resource) = world.resource(resource) else { return Ok(None) };
        let kind = self.kind(&resource.kind)?;
        let Some(broker) = kind.broker() else { return Ok(None) };
        let facts = AskFacts::smallest(caller, now);
        let mut open = Vec::new();
        for role in world.roles.values().filter(|role| role.kind == resource.kind && broker.opens(role, login)) {
            let terms = self.fares(world, person, resource, role, &facts)?.terms;
            open.extend(terms.filter(|terms| terms.mode != Mode::Direct).map(|terms| (role, terms)));
        }
        // What will be run is not said at a login, so a role for some commands is the last to be asked for.
        if open.iter().any(|(role, _)| !kind.needs_gateway(&role.definition)) {
            open.retain(|(role, _)| !kind.needs_gateway(&role.definition));
        }
        let narrowest = |(role, _): &&(&wane_domain::catalogue::Role, _)| {
            !open.iter().any(|(other, _)| kind.is_narrower(&other.definition, &role.definition))
        };
        let best = open.iter().filter(narrowest).min_by_key(|(role, terms)| (terms.stages.len(), &role.name));
        let Some((role, terms)) = best else { return Ok(None) };
        // A role that gives another login only and less would do for most, so that this one needs saying why.
        let narrower = self.narrower_as_easy(world, person, resource, role, &facts, terms)?.is_some();
        let needed = |yes: bool| if yes { Asked::Needed } else { Asked::Unneeded };
        Ok(Some(Wish {
            role: role.name.to_string(),
            duration: USUAL.min(terms.max_ttl),
            reason: needed(terms.justification == Need::Required || narrower),
            ticket: needed(terms.ticket == Need::Required),
        }))
    }

    /// Writes down what became of a login.
    pub(crate) async fn note_arrival(
        &self,
        actor: Actor,
        event: &str,
        outcome: Outcome,
        id: ArrivalId,
        who: &Arriving,
        why: Option<&str>,
    ) -> Result<(), AppError> {
        let world = self.world().await?;
        let person = match &actor {
            Actor::Person(person) => Some(*person),
            _ => None,
        };
        let (named, login) = match &who.goal {
            Goal::Session { resource, login } => (Some(resource.as_str()), Some(login)),
            Goal::Passage => (None, None),
        };
        let resource = named.and_then(|name| world.resource(name)).map(|resource| resource.id);
        let about = Subjects { person, resource, ..Subjects::default() };
        let mut change = self.change(actor, self.now());
        let detail = json!({
            "arrival": id, "resource": named, "login": login, "peer": who.peer, "client": who.client, "why": why,
        });
        change.note(event, outcome, about, detail);
        change.commit(point!("app.arrival.commit")).await.map(|_| ())
    }

    /// Takes what a login was confirmed for, once, for the session it was confirmed for.
    pub(crate) fn take_arrival(&self, id: ArrivalId, grant: GrantId, who: &Arriving) -> Result<Caller, AppError> {
        let taken = self.arrivals.take(id, grant, who);
        taken.ok_or_else(|| AppError::Taken("this login was not confirmed for that, or was used".to_owned()))
    }
}

impl Asked {
    fn given(&self) -> Option<&str> {
        match self {
            Self::Given(text) => Some(text),
            Self::Unneeded | Self::Needed => None,
        }
    }
}

impl Arrival {
    /// How long is left to confirm it.
    pub(crate) fn left(&self, now: Time) -> Span {
        self.until.since(now)
    }
}
