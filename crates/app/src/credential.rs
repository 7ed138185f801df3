//! Handing out a credential or account under a grant.
//!
//! Two roads. What is only *signed* commits intent, lease and record once, then leaves. What is
//! *made* at a target commits its intent first, is made and read back, commits again, then leaves.
//! INVARIANT: no secret leaves before its record is on disk, and none leaves for a grant that ended
//! meanwhile (held by `a_grant_that_ends_meanwhile_hands_nothing_out`).

use std::time::Duration;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_connector::{ConnectError, Created, Handed, Prepared, SignError};
use wane_domain::catalogue::Role;
use wane_domain::decision::Permit;
use wane_domain::grant::{Grant, GrantState};
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::issue::{Authority, IssuePermit};
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind, LeaseState};
use wane_domain::request::{AccessRequest, Item, ItemState};
use wane_domain::secret::SecretOnce;
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_failpoint::{around, around_call, point};
use wane_store::{Issuance, Put, Seen, Standing, Versioned, Write};

use crate::answers;
use crate::caller::Caller;
use crate::change::{Change, about_grant, about_lease};
use crate::error::AppError;
use crate::making::UnderWay;
use crate::targets::TargetHandle;
use crate::{App, decide};

/// A kind bounds its own calls; this bounds the kind.
const LONGEST_CREATE: Duration = Duration::from_secs(30);

/// What the holder gets.
#[derive(Debug)]
pub struct HandedOut {
    /// The lease it hangs under.
    pub lease: LeaseId,
    /// Not secret: address, user, certificate.
    pub public: Value,
    /// The secret, once.
    pub secret: Option<SecretOnce>,
    /// When it stops working by itself.
    pub not_after: Option<Time>,
    /// When the grant ends.
    pub grant_end: Time,
}

/// What of a hand-out is no secret, just before it is committed.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// The lease it hangs under.
    pub lease: LeaseId,
    /// Address, user, certificate.
    pub public: &'a Value,
    /// Whether a secret goes with it.
    pub secret: bool,
    /// When it stops working by itself.
    pub not_after: Option<Time>,
    /// When the grant ends.
    pub grant_end: Time,
}

impl<'a> Telling<'a> {
    fn of(handed: &'a HandedOut) -> Self {
        Self {
            lease: handed.lease,
            public: &handed.public,
            secret: handed.secret.is_some(),
            not_after: handed.not_after,
            grant_end: handed.grant_end,
        }
    }
}

/// Adds to the commit of what was signed what belongs to it: given what is booked of it, and what of it is no secret.
pub(crate) type Also<'a> = dyn Fn(&mut Change<'_>, &Issuance, &Value) -> Result<(), AppError> + Sync + 'a;

/// What is to be kept as the answer to a call under an idempotency key: a status and a body without any secret.
pub type Say<'a> = dyn Fn(&Telling<'_>) -> Option<(u16, Value)> + Sync + 'a;

impl App {
    /// Hands out what a grant gives: activates it if need be, judges again, makes or signs, records, hands over.
    ///
    /// # Errors
    /// When the grant is not the caller's or not usable, policy refuses, or the target does.
    pub async fn hand_out(&self, caller: &Caller, id: GrantId, input: &Value) -> Result<HandedOut, AppError> {
        self.hand_out_saying(caller, id, input, &|_| None).await
    }

    /// The same for a call under an idempotency key whose answer is known before it is given: what `say`
    /// makes of it is kept in the commit that the answer rests on, so that no second one need follow.
    ///
    /// # Errors
    /// As [`App::hand_out`].
    pub async fn hand_out_saying(
        &self,
        caller: &Caller,
        id: GrantId,
        input: &Value,
        say: &Say<'_>,
    ) -> Result<HandedOut, AppError> {
        self.hand_out_with(caller, id, input, say, &|_, _, _| Ok(())).await
    }

