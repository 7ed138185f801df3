//! Workloads and who is believed about their jobs: entered, changed and removed by people.
//!
//! Owns: what may be entered, and what is at hand to ask an issuer. What a job may do is `jobs`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::{Person, Standing, Stay};
use wane_domain::id::{IssuerId, PersonId};
use wane_domain::text::{Line, Name};
use wane_domain::time::Span;
use wane_domain::workload::{Issuer, IssuerSort, LONGEST_JOB, Pattern, SILENCE, Signing, Workload};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_oidc::{JobIssuer, JobIssuerSettings};
use wane_policy::schema::Action;
use wane_store::{Put, Write};

use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, decide};

/// Issuers of one deployment.
const MOST_ISSUERS: usize = 64;
/// The longest address of one, and audience.
const LONGEST: usize = 512;
/// The longest key set that is entered by hand, and CA bundle.
const LONGEST_KEYS: usize = 64 * 1024;

/// An issuer to be entered.
#[derive(Clone, Debug)]
pub struct IssuerInput {
    /// Unique name.
    pub name: Name,
    /// What sort it is of.
    pub sort: IssuerSort,
    /// Its issuer identifier.
    pub issuer: String,
    /// For whom its tokens have to be made; this server's own address if left out.
    pub audience: Option<String>,
    /// How they may be signed; RS256 and ES256 if left out.
    pub algorithms: BTreeSet<Signing>,
    /// The authorities it is trusted by.
    pub ca_pem: Option<String>,
    /// Its keys, if they are not to be fetched.
    pub keys: Option<Value>,
}

/// Which jobs are a workload's.
#[derive(Clone, Debug)]
pub struct RuleInput {
    /// Who says so, by name.
    pub issuer: String,
    /// What each of these claims has to say.
    pub claims: BTreeMap<String, Pattern>,
    /// How long a job lasts at most.
    pub longest: Span,
    /// After how long without a word it is over.
    pub silence: Span,
}

/// A workload to be entered.
#[derive(Clone, Debug)]
pub struct NewWorkload {
    /// Unique name, among people's.
    pub name: Name,
    /// The name people read.
    pub display: Line,
    /// Who answers for it, by name.
    pub sponsor: String,
    /// Which jobs are its.
    pub rule: RuleInput,
}

/// A workload, as it is shown.
#[derive(Clone, Debug)]
pub struct WorkloadShown {
    /// Which jobs are its.
    pub workload: Workload,
    /// What it is here.
    pub person: Person,
    /// Who says what its jobs are.
    pub issuer: Issuer,
}

/// What is at hand to ask each issuer, for as long as it is entered as it was.
#[derive(Debug, Default)]
pub(crate) struct JobIssuers(Mutex<HashMap<IssuerId, (Issuer, Arc<JobIssuer>)>>);

