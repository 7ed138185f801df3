//! Asking for access: the answer (granted, who must approve, denied and why) comes in the same call.

use wane_audit::Actor;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::{Decision, Permit, Why};
use wane_domain::directory::Person;
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::id::{ArrivalId, GrantId, PersonId, RequestId};
use wane_domain::request::{AccessRequest, Ask, AskItem, MOST_ITEMS, Opening, Start};
use wane_domain::task::Task;
use wane_domain::terms::Terms;
use wane_domain::text::{Reason, Ticket};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_store::{GrantFilter, GrantPhase, Put, RequestFilter, Slice, Write, whole};

use crate::asked::waiting_items;
use crate::caller::Caller;
use crate::change::{Change, about_grant, about_request};
use crate::error::AppError;
use crate::judge::AskFacts;
use crate::{App, decide};

/// No single ask is longer than this, whatever policy says.
pub const MOST_DURATION: Span = Span::from_hours(24 * 366);

/// How long a request with several paths waits if no path says.
const DEFAULT_APPROVAL_WINDOW: Span = Span::from_hours(24);

/// One role on one resource that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemInput {
    /// The resource's name.
    pub resource: String,
    /// The role's name.
    pub role: String,
    /// The one command that it is for, if for one.
    pub task: Option<Task>,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct AskInput {
    /// The roles on resources.
    pub items: Vec<ItemInput>,
    /// For whom, if not for oneself.
    pub for_person: Option<String>,
    /// For how long.
    pub duration: Span,
    /// From when; now if left out.
    pub start: Option<Time>,
    /// Why.
    pub reason: Option<Reason>,
    /// Under which ticket.
    pub ticket: Option<Ticket>,
}

/// How policy answered one item.
#[expect(clippy::large_enum_variant, reason = "a few of them live for one call")]
enum Answer {
    Path { terms: Terms, path: String, permit: Permit },
    Covered(GrantId),
    Denied(Vec<Why>),
}

impl App {
    /// Freezes an ask, judges it, and grants at once what policy alone grants.
    ///
    /// # Errors
    /// When a name does not resolve, the input is unusable, or the caller may not ask for others.
    pub async fn request_access(&self, caller: &Caller, input: AskInput) -> Result<AccessRequest, AppError> {
        self.request_for_login(caller, input, None).await
    }

    /// The same for a login at the gateway, which waits for it.
    pub(crate) async fn request_for_login(
        &self,
        caller: &Caller,
        input: AskInput,
        arrival: Option<ArrivalId>,
    ) -> Result<AccessRequest, AppError> {
        check_input(&input, self.now())?;
        decide!(self.try_request(caller, &input, arrival))
    }