    /// The same for what is only signed and belongs to something else as well: what `also` adds is committed with it.
    pub(crate) async fn hand_out_with(
        &self,
        caller: &Caller,
        id: GrantId,
        input: &Value,
        say: &Say<'_>,
        also: &Also<'_>,
    ) -> Result<HandedOut, AppError> {
        let world = self.world().await?;
        let mut seen = Some(self.held_standing(caller, &world, id).await?);
        if seen.as_ref().is_some_and(|seen| matches!(seen.grant.value.state, GrantState::Scheduled)) {
            self.activate(caller, id).await?;
            seen = None;
        }
        let standing = match &seen {
            Some(seen) => seen.grant.value.clone(),
            None => self.held_grant(caller, &world, id).await?.value,
        };
        let resource = standing.item.resource;
        let kind = world.resources.get(&resource).ok_or_else(|| AppError::missing("resource", resource))?;
        let handed = match self.kind(&kind.kind)?.gives() {
            LeaseKind::Credential => {
                // INVARIANT: nobody uses up what a key signs for everybody (held by
                // `nobody_has_more_signed_than_their_share`).
                let share = self.signing.take(caller.person, self.steady_now().await?);
                share.map_err(|wait| AppError::TooOften { wait })?;
                // Two at once would want to write the same lease, and one of them decide again, and again.
                let turns = self.reissuing.of(id);
                let _turn = match turns.try_lock() {
                    Ok(turn) => turn,
                    Err(_) => {
                        seen = None;
                        turns.lock().await
                    }
                };
                decide!(self.sign(caller, id, seen.take(), input, say, also))
            }
            LeaseKind::Account => {
                standing.usable_until(self.steady_now().await?)?;
                self.make(caller, id, &self.target(resource).await?, seen, None, say).await
            }
            LeaseKind::Membership => {
                standing.usable_until(self.steady_now().await?)?;
                self.give_place(caller, &standing, &self.target(resource).await?, say).await
            }
            LeaseKind::Session => Err(AppError::invalid(
                "grant",
                format!(
                    "`{}` is used through the gateway, and nothing is handed out for it; `wane grant {id}` says how",
                    kind.name
                ),
            )),
        }?;
        // An end may have come from memory while the store was at work on this.
        self.still_stands(id)?;
        Ok(handed)
    }