impl App {
    /// Enters an issuer of tokens about jobs. Nothing is asked of it before a job begins.
    ///
    /// # Errors
    /// When policy does not let the caller, the name or address is taken, or something of it cannot be used.
    pub async fn add_issuer_of_jobs(&self, caller: &Caller, input: &IssuerInput) -> Result<Issuer, AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            let issuer = self.drawn_up_issuer(&world, input)?;
            // Removed and entered again it is the same name, but nobody is believed who was entered for another.
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("issuer.entered", Outcome::Done, Subjects::default(), json!({ "issuer": issuer }));
            change.write(Write::Issuer(Put::new(issuer.clone())));
            change.commit(point!("app.issuer.add.commit")).await?;
            Ok(issuer)
        })
    }

    fn drawn_up_issuer(&self, world: &World, input: &IssuerInput) -> Result<Issuer, AppError> {
        if world.issuer(input.name.as_str()).is_some() {
            let why = format!("there is, or was, an issuer `{}`; choose another name", input.name);
            return Err(AppError::Taken(why));
        }
        if let Some(same) = world.issuers.values().find(|one| one.removed.is_none() && one.issuer == input.issuer) {
            return Err(AppError::Taken(format!("`{}` is entered already, as `{}`", input.issuer, same.name)));
        }
        if world.issuers.len() >= MOST_ISSUERS {
            return Err(AppError::Taken(format!("there are {MOST_ISSUERS} issuers, which is the most")));
        }
        let audience = input.audience.clone().unwrap_or_else(|| self.public_url.clone());
        let plain = |text: &str| (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control);
        if !plain(&audience) {
            return Err(AppError::invalid("audience", format!("write 1 to {LONGEST} plain characters")));
        }
        if !plain(&input.issuer) {
            return Err(AppError::invalid("issuer", format!("write 1 to {LONGEST} plain characters")));
        }
        let long = |text: usize| text > LONGEST_KEYS;
        if input.keys.as_ref().is_some_and(|keys| long(keys.to_string().len())) {
            return Err(AppError::invalid("keys", format!("a key set has at most {LONGEST_KEYS} bytes")));
        }
        if input.ca_pem.as_ref().is_some_and(|pem| long(pem.len())) {
            return Err(AppError::invalid("ca_pem", format!("at most {LONGEST_KEYS} bytes")));
        }
        let usual = [Signing::RS256, Signing::ES256].into();
        let algorithms = if input.algorithms.is_empty() { usual } else { input.algorithms.clone() };
        let issuer = Issuer {
            id: self.ambient.id(),
            name: input.name.clone(),
            sort: input.sort,
            issuer: input.issuer.clone(),
            audience,
            algorithms,
            ca_pem: input.ca_pem.clone(),
            keys: input.keys.clone(),
            since: self.now(),
            removed: None,
        };
        JobIssuer::new(settings(&issuer)).map_err(|e| AppError::invalid("issuer", e))?;
        Ok(issuer)
    }

    /// Removes an issuer: nothing that it says counts any more, and what its jobs hold ends.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is none of that name.
    pub async fn remove_issuer_of_jobs(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            let issuer = there(&world, name)?;
            let now = self.now();
            let seen = self.seen(issuer.id).await?;
            let removed = Issuer { removed: Some(now), ..issuer.clone() };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("issuer.removed", Outcome::Done, Subjects::default(), json!({ "issuer": removed }));
            change.write(Write::Issuer(Put { value: removed, seen }));
            change.commit(point!("app.issuer.remove.commit")).await?;
            Ok(())
        })?;
        self.nudge();
        Ok(())
    }

    /// The issuers there are, by name.
    ///
    /// # Errors
    /// When policy does not let the caller.
    pub async fn issuers(&self, caller: &Caller) -> Result<Vec<Issuer>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadDirectory)?;
        let mut there: Vec<_> = world.issuers.values().filter(|one| one.removed.is_none()).cloned().collect();
        there.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(there)
    }

    /// Enters a workload, with somebody who answers for it.
    ///
    /// # Errors
    /// When policy does not let the caller, the name is taken, nobody could answer for it, or its rule would let in jobs
    /// of anybody.
    pub async fn add_workload(&self, caller: &Caller, new: &NewWorkload) -> Result<WorkloadShown, AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            let (now, id): (_, PersonId) = (self.now(), self.ambient.id());
            let issuer = there(&world, &new.rule.issuer)?.clone();
            check_rule(&issuer, &new.rule)?;
            if world.person(new.name.as_str()).is_some() {
                return Err(AppError::Taken(format!("there is a `{}` already; choose another name", new.name)));
            }
            let sponsor = self.check_sponsor(&world, id, &new.sponsor)?;
            let person = Person {
                id,
                name: new.name.clone(),
                display: new.display.clone(),
                manager: None,
                attributes: BTreeMap::new(),
                standing: Standing::Active,
                since: now,
                stay: Stay { until: None, sponsor: Some(sponsor), left: None },
                kept_by: None,
            };
            let workload = Workload {
                id: self.ambient.id(),
                person: id,
                issuer: issuer.id,
                rule: new.rule.claims.clone(),
                longest: new.rule.longest,
                silence: new.rule.silence,
                since: now,
                removed: None,
            };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("person.entered", Outcome::Done, about(id), json!({ "person": person }));
            change.note("workload.entered", Outcome::Done, about(id), json!({ "workload": workload }));
            change.write(Write::Person(Put::new(person.clone())));
            change.write(Write::Workload(Put::new(workload.clone())));
            change.commit(point!("app.workload.add.commit")).await?;
            Ok(WorkloadShown { workload, person, issuer })
        })
    }

    /// Changes which jobs are a workload's. What jobs hold that are not any more ends.
    ///
    /// # Errors
    /// When policy does not let the caller, there is none of that name, or the rule would let in jobs of anybody.
    pub async fn change_workload(
        &self,
        caller: &Caller,
        name: &str,
        rule: &RuleInput,
    ) -> Result<WorkloadShown, AppError> {
        let shown = decide!(async {
            let (world, before) = self.managed_workload(caller, name).await?;
            let issuer = there(&world, &rule.issuer)?.clone();
            check_rule(&issuer, rule)?;
            let workload = Workload {
                issuer: issuer.id,
                rule: rule.claims.clone(),
                longest: rule.longest,
                silence: rule.silence,
                ..before.workload
            };
            let seen = self.seen(workload.id).await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("workload.changed", Outcome::Done, about(workload.person), json!({ "workload": workload }));
            change.write(Write::Workload(Put { value: workload.clone(), seen }));
            change.commit(point!("app.workload.change.commit")).await?;
            Ok(WorkloadShown { workload, issuer, person: before.person })
        })?;
        self.nudge();
        Ok(shown)
    }

    /// Removes a workload: no job is its any more, and it is disabled, with all that it holds.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is none of that name.
    pub async fn remove_workload(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        decide!(async {
            let (world, before) = self.managed_workload(caller, name).await?;
            let now = self.now();
            let workload = Workload { removed: Some(now), ..before.workload };
            let person = Person { standing: Standing::Disabled, ..before.person };
            let (seen, seen_person) = (self.seen(workload.id).await?, self.seen(person.id).await?);
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            change.note("workload.removed", Outcome::Done, about(person.id), json!({ "workload": workload }));
            change.note("person.changed", Outcome::Done, about(person.id), json!({ "person": person }));
            self.disable_in(&mut change, &world, &person).await?;
            change.write(Write::Workload(Put { value: workload, seen }));
            change.write(Write::Person(Put { value: person, seen: seen_person }));
            change.commit(point!("app.workload.remove.commit")).await?;
            Ok(())
        })?;
        self.nudge();
        Ok(())
    }

    /// The workloads there are, by name.
    ///
    /// # Errors
    /// When policy does not let the caller.
    pub async fn workloads(&self, caller: &Caller) -> Result<Vec<WorkloadShown>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadDirectory)?;
        let there = world.workloads.values().filter(|one| one.removed.is_none());
        let mut shown: Vec<_> = there.filter_map(|one| shown(&world, one)).collect();
        shown.sort_by(|a, b| a.person.name.cmp(&b.person.name));
        Ok(shown)
    }

    /// Refuses to give a workload a way to sign in.
    ///
    /// INVARIANT: nobody signs in as a workload (held by `nobody_signs_in_as_a_workload`).
    pub(crate) fn check_no_workload(&self, world: &World, person: PersonId) -> Result<(), AppError> {
        if world.is_workload(person) {
            return Err(AppError::invalid("person", "this is a workload: its jobs come with a token of their issuer"));
        }
        Ok(())
    }

    /// What is at hand to ask an issuer, as it is entered now.
    pub(crate) fn job_issuer(&self, issuer: &Issuer) -> Result<Arc<JobIssuer>, String> {
        let mut kept = self.job_issuers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = kept.get(&issuer.id).filter(|(as_it_was, _)| as_it_was == issuer) {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(JobIssuer::new(settings(issuer)).map_err(|e| e.to_string())?);
        kept.insert(issuer.id, (issuer.clone(), Arc::clone(&known)));
        Ok(known)
    }

    async fn managed_workload(&self, caller: &Caller, name: &str) -> Result<(Arc<World>, WorkloadShown), AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageDirectory)?;
        let found = world.person(name).and_then(|person| world.workload_of(person.id));
        let found = found.filter(|one| one.removed.is_none()).and_then(|one| shown(&world, one));
        found.map(|one| (world, one)).ok_or_else(|| AppError::missing("workload", name))
    }
}