    async fn try_request(
        &self,
        caller: &Caller,
        input: &AskInput,
        arrival: Option<ArrivalId>,
    ) -> Result<AccessRequest, AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        if !world.is_active(caller.person) {
            return Err(AppError::SignedOut);
        }
        self.heard_of(caller.person, now)?;
        let job = self.asks_in_job(caller, &world, input.for_person.as_deref()).await?;
        let beneficiary = match &input.for_person {
            Some(name) if *name != caller.name.as_str() => {
                let person = world.person(name);
                // Managers ask for those they manage; others who enter people may too. To everybody else
                // a name that nobody has looks like any other.
                if person.is_none_or(|p| p.manager != Some(caller.person)) {
                    self.allow(caller, &world, wane_policy::schema::Action::ManageDirectory)?;
                }
                person.ok_or_else(|| AppError::missing("person", name))?
            }
            Some(_) | None => world.people.get(&caller.person).ok_or(AppError::SignedOut)?,
        };
        self.check_open_requests(caller).await?;
        let pairs = match self.found(caller, &world, beneficiary, &input.items) {
            Err(hidden @ AppError::Missing { .. }) => {
                self.note_refused(caller, &world, beneficiary, input, now).await?;
                return Err(hidden);
            }
            found => found?,
        };
        let facts = AskFacts::of(input, caller, now);
        let mut answers = Vec::with_capacity(pairs.len());
        for ((resource, role), asked) in pairs.iter().zip(&input.items) {
            if let Some(task) = &asked.task {
                self.kind(&resource.kind)?.check_task(&role.definition, task)?;
            }
            let facts = facts.clone().for_task(asked.task.as_ref());
            answers.push(self.answer(&world, (caller.person, beneficiary), resource, role, &facts).await?);
        }
        let ask = Ask { arrival, job: caller.job.clone(), ..self.freeze(caller, beneficiary, &pairs, input)? };
        let (openings, permits): (Vec<_>, Vec<_>) = answers.into_iter().map(split).unzip();
        let mut change = self.change_at(Actor::Person(caller.person), &world, now);
        // Only while the job goes on: one that ends in this instant takes along what was asked before, or conflicts.
        if let Some(job) = &job {
            change.write(Write::Job(Put::over(job, job.value.clone())));
        }
        let lapses = now.plus(approval_window(&openings));
        let (mut request, opened) = AccessRequest::open(self.ambient.id::<RequestId>(), ask, openings, now, lapses)?;
        change.fact(about_request(&request, None), opened);
        for (index, permit) in permits.into_iter().enumerate() {
            let Some(permit) = permit else { continue };
            let again = match input.start {
                // A grant from now on is usable at once; activation is its own judgement.
                None => {
                    let task = input.items.get(index).and_then(|asked| asked.task.as_ref());
                    let facts = facts.clone().for_task(task);
                    Some(self.permit_now(&world, beneficiary, pairs.get(index), &facts)?)
                }
                Some(_) => None,
            };
            request = self.mint(&mut change, request, index, permit, again, now)?;
        }
        change.write(Write::Request(Put::new(request.clone())));
        let _turn = self.turn_to_wait(caller, &request).await?;
        change.commit(point!("app.ask.commit")).await?;
        self.nudge();
        Ok(request)
    }

    /// If a request would wait: the right to be the only one of its asker to be added now. Asked at the
    /// same instant, many would all see the same number of open ones.
    pub(crate) async fn turn_to_wait(
        &self,
        caller: &Caller,
        request: &AccessRequest,
    ) -> Result<Option<tokio::sync::MutexGuard<'_, ()>>, AppError> {
        if waiting_items(request, None).is_empty() {
            return Ok(None);
        }
        let turn = self.asking.of(caller.person).lock().await;
        self.check_open_requests(caller).await?;
        Ok(Some(turn))
    }

    async fn answer(
        &self,
        world: &World,
        (requester, person): (PersonId, &Person),
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
    ) -> Result<Answer, AppError> {
        // Whoever is locked asks for nobody else either.
        let lock = [person.id, requester].into_iter().find_map(|who| world.lock_on(who, resource.id, role.id, None));
        if let Some(lock) = lock {
            return Ok(Answer::Denied(vec![Why::Locked { lock: lock.id.to_string() }]));
        }
        if !world.is_active(person.id) {
            return Ok(Answer::Denied(vec![Why::Disabled]));
        }
        let start = facts.start.unwrap_or(facts.now);
        let asker = world.people.get(&requester).filter(|asker| world.is_unsponsored(asker)).map(|_| Why::Unsponsored);
        if let Some(why) = asker.or_else(|| self.stays_not(world, person, start)) {
            return Ok(Answer::Denied(vec![why]));
        }
        if let Some(grant) = self.covering(person, resource, role, facts).await? {
            return Ok(Answer::Covered(grant));
        }
        Ok(match self.judge(world, person, resource, role, facts)? {
            Decision::Deny(denial) => Answer::Denied(denial.reasons),
            Decision::Permit(permit) => {
                match self.narrower_as_easy(world, person, resource, role, facts, permit.terms())? {
                    Some(role) if !facts.justified => Answer::Denied(vec![Why::NarrowerWouldDo { role }]),
                    Some(_) | None => Answer::Path {
                        terms: permit.terms().clone(),
                        path: permit.basis().path.clone().unwrap_or_default(),
                        permit,
                    },
                }
            }
        })
    }

    /// The narrowest role that gives less than this one, does for the task if there is one, and is had with no more
    /// stages of approval.
    pub(crate) fn narrower_as_easy(
        &self,
        world: &World,
        person: &Person,
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
        terms: &Terms,
    ) -> Result<Option<String>, AppError> {
        let kind = self.kind(&resource.kind)?;
        let mut best: Option<&Role> = None;
        for other in world.roles.values().filter(|r| r.kind == role.kind) {
            let within = best.unwrap_or(role);
            let does = facts.task.as_ref().is_none_or(|task| kind.check_task(&other.definition, task).is_ok());
            if !does || !kind.is_narrower(&other.definition, &within.definition) {
                continue;
            }
            if let Decision::Permit(permit) = self.judge(world, person, resource, other, facts)?
                && permit.terms().stages.len() <= terms.stages.len()
            {
                best = Some(other);
            }
        }
        Ok(best.map(|role| role.name.to_string()))
    }

    /// The live grant that already gives all that is asked, if there is one. One for a task covers nothing, and
    /// nothing covers an ask for one: what is approved there is that one command.
    async fn covering(
        &self,
        person: &Person,
        resource: &Resource,
        role: &Role,
        facts: &AskFacts,
    ) -> Result<Option<GrantId>, AppError> {
        if facts.start.is_some() || facts.task.is_some() {
            return Ok(None);
        }
        let until = person.stay.at_most(facts.now.plus(facts.duration));
        let filter = GrantFilter {
            holder: Some(person.id),
            resource: Some(resource.id),
            role: Some(role.id),
            phases: vec![GrantPhase::Active],
            due_from: Some(until),
            ..GrantFilter::default()
        };
        let held = whole(Slice::first(1000), |slice| self.store.grants(filter.clone(), slice)).await?;
        let digest = role.digest()?;
        Ok(held
            .iter()
            .map(|g| &g.value)
            .find(|g| {
                g.item.task.is_none()
                    && g.job == facts.job.as_ref().map(|asks| asks.job)
                    && g.item.role_digest == digest
                    && g.usable_until(facts.now).is_ok_and(|end| end >= until)
            })
            .map(|g| g.id))
    }

    fn permit_now(
        &self,
        world: &World,
        person: &Person,
        pair: Option<&(Resource, Role)>,
        facts: &AskFacts,
    ) -> Result<Permit, AppError> {
        let (resource, role) = pair.ok_or_else(|| AppError::Fault("an item lost its resource".to_owned()))?;
        match self.judge(world, person, resource, role, facts)? {
            Decision::Permit(permit) => Ok(permit),
            Decision::Deny(denial) => Err(AppError::Refused { reasons: denial.reasons }),
        }
    }

    /// Mints the grant of an approved item, and activates it if a second permit is given.
    pub(crate) fn mint(
        &self,
        change: &mut Change<'_>,
        request: AccessRequest,
        index: usize,
        permit: Permit,
        activate: Option<Permit>,
        now: Time,
    ) -> Result<AccessRequest, AppError> {
        let (request, approved) = request.mint_from(index, self.ambient.id::<GrantId>())?;
        let (mut grant, minted) = Grant::mint(approved, permit, now)?;
        change.fact(about_grant(&grant), minted);
        if let Some(permit) = activate {
            let (active, activated) = grant.apply(GrantEvent::Activate(permit), now)?;
            change.fact(about_grant(&active), activated);
            grant = active;
        }
        change.write(Write::Grant(Put::new(grant)));
        Ok(request)
    }

    fn freeze(
        &self,
        caller: &Caller,
        beneficiary: &Person,
        pairs: &[(Resource, Role)],
        input: &AskInput,
    ) -> Result<Ask, AppError> {
        let items = pairs
            .iter()
            .zip(&input.items)
            .map(|((resource, role), asked)| {
                let (role_digest, task) = (role.digest()?, asked.task.clone());
                Ok(AskItem { resource: resource.id, role: role.id, role_digest, task })
            })
            .collect::<Result<Vec<_>, AppError>>()?;
        Ok(Ask {
            org: self.org,
            requester: caller.person,
            beneficiary: beneficiary.id,
            items,
            start: input.start.map_or(Start::Now, Start::At),
            duration: input.duration,
            justification: input.reason.clone(),
            ticket: input.ticket.clone(),
            parent: None,
            nonce: self.nonce(),
            arrival: None,
            package: None,
            job: None,
        })
    }

    /// 16 random bytes, hexadecimal.
    pub(crate) fn nonce(&self) -> String {
        self.ambient.bytes::<16>().iter().map(|b| format!("{b:02x}")).collect()
    }

    pub(crate) async fn check_open_requests(&self, caller: &Caller) -> Result<(), AppError> {
        let filter = RequestFilter { person: Some(caller.person), waiting: Some(true) };
        let most = self.limits.open_requests;
        let limit = u32::try_from(most).unwrap_or(u32::MAX).clamp(1, 1000);
        let have = self.store.requests(filter, Slice::first(limit)).await?.items.len();
        if have >= most { Err(AppError::TooMany { have, most }) } else { Ok(()) }
    }
}

