//! Jobs of workloads: begun with a token of their issuer, kept up by their own word, and over with everything they have.
//!
//! Owns: that one token begins one job, whose job it is, that what a job has is that job's alone, and that all of it ends
//! with the job. Refuses to know: how a token is checked (`oidc`), how anything ends at its target (`end`).
//!
//! INVARIANT: a job that was silent for too long never speaks again, booked or not, and nor does one of which its
//! workload's rule says no any more (held by `a_silent_job_is_over_and_so_is_what_it_holds`,
//! `a_rule_that_changes_ends_the_jobs_that_it_does_not_mean`).

mod alive;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::closure::EndCause;
use wane_domain::id::{GrantId, JobId, PersonId};
use wane_domain::proved::ProvedBy;
use wane_domain::request::{Ask, ItemEvent};
use wane_domain::secret::{Secret, SecretOnce};
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_domain::workload::{Issuer, IssuerSort, JobAsks, JobClaims, Workload};
use wane_domain::world::World;
use wane_failpoint::{around, point};
use wane_keys::token::{Bearer, BearerKind};
use wane_oidc::{JobIdentity, issuer_of};
use wane_policy::schema::Action;
use wane_store::{Job, JobEnded, Put, Token, TokenKind, TokenOwner, Versioned, Write, job_token_key};

use crate::asked::waiting_items;
use crate::caller::Caller;
use crate::change::about_request;
use crate::error::AppError;
use crate::{App, decide};

pub(crate) use alive::Alive;

/// Jobs of one workload that go on at once.
const MOST_AT_ONCE: usize = 256;
/// What a token says besides that is no fact about a job.
const NO_FACTS: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "azp"];

/// A job that began.
#[derive(Debug)]
pub struct JobBegun {
    /// Which.
    pub job: JobId,
    /// Whose.
    pub workload: Name,
    /// Its bearer token, once.
    pub token: SecretOnce,
    /// When it is over at the latest.
    pub until: Time,
    /// After how long without a word it is over.
    pub silence: Span,
}

/// A job that goes on, as it is shown.
#[derive(Clone, Debug)]
pub struct JobShown {
    /// The job.
    pub job: Job,
    /// When it was last heard of.
    pub heard: Time,
}

/// Why no job of a token began, for the log.
struct NotBegun {
    issuer: String,
    subject: String,
    why: String,
    /// What whoever shows the token is told.
    told: String,
}

impl App {
    /// Begins a job with a token of its issuer, which is good for that once. `workload` says whose it is, if it could be
    /// several's.
    ///
    /// # Errors
    /// When the token is not exactly what it has to be, began a job already, or is of no workload's job.
    pub async fn begin_job(&self, token: &Secret, workload: Option<&str>) -> Result<JobBegun, AppError> {
        let said = token.expose_str().and_then(issuer_of).unwrap_or_default();
        let world = self.world().await?;
        let issuer = world.issuers.values().find(|one| one.removed.is_none() && one.issuer == said).cloned();
        let not = |why: &str| NotBegun {
            issuer: said.chars().take(128).collect(),
            subject: String::new(),
            why: why.to_owned(),
            told: why.to_owned(),
        };
        let Some(issuer) = issuer else {
            return self.refuse_job(not("this is no token of an issuer that is registered here")).await;
        };
        let checked = match self.job_issuer(&issuer) {
            Ok(known) => {
                let asked = known.check(token.expose_str().unwrap_or_default(), self.now());
                around(point!("app.job.keys"), asked).await.map_err(|e| e.to_string())
            }
            Err(why) => Err(why),
        };
        let identity = match checked {
            Ok(identity) => identity,
            Err(why) => return self.refuse_job(not(&why)).await,
        };
        let claims = claims_of(issuer.sort, &identity);
        match decide!(self.let_job_in(&issuer, &identity, &claims, workload)) {
            Err(AppError::NotSignedIn(told)) => {
                let world = self.world().await?;
                let why = self.why_not(&world, &issuer, &claims, workload);
                let subject = claims.subject().to_owned();
                let why = if why.is_empty() { told.clone() } else { why };
                self.refuse_job(NotBegun { issuer: issuer.issuer.clone(), subject, why, told }).await
            }
            begun => begun,
        }
    }

