//! Opening a session through the gateway: judged again, written down, then let in.
//!
//! A session is a lease of its grant. It is intended before anything connects to the target, live once
//! the target let it in, and gone when the gateway says that nothing of it is left.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use wane_audit::{Actor, Outcome};
use wane_connector::broker::{By, Claim, Goal, Kept};
use wane_domain::decision::Why;
use wane_domain::id::{ArrivalId, GrantId, LeaseId, SessionId};
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind, LeaseState};
use wane_domain::time::{Span, Time};
use wane_failpoint::{around_call, point};
use wane_finding::Rules;
use wane_store::{Issuance, Put, Standing as Held, Versioned, Write};

use crate::arrivals::Arriving;
use crate::caller::Caller;
use crate::change::about_lease;
use crate::company::Company;
use crate::credential::resting;
use crate::end_session::SessionEnd;
use crate::error::{AppError, Class};
use crate::judge::Proven;
use crate::recordings::{Blank, RecordOutcome, Roll};
use crate::reproof::Reproof;
use crate::sessions::{Meter, SessionLine, Standing, standing_of};
use crate::{App, decide};

/// Open sessions under one grant.
const MOST_SESSIONS: usize = 64;

/// A session that may begin.
#[derive(Debug)]
pub struct SessionOpened {
    /// Which.
    pub session: SessionId,
    /// Until when, unless it is told otherwise.
    pub end: Time,
    /// What it shows to its target.
    pub pass: Value,
    /// What it is told.
    pub told: watch::Receiver<Standing>,
    /// How long the proof of identity carries it, if it has to be proved again.
    pub proof: watch::Receiver<Option<Reproof>>,
    /// Where what passes is counted.
    pub meter: Arc<Meter>,
    /// Who is there besides.
    pub company: Arc<Company>,
    /// What it is recorded on, if it is.
    pub roll: Option<Roll>,
    /// When it began, as its recording has it.
    pub began: Time,
    /// What asks for the like of it again: behind `wane request`.
    pub again: String,
    /// What is looked for in it: the deployment's rules and its role's.
    pub rules: Vec<Arc<Rules>>,
    /// Whose it is, and what its target is shown that nobody else sees.
    pub kept: Kept,
}

impl App {
    /// Opens the session that somebody claims who has proved to hold a credential of this server.
    ///
    /// `inside` is the connection that it is inside of, if it is inside one.
    ///
    /// INVARIANT: nothing connects to the target before the session is written down under a live grant
    /// (held by `no_session_without_a_live_grant`).
    ///
    /// # Errors
    /// When there is no live grant that the credential was issued under, or policy refuses now.
    pub async fn open_session(&self, claim: &Claim, inside: Option<ArrivalId>) -> Result<SessionOpened, AppError> {
        let confirmed = match &claim.by {
            By::Credential { .. } | By::Known { .. } => None,
            By::Confirmed(arrival) => {
                let Claim { resource, login, peer, client, .. } = claim.clone();
                let goal = Goal::Session { resource, login };
                Some(self.take_arrival(*arrival, claim.grant, &Arriving { goal, peer, client })?)
            }
        };
        let tried = decide!(self.try_open(claim, confirmed.as_ref(), inside));
        if let (By::Credential { .. }, Err(error)) = (&claim.by, &tried) {
            self.count_failed(claim.grant, error).await?;
        }
        let (mut opened, blank) = tried?;
        // An end may have come from memory while the store was at work on this, and of a credential of another grant
        // before there was a session to be told.
        let stands = match self.still_stands(claim.grant) {
            Ok(()) => self.still_grounded(&claim.by).await,
            ended => ended,
        };
        if let Err(ended) = stands {
            self.sessions.tell(opened.session.lease(), Standing::Over("it was ended".to_owned()));
            let failed = blank.is_some().then(|| RecordOutcome::Failed("the session did not begin".to_owned()));
            self.session_closed(opened.session, SessionEnd::unbegun(failed)).await?;
            return Err(ended);
        }
        // INVARIANT: a session that is to be recorded begins only when its recording has (held by
        // `no_session_that_is_to_be_recorded_begins_without_its_tape`).
        if let Some(blank) = blank {
            match self.roll(blank).await {
                Ok(roll) => opened.roll = Some(roll),
                Err(why) => {
                    tracing::error!(session = %opened.session, %why, "a session cannot be recorded, and does not begin");
                    self.sessions.tell(opened.session.lease(), Standing::Over("it cannot be recorded".to_owned()));
                    let failed = Some(RecordOutcome::Failed(why.clone()));
                    self.session_closed(opened.session, SessionEnd::unbegun(failed)).await?;
                    return Err(AppError::Unrecorded(why));
                }
            }
        }
        Ok(opened)
    }