fn split(answer: Answer) -> (Opening, Option<Permit>) {
    match answer {
        Answer::Path { terms, path, permit } => {
            let at_once = terms.stages.is_empty().then_some(permit);
            (Opening::Path { terms, path }, at_once)
        }
        Answer::Covered(grant) => (Opening::Covered { grant }, None),
        Answer::Denied(reasons) => {
            let reason = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            (Opening::Denied { reason }, None)
        }
    }
}

/// The shortest wait that any of the paths allows.
fn approval_window(openings: &[Opening]) -> Span {
    openings
        .iter()
        .filter_map(|o| match o {
            Opening::Path { terms, .. } => Some(terms.approval_window),
            Opening::Covered { .. } | Opening::Denied { .. } => None,
        })
        .min()
        .unwrap_or(DEFAULT_APPROVAL_WINDOW)
}

fn check_input(input: &AskInput, now: Time) -> Result<(), AppError> {
    if input.items.is_empty() || input.items.len() > MOST_ITEMS {
        return Err(AppError::invalid(
            "items",
            format!("ask for 1 to {MOST_ITEMS} roles at once, not {}", input.items.len()),
        ));
    }
    if input.duration == Span::ZERO || input.duration > MOST_DURATION {
        return Err(AppError::invalid("duration", format!("ask for more than nothing and at most {MOST_DURATION}")));
    }
    if let Some(start) = input.start
        && (start <= now || start > now.plus(MOST_DURATION))
    {
        return Err(AppError::invalid(
            "start",
            format!("`{start}` is not ahead of us within a year; leave it out to start now"),
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    match input.items.iter().find(|item| !seen.insert(*item)) {
        Some(ItemInput { resource, role, .. }) => {
            Err(AppError::invalid("items", format!("`{role}` on `{resource}` is asked for twice")))
        }
        None => Ok(()),
    }
}