    async fn let_job_in(
        &self,
        issuer: &Issuer,
        identity: &JobIdentity,
        claims: &JobClaims,
        named: Option<&str>,
    ) -> Result<JobBegun, AppError> {
        let refused = |why: &str| Err(AppError::NotSignedIn(why.to_owned()));
        let (world, now) = (self.world().await?, self.steady_now().await?);
        let key = job_token_key(&issuer.issuer, &identity.name);
        if self.store.job_of_token(&key).await?.is_some() {
            return refused("this token began a job already, and one begins one; have your issuer make another");
        }
        let mut whose = world.workloads.values().filter(|one| {
            let means = one.issuer == issuer.id && one.removed.is_none() && one.admits(issuer.sort, claims).is_ok();
            let name = world.people.get(&one.person).map(|person| person.name.as_str());
            means && world.is_active(one.person) && named.is_none_or(|named| name == Some(named))
        });
        let (workload, person) = match (whose.next(), whose.next()) {
            (Some(_), Some(_)) => return refused("this job could be several workloads'; say which it is"),
            (Some(one), None) => (one, world.people.get(&one.person).ok_or(AppError::SignedOut)?),
            (None, _) => {
                return refused("no workload here has such jobs; the server's log says which claim is another");
            }
        };
        if world.is_unsponsored(person) {
            return refused("nobody who may act answers for this workload any more");
        }
        self.load_jobs().await?;
        if self.alive.of(person.id) >= MOST_AT_ONCE {
            return Err(AppError::Crowded);
        }
        let (id, bearer_id): (JobId, _) = (self.ambient.id(), self.ambient.id());
        let bearer = Bearer::mint(BearerKind::Job, bearer_id, &self.ambient);
        let until = person.stay.at_most(now.plus(workload.longest));
        let asks = JobAsks { job: id, issuer: issuer.id, issuer_name: issuer.name.clone(), claims: claims.clone() };
        let job = Job {
            id,
            person: person.id,
            token: key,
            asks: asks.clone(),
            bearer: bearer_id,
            at: now,
            until,
            forget: identity.forget.max(until),
            ended: None,
        };
        let mut change = self.change_at(Actor::Person(person.id), &world, now);
        let detail = json!({ "job": id, "issuer": issuer.name, "claims": claims, "until": until, "token": bearer_id });
        change.note("job.begun", Outcome::Done, about(person.id), detail);
        change.write(Write::ForgetJobs(now));
        change.write(Write::Token(Put::new(Token {
            id: bearer_id,
            kind: TokenKind::Job,
            owner: TokenOwner::Job(id),
            verifier: self.pepper.verifier(&bearer).to_vec(),
            at: now,
            proved: now,
            expires: until,
            used: now,
            spent: None,
            by: ProvedBy::Job,
        })));
        change.write(Write::Job(Put::new(job)));
        match change.commit(point!("app.job.begin.commit")).await {
            Ok(_) => {}
            // Of two with one token at once, this is the other.
            Err(AppError::Taken(_)) => {
                return refused("this token began a job already, and one begins one; have your issuer make another");
            }
            Err(error) => return Err(error),
        }
        self.alive.began(id, person.id, (until, workload.silence), now);
        self.nudge();
        let (workload, silence) = (person.name.clone(), workload.silence);
        Ok(JobBegun { job: id, workload, token: bearer.into_secret(), until, silence })
    }

    /// Which claim is not as the rules say, for the log.
    fn why_not(&self, world: &World, issuer: &Issuer, claims: &JobClaims, named: Option<&str>) -> String {
        let of_issuer = world.workloads.values().filter(|one| one.issuer == issuer.id && one.removed.is_none());
        let mut all: Vec<String> = of_issuer
            .filter_map(|one| {
                let name = &world.people.get(&one.person)?.name;
                let why = one.admits(issuer.sort, claims).err().filter(|_| named.is_none_or(|n| n == name.as_str()))?;
                Some(format!("{name}: {why}"))
            })
            .take(8)
            .collect();
        all.sort();
        all.join("; ")
    }

    async fn refuse_job<T>(&self, not: NotBegun) -> Result<T, AppError> {
        let mut change = self.change(Actor::Unknown, self.now());
        let subject: String = not.subject.chars().take(256).collect();
        let detail = json!({ "issuer": not.issuer, "subject": subject, "why": not.why });
        change.note("job.refused", Outcome::Denied, Subjects::default(), detail);
        change.commit(point!("app.job.refused.commit")).await?;
        Err(AppError::NotSignedIn(format!("no job began: {}", not.told)))
    }

    /// Whom a bearer token stands for: somebody who is signed in, or a job.
    ///
    /// # Errors
    /// When it is none that holds; never says why.
    pub async fn authenticate_any(&self, text: &str) -> Result<Caller, AppError> {
        match Bearer::parse(text).map(|bearer| bearer.kind()) {
            Ok(BearerKind::Job) => self.authenticate_job(text).await,
            Ok(_) | Err(_) => self.authenticate(text).await,
        }
    }