    async fn sign(
        &self,
        caller: &Caller,
        id: GrantId,
        seen: Option<Standing>,
        input: &Value,
        say: &Say<'_>,
        also: &Also<'_>,
    ) -> Result<HandedOut, AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        let Standing { grant: seen, request, open } = match seen {
            Some(seen) => seen,
            None => self.held_standing(caller, &world, id).await?,
        };
        seen.value.usable_until(now)?;
        let permit = self.permit_to_use_as_asked(caller, &world, &seen.value, &request.value.ask, now)?;
        let (resource, role) = self.grant_parts(&world, &seen.value)?;
        // What is only signed reaches nothing, so it needs no connector's credential.
        let handle = self.new_target(self.kind(&resource.kind)?, resource, None);
        let mut change = self.change_at(Actor::Person(caller.person), &world, now);
        let (lease, put) = match live(open, LeaseKind::Credential) {
            Some(lease) => (lease.value, Seen::Generation(lease.generation)),
            None => {
                let (lease, fact) =
                    seen.value.lease(self.ambient.id(), handle.resource.kind.clone(), LeaseKind::Credential, now)?;
                change.fact(about_lease(&lease, Some(&seen.value)), fact);
                (lease, Seen::Nothing)
            }
        };
        let serial = self.store.next_serial().await?;
        let right = seen.value.issue_permit(&lease, permit, now)?;
        let right = resting(self, right, &seen.value, &request.value, &role).await?;
        let issuer = handle
            .kind
            .issuer()
            .ok_or_else(|| AppError::Fault(format!("kind `{}` issues nothing", handle.kind.name())))?;
        let issued =
            around_call(point!("app.sign"), || issuer.issue(&handle.target(now), &role, &lease, right, input, serial));
        let issued = match issued {
            Ok(issued) => issued,
            Err(error) => {
                let actor = Actor::Person(caller.person);
                self.signer_refused(actor, about_lease(&lease, Some(&seen.value)), &error).await;
                return Err(error.into());
            }
        };
        let not_after = issued.handed.not_after.unwrap_or(lease.end);
        let event = match put {
            Seen::Nothing => LeaseEvent::Made { object: None, notes: issued.notes },
            Seen::Generation(_) => LeaseEvent::Reissued { notes: issued.notes },
        };
        let (lease, fact) = lease.apply(event, now)?;
        let about = about_lease(&lease, Some(&seen.value));
        change.fact(about.clone(), fact);
        change.note(
            "credential.issued",
            Outcome::Done,
            about,
            json!({ "serial": serial, "issued": issued.inventory, "not_after": not_after }),
        );
        let (row, kind) = (lease.clone(), handle.resource.kind.clone());
        change.write(Write::Lease(Put { value: row, seen: put }));
        let detail = proved_by(caller, issued.inventory);
        let booked = Issuance { serial, lease: lease.id, grant: id, kind, at: now, not_after, detail, revoked: None };
        also(&mut change, &booked, &issued.handed.public)?;
        change.write(Write::Issuance(booked));
        match put {
            // Written back unchanged, so that a grant that ended meanwhile makes this conflict, and so that an
            // end that saw no lease conflicts with this.
            Seen::Nothing => change.write(Write::Grant(Put::over(&seen, seen.value.clone()))),
            // Whoever ends the grant now ends a lease that it sees, so that nothing of the grant need change.
            Seen::Generation(_) => change.write(Write::Still(id, seen.generation)),
        };
        let handed = handed(&lease, &seen.value, issued.handed, now)?;
        answers::will_be(say(&Telling::of(&handed)));
        change.commit(point!("app.sign.commit")).await?;
        if lease.confirmed.is_none() {
            self.to_confirm(lease.id);
            self.nudge();
        }
        Ok(handed)
    }

    /// Has the log say what the signer refused. It stays refused if that cannot be written.
    pub(crate) async fn signer_refused(&self, actor: Actor, about: Subjects, error: &ConnectError) {
        let ConnectError::Sign(refused) = error else { return };
        let word = match refused {
            SignError::Unsigned(_) => "unsigned",
            SignError::Named(_) => "names",
            SignError::TooMany { .. } => "too-many",
            SignError::Exceeds(_) => "exceeds",
            SignError::NoKey(_) | SignError::Sealed | SignError::Away(_) | SignError::WrongRoad { .. } => return,
        };
        let mut change = self.change(actor, self.now());
        let detail = json!({ "refused": word, "met": refused.to_string() });
        change.note("signer.refused", Outcome::Denied, about, detail);
        if let Err(error) = change.commit(point!("app.sign_refused.commit")).await {
            tracing::warn!(%error, "the signer refused; that could not be written down");
        }
    }

    pub(crate) async fn make(
        &self,
        caller: &Caller,
        id: GrantId,
        handle: &TargetHandle,
        mut seen: Option<Standing>,
        prepared: Option<&Prepared>,
        say: &Say<'_>,
    ) -> Result<HandedOut, AppError> {
        let (intent, grant, permit, _under_way) = decide!(self.intend(caller, id, handle, seen.take(), prepared))?;
        let world = self.world().await?;
        let (_, role) = self.grant_parts(&world, &grant)?;
        let now = self.now();
        let right = grant.issue_permit(&intent.value, permit, now)?;
        let effects = handle.kind.effects();
        let target = handle.target(now);
        let making = around(point!("app.create"), effects.create(&target, &role, &intent.value, right));
        let made = tokio::time::timeout(LONGEST_CREATE, making).await.unwrap_or_else(|_| {
            Err(ConnectError::Unreachable {
                target: handle.resource.name.to_string(),
                why: "it took longer than 30 s".to_owned(),
            })
        });
        match made {
            Ok(created) => {
                let (lease, grant, now) = decide!(self.record_made(caller, &intent, &created, say))?;
                self.nudge();
                handed(&lease, &grant, created.handed, now)
            }
            Err(error) => {
                // An existing account stays as it was; a half-made one is ended by what is already written down.
                if matches!(intent.value.state, LeaseState::Intended) {
                    self.give_up(&intent, &grant, &error).await?;
                }
                Err(error.into())
            }
        }
    }

    /// Writes down that the target made it. An end that came meanwhile wins: then nothing is handed out.
    async fn record_made(
        &self,
        caller: &Caller,
        intent: &Versioned<Lease>,
        created: &Created,
        say: &Say<'_>,
    ) -> Result<(Lease, Grant, Time), AppError> {
        let (object, notes) = (created.object.as_ref(), &created.notes);
        let now = self.now();
        let id = intent.value.id;
        let seen = self.store.lease(id).await?.ok_or_else(|| AppError::missing("lease", id))?;
        let grant = self.store.grant(seen.value.grant).await?.ok_or_else(|| AppError::missing("grant", id))?;
        if let Err(over) = grant.value.usable_until(now) {
            if matches!(seen.value.state, LeaseState::Intended) {
                let late = ConnectError::Refused { target: seen.value.artifact.clone(), why: over.to_string() };
                self.give_up(&seen, &grant.value, &late).await?;
            }
            return Err(over.into());
        }
        let event = match (&intent.value.state, &seen.value.state) {
            // Somebody else replaced the secret of this account at the same time: which one holds, nobody knows.
            (LeaseState::Live { .. }, _) if seen.generation != intent.generation => {
                return Err(AppError::Taken("somebody else used this grant at the same time; try again".to_owned()));
            }
            (LeaseState::Live { .. }, _) => LeaseEvent::Reissued { notes: notes.clone() },
            (LeaseState::Intended | LeaseState::Revoking { .. } | LeaseState::Gone { .. }, _) => {
                LeaseEvent::Made { object: object.cloned(), notes: notes.clone() }
            }
        };
        let mut change = self.change(Actor::Person(caller.person), now);
        let (lease, fact) = seen.value.clone().apply(event, now)?;
        change.fact(about_lease(&lease, Some(&grant.value)), fact);
        change.write(Write::Lease(Put::over(&seen, lease.clone())));
        answers::will_be(say(&Telling {
            lease: lease.id,
            public: &created.handed.public,
            secret: created.handed.secret.is_some(),
            not_after: created.handed.not_after,
            grant_end: grant.value.usable_until(now)?,
        }));
        change.commit(point!("app.made.commit")).await?;
        Ok((lease, grant.value, now))
    }

    /// Writes down what is about to be made; an account that exists already is used again.
    async fn intend(
        &self,
        caller: &Caller,
        id: GrantId,
        handle: &TargetHandle,
        seen: Option<Standing>,
        prepared: Option<&Prepared>,
    ) -> Result<(Versioned<Lease>, Grant, Permit, UnderWay<'_>), AppError> {
        let world: &World = &*self.world().await?;
        let now = self.steady_now().await?;
        let Standing { grant: seen, request, open } = match seen {
            Some(seen) => seen,
            None => self.held_standing(caller, world, id).await?,
        };
        let permit = self.permit_to_use_as_asked(caller, world, &seen.value, &request.value.ask, now)?;
        let begun = open.len();
        let what = prepared.map_or(LeaseKind::Account, |_| LeaseKind::Membership);
        if let Some(lease) = live(open, what) {
            let under_way = self.making.begin(lease.value.id);
            // Read once more, now that an end would wait for us: what ends already is not used again.
            match self.store.lease(lease.value.id).await? {
                Some(again) if again.generation == lease.generation => {}
                Some(_) | None => return Err(AppError::Contended),
            }
            return Ok((lease, seen.value, permit, under_way));
        }
        if begun >= self.limits.leases_per_grant {
            return Err(AppError::TooManyLeases { have: begun, most: self.limits.leases_per_grant });
        }
        let mut change = self.change_at(Actor::Person(caller.person), world, now);
        let (mut lease, fact) = seen.value.lease(self.ambient.id(), handle.resource.kind.clone(), what, now)?;
        change.fact(about_lease(&lease, Some(&seen.value)), fact);
        if let Some(prepared) = prepared {
            let event = self.found_before(&lease, prepared).await?;
            let (noted, fact) = lease.apply(event, now)?;
            change.fact(about_lease(&noted, Some(&seen.value)), fact);
            lease = noted;
        }
        change.write(Write::Lease(Put::new(lease.clone())));
        change.write(Write::Grant(Put::over(&seen, seen.value.clone())));
        let under_way = self.making.begin(lease.id);
        change.commit(point!("app.intend.commit")).await?;
        Ok((Versioned { value: lease, generation: 1 }, seen.value, permit, under_way))
    }

    async fn give_up(&self, intent: &Versioned<Lease>, grant: &Grant, error: &ConnectError) -> Result<(), AppError> {
        let now = self.now();
        let mut change = self.change(Actor::System, now);
        let about = about_lease(&intent.value, Some(grant));
        change.note(
            "lease.create_failed",
            Outcome::Failed,
            about.clone(),
            json!({ "lease": intent.value.id, "met": error.to_string() }),
        );
        let (lease, fact) = intent.value.clone().apply(LeaseEvent::End, now)?;
        change.fact(about, fact);
        change.write(Write::Lease(Put::over(intent, lease)));
        match change.commit(point!("app.give_up.commit")).await {
            // Somebody ended it already.
            Ok(_) | Err(AppError::Contended) => {}
            Err(error) => return Err(error),
        }
        self.nudge();
        Ok(())
    }

    /// Ends the lease that a call handed a secret out under, because its answer cannot be given again.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_handed_out(&self, caller: &Caller, id: LeaseId) -> Result<(), AppError> {
        decide!(async {
            let now = self.now();
            let Some(seen) = self.store.lease(id).await? else { return Ok(()) };
            let wanted = matches!(seen.value.state, LeaseState::Intended | LeaseState::Live { .. });
            if seen.value.holder != caller.person || !wanted {
                return Ok(());
            }
            let grant = self.store.grant(seen.value.grant).await?;
            let mut change = self.change(Actor::Person(caller.person), now);
            let (lease, fact) = seen.value.clone().apply(LeaseEvent::End, now)?;
            change.fact(about_lease(&lease, grant.as_ref().map(|g| &g.value)), fact);
            if let Some(grant) = &grant {
                change.note(
                    "credential.replay_refused",
                    Outcome::Denied,
                    about_grant(&grant.value),
                    json!({ "lease": id }),
                );
            }
            change.write(Write::Lease(Put::over(&seen, lease)));
            change.commit(point!("app.answer_lost.commit")).await.map(|_| self.nudge())
        })
    }
}