    async fn try_open(
        &self,
        claim: &Claim,
        confirmed: Option<&Caller>,
        inside: Option<ArrivalId>,
    ) -> Result<(SessionOpened, Option<Blank>), AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        let missing = || AppError::missing("grant", claim.grant);
        let Held { grant: seen, request, open } = self.store.standing(claim.grant).await?.ok_or_else(missing)?;
        self.certificates.check(seen.value.holder, now)?;
        self.still_stands(claim.grant)?;
        seen.value.usable_until(now)?;
        let (resource, role) = self.grant_parts(&world, &seen.value)?;
        if resource.name.as_str() != claim.resource {
            return Err(AppError::missing("resource", &claim.resource));
        }
        // INVARIANT: what is inside a connection is the same person's as the connection (held by
        // `nobody_opens_a_session_inside_the_connection_of_another`).
        if inside.is_some_and(|passage| self.passages.person(passage) != Some(seen.value.holder)) {
            return Err(missing());
        }
        let (proven, ground) = match (&claim.by, confirmed) {
            (By::Credential { serial, .. }, None) => (self.credential_of(&open, *serial).await?, None),
            (By::Known { lease, serial }, None) => {
                let (issued, ground) = self.ground_of(seen.value.holder, *lease, *serial).await?;
                (issued, Some(ground))
            }
            (By::Confirmed(_), Some(caller)) if caller.person == seen.value.holder => (Issued::to(caller), None),
            (By::Credential { .. } | By::Known { .. } | By::Confirmed(_), _) => return Err(missing()),
        };
        let permit = self.permit_with_proof(&world, &seen.value, &request.value.ask, &proven.at(now), now)?;
        let sessions = open.iter().filter(|lease| lease.value.what == LeaseKind::Session).count();
        if sessions >= MOST_SESSIONS {
            return Err(AppError::Taken(format!(
                "this grant has {sessions} open sessions, which is the most; close some"
            )));
        }
        let kind = self.kind(&resource.kind)?;
        let broker = kind
            .broker()
            .ok_or_else(|| AppError::invalid("resource", "nothing of this kind goes through the gateway"))?;
        // Where what is shown to the target is the connector's own credential, that is judged with the rest.
        let secret = if broker.shows_credential() { self.connector_secret(resource.id).await? } else { None };
        let mut handle = self.new_target(kind, resource, secret);
        let (lease, intended) =
            seen.value.lease(self.ambient.id(), handle.resource.kind.clone(), LeaseKind::Session, now)?;
        let right = seen.value.session_permit(&lease, permit, now)?;
        let reproof = match right.reproof() {
            Some(every) if now.since(proven.proved) >= every => {
                return Err(AppError::Refused { reasons: vec![Why::StepUpNeeded { max_age_micros: every.micros() }] });
            }
            every => {
                let (grace, proved) = (self.limits.reproof_grace, proven.proved);
                every.map(|every| Reproof { every, grace, proved, asked: now })
            }
        };
        let end = ground.map_or(right.end(), |ground| right.end().min(ground.until));
        let (recording, serial) = (right.recording(), self.store.next_serial().await?);
        let target = handle.target(now);
        let again = format!("{}@{} --for {}", role.name, handle.resource.name, seen.value.window.duration);
        let person = world.people.get(&seen.value.holder).ok_or_else(missing)?.name.to_string();
        let (grant, as_role) = (claim.grant.to_string(), role.name.to_string());
        let rules = vec![self.deployment_rules(), broker.rules(&role)?];
        let right = resting(self, right.into_issue(), &seen.value, &request.value, &role).await?;
        let pass =
            around_call(point!("app.brokered.sign"), || broker.pass(&target, &role, &lease, right, claim, serial));
        let about = about_lease(&lease, Some(&seen.value));
        let pass = match pass {
            Ok(pass) => pass,
            Err(error) => {
                self.signer_refused(Actor::Person(seen.value.holder), about, &error).await;
                return Err(error.into());
            }
        };
        let session = SessionId::of(lease.id);
        let mut change = self.change_at(Actor::Person(seen.value.holder), &world, now);
        change.fact(about.clone(), intended);
        let blank = self.blank(&lease, recording, &claim.login, now)?;
        let (blank, writes) = blank.map_or((None, None), |(blank, writes)| (Some(blank), Some(writes)));
        for write in writes.into_iter().flatten() {
            change.write(write);
        }
        let detail = json!({
            "session": session, "login": claim.login, "peer": claim.peer, "client": claim.client,
            "by": proved_by(&claim.by), "inside": inside, "pass": pass.inventory, "end": end, "recorded": blank.is_some(),
        });
        change.note("session.opened", Outcome::Done, about, detail);
        change.write(Write::Issuance(Issuance {
            serial,
            lease: lease.id,
            grant: seen.value.id,
            kind: handle.resource.kind.clone(),
            at: now,
            not_after: pass.not_after,
            detail: pass.inventory,
            revoked: None,
        }));
        change.write(Write::Lease(Put::new(lease.clone())));
        // Written back unchanged, so that a grant that ended meanwhile makes this conflict.
        change.write(Write::Grant(Put::over(&seen, seen.value.clone())));
        let (meter, company) = (Arc::new(Meter::default()), Arc::<Company>::default());
        let line = SessionLine {
            session,
            grant: seen.value.id,
            holder: seen.value.holder,
            resource: lease.resource,
            role: lease.role,
            login: claim.login.clone(),
            peer: claim.peer,
            client: claim.client.clone(),
            since: now,
            standing: Standing::Until(end),
            meter: Arc::clone(&meter),
            company: Arc::clone(&company),
            proved: proven.proved,
            reproof,
            ground,
        };
        // In the book before it is in the store: an end that follows at once finds whom to tell.
        let (told, proof) = self.sessions.enter(line);
        if let Err(error) = change.commit(point!("app.brokered.open.commit")).await {
            self.sessions.strike(lease.id);
            return Err(error);
        }
        self.nudge();
        let pass = pass.public;
        let kept = Kept { person, grant, role: as_role, again: again.clone(), secret: handle.take_credential() };
        Ok((
            SessionOpened {
                session,
                end,
                pass,
                told,
                proof,
                meter,
                company,
                roll: None,
                began: now,
                again,
                rules,
                kept,
            },
            blank,
        ))
    }

    /// Counts a certificate that opened nothing against whose it is.
    pub(crate) async fn count_failed(&self, grant: GrantId, error: &AppError) -> Result<(), AppError> {
        let is_of_theirs = matches!(error.class(), Class::Denied | Class::Missing | Class::Conflict);
        if !is_of_theirs || matches!(error, AppError::Taken(_)) {
            return Ok(());
        }
        match self.store.grant(grant).await? {
            Some(grant) => self.failed_at_gateway(grant.value.holder, &self.certificates).await,
            None => Ok(()),
        }
    }

    /// The proof of identity that a live credential of this grant was issued on.
    pub(crate) async fn credential_of(&self, open: &[Versioned<Lease>], serial: u64) -> Result<Issued, AppError> {
        let live = |l: &&Versioned<Lease>| {
            l.value.what == LeaseKind::Credential && matches!(l.value.state, LeaseState::Live { .. })
        };
        let under_one = |issue: &Issuance| open.iter().filter(live).any(|lease| lease.value.id == issue.lease);
        let issue = Issuance::standing(self.store.issuance(serial).await?, under_one);
        issue.as_ref().map(Issued::of).ok_or_else(|| AppError::missing("live credential with serial", serial))
    }

    /// The target let a session in.
    ///
    /// # Errors
    /// When it is over, or this cannot be written down.
    pub async fn session_begun(&self, session: SessionId, notes: &Value) -> Result<(), AppError> {
        decide!(async {
            let now = self.now();
            let seen = self.session_lease(session).await?;
            let grant = self.store.grant(seen.value.grant).await?;
            let mut change = self.change(Actor::System, now);
            let event = LeaseEvent::Made { object: None, notes: notes.clone() };
            let (lease, fact) = seen.value.clone().apply(event, now)?;
            change.fact(about_lease(&lease, grant.as_ref().map(|g| &g.value)), fact);
            change.write(Write::Lease(Put::over(&seen, lease)));
            change.commit(point!("app.brokered.begun.commit")).await.map(|_| ())
        })
    }

    /// Tells every session of this process where it stands, as the store has it: one look for all sessions of a
    /// grant. Those of which nothing can be read go by what they were told last.
    ///
    /// # Errors
    /// The first for which something could not be read; the others were told all the same.
    pub async fn tell_sessions(&self) -> Result<(), AppError> {
        let mut failed = Ok(());
        for (grant, sessions) in self.sessions.by_grant() {
            if let Err(error) = self.tell_sessions_of(grant, &sessions).await {
                failed = failed.and(Err(error));
            }
            // Read from memory, most likely: others are let in between.
            tokio::task::yield_now().await;
        }
        failed
    }

    async fn tell_sessions_of(&self, grant: GrantId, sessions: &[LeaseId]) -> Result<(), AppError> {
        let held = self.store.standing(grant).await?;
        let over = || Standing::Over("it was ended".to_owned());
        let usable =
            held.as_ref().is_some_and(|held| self.as_it_is(held.grant.value.clone()).usable_until(self.now()).is_ok());
        for session in sessions {
            let open = held.iter().flat_map(|held| &held.open).find(|lease| lease.value.id == *session);
            let lease = match open {
                Some(lease) => lease.value.clone(),
                None => match self.store.lease(*session).await? {
                    Some(lease) => lease.value,
                    // It is in the book before it is in the store: one that is about to begin.
                    None => continue,
                },
            };
            let standing = standing_of(&lease).filter(|_| usable);
            self.sessions.tell(*session, standing.unwrap_or_else(over));
        }
        Ok(())
    }

    pub(crate) async fn session_lease(&self, session: SessionId) -> Result<Versioned<Lease>, AppError> {
        let missing = || AppError::missing("session", session);
        let seen = self.store.lease(session.lease()).await?.ok_or_else(missing)?;
        if seen.value.what == LeaseKind::Session { Ok(seen) } else { Err(missing()) }
    }
}

/// What the record says about how somebody proved who they are.
fn proved_by(by: &By) -> Value {
    match by {
        By::Credential { serial, .. } => json!({ "serial": serial }),
        By::Known { lease, serial } => json!({ "lease": lease, "serial": serial }),
        By::Confirmed(arrival) => json!({ "arrival": arrival }),
    }
}

/// What an issue of a credential, or a login, rested on.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) proved: Time,
    pub(crate) proof: String,
}

impl Issued {
    pub(crate) fn of(issue: &Issuance) -> Self {
        let proved = issue.detail.get("proved").and_then(Value::as_i64).map(Time::from_micros);
        let proof = issue.detail.get("proof").and_then(Value::as_str).unwrap_or("none");
        // One that was issued before this was kept counts as proved never.
        Self { proved: proved.unwrap_or(Time::from_micros(0)), proof: proof.to_owned() }
    }

    fn to(caller: &Caller) -> Self {
        Self { proved: caller.proved, proof: caller.proof.clone() }
    }

    pub(crate) fn at(&self, now: Time) -> Proven<'_> {
        Proven { age: now.since(self.proved).max(Span::ZERO), how: &self.proof }
    }
}