    /// Which job a bearer token stands for.
    ///
    /// # Errors
    /// When it is no job's that goes on; never says why.
    pub async fn authenticate_job(&self, text: &str) -> Result<Caller, AppError> {
        let now = self.now();
        let token = self.token(BearerKind::Job, text).await?;
        let TokenOwner::Job(id) = token.value.owner else { return Err(AppError::SignedOut) };
        self.load_jobs().await?;
        let job = self.store.job(id).await?.filter(|job| job.value.ended.is_none()).ok_or(AppError::SignedOut)?.value;
        let world = self.world().await?;
        let person = world.people.get(&job.person).filter(|p| world.is_active(p.id)).ok_or(AppError::SignedOut)?;
        if not_stands(&world, person.id, &job.asks).is_some() || !self.alive.hear(id, now) {
            return Err(AppError::SignedOut);
        }
        Ok(Caller {
            person: person.id,
            name: person.name.clone(),
            token: Some(token.value.id),
            proved: job.at,
            proof: token.value.by.word().to_owned(),
            expires: job.until,
            job: Some(job.asks),
        })
    }

    /// A job says that it goes on; when it is over at the latest. Every call that it makes says so too.
    ///
    /// # Errors
    /// When the caller is no job.
    pub fn beat(&self, caller: &Caller) -> Result<Time, AppError> {
        caller.job.as_ref().map(|_| caller.expires).ok_or(AppError::NotAllowed { what: "speak for a job" })
    }

    /// A job says that it is over. Everything it asked for and holds ends; which grants that were.
    ///
    /// # Errors
    /// When the caller is no job, or the store cannot be written: then it is to be said again.
    pub async fn end_own_job(&self, caller: &Caller) -> Result<Vec<GrantId>, AppError> {
        let asks = caller.job.as_ref().ok_or(AppError::NotAllowed { what: "speak for a job" })?;
        self.end_job(Actor::Person(caller.person), asks.job, "it said so").await
    }

    /// Ends a job that was silent for too long, or whose time is up.
    ///
    /// # Errors
    /// When the store cannot be used; it is to be tried again.
    pub async fn end_job_if_over(&self, id: JobId) -> Result<(), AppError> {
        match self.alive.over(id, self.now()) {
            Some(how) => self.end_job(Actor::System, id, how).await.map(drop),
            None => Ok(()),
        }
    }