fn shown(world: &World, workload: &Workload) -> Option<WorkloadShown> {
    let person = world.people.get(&workload.person)?.clone();
    let issuer = world.issuers.get(&workload.issuer)?.clone();
    Some(WorkloadShown { workload: workload.clone(), person, issuer })
}

fn there<'w>(world: &'w World, name: &str) -> Result<&'w Issuer, AppError> {
    world.issuer(name).filter(|one| one.removed.is_none()).ok_or_else(|| AppError::missing("issuer", name))
}

fn check_rule(issuer: &Issuer, rule: &RuleInput) -> Result<(), AppError> {
    Workload::check_rule(issuer.sort, &rule.claims).map_err(|e| AppError::invalid("claims", e))?;
    if rule.longest < SILENCE.0 || rule.longest > LONGEST_JOB {
        return Err(AppError::invalid("longest", format!("write {} to {LONGEST_JOB}", SILENCE.0)));
    }
    if rule.silence < SILENCE.0 || rule.silence > SILENCE.1 {
        return Err(AppError::invalid("silence", format!("write {} to {}", SILENCE.0, SILENCE.1)));
    }
    Ok(())
}

fn settings(issuer: &Issuer) -> JobIssuerSettings {
    JobIssuerSettings {
        issuer: issuer.issuer.clone(),
        audience: issuer.audience.clone(),
        algorithms: issuer.algorithms.iter().map(|one| one.name()).collect(),
        ca_pem: issuer.ca_pem.as_ref().map(|pem| pem.clone().into_bytes()),
        keys: issuer.keys.clone(),
    }
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