/// A right to issue with what people signed for it, if they did: the signer sees for itself.
pub(crate) async fn resting(
    app: &App,
    permit: IssuePermit,
    grant: &Grant,
    request: &AccessRequest,
    role: &Role,
) -> Result<IssuePermit, AppError> {
    if grant.approvals.iter().all(|approval| approval.signed.is_none()) {
        return Ok(permit);
    }
    let is_it = |item: &Item| matches!(item.state, ItemState::Approved { grant: Some(id), .. } if id == grant.id);
    let item = request.items.iter().position(is_it).and_then(|at| u16::try_from(at).ok()).unwrap_or_default();
    let mut extensions = Vec::new();
    for id in &grant.extended_by {
        let more = app.store.request(*id).await?.ok_or_else(|| AppError::missing("request", *id))?;
        extensions.push(more.value.ask.clone());
    }
    let (ask, approvals) = (request.ask.clone(), grant.approvals.clone());
    Ok(permit.resting_on(Authority { ask, item, role: role.clone(), extensions, approvals }))
}

/// What the inventory keeps of an issue, with the proof of identity it rested on: whoever opens a session
/// with the credential has proved no more than that.
fn proved_by(caller: &Caller, mut inventory: Value) -> Value {
    if let Some(inventory) = inventory.as_object_mut() {
        inventory.insert("proved".to_owned(), json!(caller.proved.micros()));
        inventory.insert("proof".to_owned(), json!(caller.proof));
    }
    inventory
}

fn live(open: Vec<Versioned<Lease>>, what: LeaseKind) -> Option<Versioned<Lease>> {
    open.into_iter().find(|l| l.value.what == what && matches!(l.value.state, LeaseState::Live { .. }))
}

fn handed(lease: &Lease, grant: &Grant, handed: Handed, now: Time) -> Result<HandedOut, AppError> {
    let grant_end = grant.usable_until(now)?;
    Ok(HandedOut {
        lease: lease.id,
        public: handed.public,
        secret: handed.secret,
        not_after: handed.not_after,
        grant_end,
    })
}