    /// The jobs that are over and not booked so, and when the next one will be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn jobs_over(&self, now: Time) -> Result<(Vec<JobId>, Option<Time>), AppError> {
        self.load_jobs().await?;
        Ok(self.alive.all_over(now))
    }

    /// The jobs that go on, oldest first.
    ///
    /// # Errors
    /// When policy does not let the caller.
    pub async fn jobs(&self, caller: &Caller) -> Result<Vec<JobShown>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadAccess)?;
        self.load_jobs().await?;
        let open = self.store.open_jobs().await?;
        let shown = |job: Versioned<Job>| {
            let heard = self.alive.heard(job.value.id).unwrap_or(job.value.at);
            JobShown { job: job.value, heard }
        };
        Ok(open.into_iter().map(shown).collect())
    }

    /// Has those known that began before this process did: from now on they are waited for.
    async fn load_jobs(&self) -> Result<(), AppError> {
        if self.alive.is_loaded() {
            return Ok(());
        }
        let (world, now) = (self.world().await?, self.now());
        let open = self.store.open_jobs().await?;
        self.alive.load(
            open.iter().map(|job| {
                let silence = world.workload_of(job.value.person).map_or(Span::from_mins(1), |one| one.silence);
                (job.value.id, job.value.person, (job.value.until, silence))
            }),
            now,
        );
        Ok(())
    }

    /// Has a job be over, with everything of it, in one commit.
    async fn end_job(&self, actor: Actor, id: JobId, how: &str) -> Result<Vec<GrantId>, AppError> {
        let ended = decide!(self.say_job_over(&actor, id, how))?;
        self.alive.ended(id);
        self.nudge();
        Ok(ended)
    }

    async fn say_job_over(&self, actor: &Actor, id: JobId, how: &str) -> Result<Vec<GrantId>, AppError> {
        let Some(seen) = self.store.job(id).await?.filter(|job| job.value.ended.is_none()) else {
            return Ok(Vec::new());
        };
        let (job, now) = (&seen.value, self.now());
        let waiting = self.waiting_of(job.person).await?;
        let mut held = self.held_now(job.person).await?;
        held.retain(|_, grant| grant.value.job == Some(id));
        let mut change = self.change(actor.clone(), now);
        let mut requests = Vec::new();
        for seen in waiting.into_iter().filter(|seen| seen.value.ask.job.as_ref().is_some_and(|asks| asks.job == id)) {
            let mut request = seen.value.clone();
            for index in waiting_items(&seen.value, None) {
                let (next, fact) = request.apply(index, ItemEvent::Withdraw { by: job.person }, now)?;
                change.fact(about_request(&next, Some(index)), fact);
                request = next;
            }
            requests.push(request.id.to_string());
            change.write(Write::Request(Put::over(&seen, request)));
        }
        let cause = EndCause::JobOver { how: how.to_owned() };
        let grants: Vec<GrantId> = self.ends_in(&mut change, &held, &cause).await?.into_iter().collect();
        let detail = json!({ "job": id, "how": how, "grants": grants, "requests": requests });
        change.note("job.over", Outcome::Done, about(job.person), detail);
        change.write(Write::RemoveToken(job.bearer));
        let ended = Some(JobEnded { at: now, how: how.to_owned() });
        change.write(Write::Job(Put::over(&seen, Job { ended, ..job.clone() })));
        change.commit(point!("app.job.over.commit")).await?;
        Ok(grants)
    }

    /// The job that a workload asks in, as it was seen: whatever is asked is committed only while it goes on.
    ///
    /// INVARIANT: nothing is asked in the name of a workload but by a job of it, for itself (held by
    /// `nobody_asks_in_the_name_of_a_workload`).
    pub(crate) async fn asks_in_job(
        &self,
        caller: &Caller,
        world: &World,
        for_person: Option<&str>,
    ) -> Result<Option<Versioned<Job>>, AppError> {
        let theirs = for_person.filter(|name| *name != caller.name.as_str());
        let is_workload = |name: &str| world.person(name).is_some_and(|person| world.is_workload(person.id));
        match (&caller.job, theirs) {
            (Some(_), Some(_)) => Err(AppError::NotAllowed { what: "ask for others as a workload" }),
            (None, Some(name)) if is_workload(name) => {
                Err(AppError::NotAllowed { what: "ask for a workload; its jobs ask by themselves" })
            }
            (None, _) if world.is_workload(caller.person) => {
                Err(AppError::NotAllowed { what: "ask as a workload outside a job of it" })
            }
            (None, _) => Ok(None),
            (Some(asks), None) => {
                let open = self.store.job(asks.job).await?.filter(|job| job.value.ended.is_none());
                open.map(Some).ok_or(AppError::SignedOut)
            }
        }
    }
}

/// Why what a job asked for is not its workload's any more.
pub(crate) fn not_its_job(world: &World, ask: &Ask) -> Option<String> {
    not_stands(world, ask.beneficiary, ask.job.as_ref()?)
}

fn not_stands(world: &World, person: PersonId, asks: &JobAsks) -> Option<String> {
    let workload = world.workload_of(person).filter(|one: &&Workload| one.removed.is_none());
    let issuer = world.issuers.get(&asks.issuer).filter(|one| one.removed.is_none());
    let (Some(workload), Some(issuer)) = (workload, issuer) else {
        return Some("its workload, or who says what its jobs are, was removed".to_owned());
    };
    if workload.issuer != issuer.id {
        return Some("somebody else says now what the jobs of its workload are".to_owned());
    }
    workload.admits(issuer.sort, &asks.claims).err().map(|why| format!("its workload's rule is another now: {why}"))
}

/// What an issuer says of a job, by the names under which rules and policies know it.
fn claims_of(sort: IssuerSort, identity: &JobIdentity) -> JobClaims {
    let said = identity.claims.plain_ones();
    let plain = said.into_iter().filter(|(name, _)| !NO_FACTS.contains(&name.as_str()));
    match sort {
        IssuerSort::Github | IssuerSort::Gitlab | IssuerSort::Generic => plain.collect(),
        IssuerSort::Kubernetes => {
            // A cluster's tokens have these in a claim of its own; what stands elsewhere by such a name is something else.
            let names = [
                ("namespace", "namespace"),
                ("serviceaccount", "serviceaccount.name"),
                ("serviceaccount_uid", "serviceaccount.uid"),
                ("pod", "pod.name"),
            ];
            let others = plain.filter(|(name, _)| !names.iter().any(|(known, _)| known == name));
            let own = names
                .iter()
                .filter_map(|(name, at)| Some(((*name).to_owned(), identity.claims.within("kubernetes.io", at)?)));
            others.chain(own).collect()
        }
    }
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
