//! A connection at the gateway inside which its person opens sessions (`ssh -J`): who they are, which hosts
//! they may mean, and that the gateway may stand for those.
//!
//! Nothing is given here but that it is known who is there: each session inside is judged, written down and
//! recorded by [`App::open_session`], under a grant of that same person.
//!
//! INVARIANT: what the proof rests on is looked at anew for each session: a certificate whose grant ended, or a
//! sign-in that is over, opens no more of them (held by `an_end_inside_a_connection_is_its_own`).

use std::net::IpAddr;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_connector::broker::{Inside, Proof};
use wane_domain::catalogue::Resource;
use wane_domain::id::{ArrivalId, GrantId};
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_failpoint::{around_call, point};
use wane_store::{GrantFilter, GrantPhase, Slice, Standing as Held};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::judge::AskFacts;
use crate::passages::{KnownBy, Passage};

/// The longest name of a host that goes into a record.
const LONGEST_SHOWN: usize = 64;
/// What a host is asked for at where nothing else is said.
const USUAL_PORT: u16 = 22;

impl App {
    /// Lets somebody who has proved who they are have sessions inside their connection.
    ///
    /// # Errors
    /// When the proof does not hold, or they have too many such connections.
    pub async fn admit(&self, proof: &Proof, peer: IpAddr, client: &str) -> Result<ArrivalId, AppError> {
        let (id, caller, by) = match *proof {
            Proof::Credential { grant, serial } => {
                let caller = match self.holder_by_credential(grant, serial).await {
                    Ok(caller) => caller,
                    Err(error) => {
                        self.count_failed(grant, &error).await?;
                        return Err(error);
                    }
                };
                (self.ambient.id(), caller, KnownBy::Credential { grant, serial })
            }
            Proof::Confirmed(arrival) => {
                let taken = self.arrivals.take_passage(arrival, peer);
                let missing = || AppError::Taken("this login was not confirmed for that, or was used".to_owned());
                (arrival, taken.ok_or_else(missing)?, KnownBy::Confirmed)
            }
        };
        let passage = Passage { caller, by, peer, client: client.to_owned() };
        if !self.passages.enter(id, passage.clone()) {
            return Err(AppError::Taken("you have too many such connections; close some".to_owned()));
        }
        match self.note_passage("passage.opened", Outcome::Done, id, &passage, json!({})).await {
            Ok(()) => Ok(id),
            Err(error) => {
                self.passages.strike(id);
                Err(error)
            }
        }
    }

    /// Such a connection is over.
    pub async fn passage_left(&self, id: ArrivalId) {
        let Some(passage) = self.passages.strike(id) else { return };
        if let Err(error) = self.note_passage("passage.closed", Outcome::Done, id, &passage, json!({})).await {
            tracing::warn!(arrival = %id, %error, "a connection is over; that could not be written down");
        }
    }

    /// The target that is meant inside such a connection, and a certificate for the gateway's key to stand for it.
    ///
    /// INVARIANT: a host and port that no registered target has go nowhere, and that they were asked for is written
    /// down (held by `nothing_is_reached_through_a_jump_but_registered_hosts`). What is not there is answered like
    /// what is there for others.
    ///
    /// # Errors
    /// When nothing there is meant that its person holds access to or may ask for, or the proof does not hold any
    /// more.
    pub async fn inside(&self, id: ArrivalId, host: &str, port: u16, key: &str) -> Result<Inside, AppError> {
        let caller = self.passage_holds(id).await?;
        let (world, now) = (self.world().await?, self.now());
        let found = match self.meant(&world, host, port)? {
            Some(resource) if self.is_within_reach(&world, &caller, resource, now).await? => Some(resource),
            Some(_) | None => None,
        };
        let Some(resource) = found else {
            let passage = self.passages.get(id).ok_or(AppError::SignedOut)?;
            let shown: String = host.chars().filter(|c| !c.is_control()).take(LONGEST_SHOWN).collect();
            let more = json!({ "to": format!("{shown}:{port}") });
            self.note_passage("passage.refused", Outcome::Denied, id, &passage, more).await?;
            return Err(AppError::missing("host that you hold or may ask for access to", format!("{shown}:{port}")));
        };
        let kind = self.kind(&resource.kind)?;
        let broker = kind.broker().ok_or_else(|| AppError::missing("gateway for", &resource.name))?;
        let serial = self.store.next_serial().await?;
        let signed = around_call(point!("app.passage.sign"), || broker.stands_for(resource, host, key, now, serial));
        let certificate = match signed {
            Ok(certificate) => certificate,
            Err(error) => {
                let about =
                    Subjects { person: Some(caller.person), resource: Some(resource.id), ..Subjects::default() };
                self.signer_refused(Actor::Person(caller.person), about, &error).await;
                return Err(error.into());
            }
        };
        let inside = Inside { resource: resource.name.to_string(), certificate };
        let passage = self.passages.get(id).ok_or(AppError::SignedOut)?;
        let mut change = self.change(Actor::Person(caller.person), now);
        let about = Subjects { person: Some(caller.person), resource: Some(resource.id), ..Subjects::default() };
        let to = format!("{}:{port}", host.chars().take(LONGEST_SHOWN).collect::<String>());
        let detail = json!({ "arrival": id, "peer": passage.peer, "to": to, "serial": serial });
        change.note("passage.inside", Outcome::Done, about, detail);
        change.commit(point!("app.passage.inside.commit")).await?;
        Ok(inside)
    }

    /// Whoever is known on such a connection, if what that rests on still holds.
    pub(crate) async fn passage_holds(&self, id: ArrivalId) -> Result<Caller, AppError> {
        let over = || AppError::Taken("this connection does not count any more; connect anew".to_owned());
        let passage = self.passages.get(id).ok_or_else(over)?;
        match passage.by {
            KnownBy::Credential { grant, serial } => {
                self.holder_by_credential(grant, serial).await.map_err(|_| over())?;
            }
            KnownBy::Confirmed => {
                let Some(token) = passage.caller.token else { return Err(over()) };
                let seen = self.store.token(token).await?.ok_or_else(over)?;
                let world = self.world().await?;
                if seen.value.spent.is_some() || self.now() >= seen.value.expires {
                    return Err(over());
                }
                if !world.is_active(passage.caller.person) {
                    return Err(over());
                }
            }
        }
        Ok(passage.caller)
    }

    /// The holder of a live credential of a live grant that they may use now.
    async fn holder_by_credential(&self, grant: GrantId, serial: u64) -> Result<Caller, AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        let missing = || AppError::missing("grant", grant);
        let Held { grant: seen, request, open } = self.store.standing(grant).await?.ok_or_else(missing)?;
        self.certificates.check(seen.value.holder, now)?;
        self.still_stands(grant)?;
        let end = seen.value.usable_until(now)?;
        let issued = self.credential_of(&open, serial).await?;
        self.permit_with_proof(&world, &seen.value, &request.value.ask, &issued.at(now), now)?;
        let person = world.people.get(&seen.value.holder).ok_or_else(missing)?;
        Ok(Caller {
            person: person.id,
            name: person.name.clone(),
            token: None,
            proved: issued.proved,
            proof: issued.proof,
            expires: end,
            job: None,
        })
    }

    /// The target that somebody means by a host and a port: by its name, or by the address it is registered with.
    fn meant<'w>(&self, world: &'w World, host: &str, port: u16) -> Result<Option<&'w Resource>, AppError> {
        let brokered = |resource: &&Resource| self.has_gateway(resource.kind.as_ref());
        let by_address = || {
            let mut there = world.resources.values().filter(brokered).filter(|resource| {
                let kind = self.kind(&resource.kind).ok().and_then(|kind| kind.broker());
                kind.is_some_and(|broker| broker.answers_to(resource, host, port))
            });
            // Of two that are registered with one address nobody knows which is meant.
            there.next().filter(|_| there.next().is_none())
        };
        let Some(named) = world.resource(host).filter(brokered) else { return Ok(by_address()) };
        // The gateway stands for hosts, and never for itself.
        let is_own = self.gateways().iter().any(|gateway| gateway.host.eq_ignore_ascii_case(host));
        let broker = self.kind(&named.kind)?.broker();
        let is_its_port = port == USUAL_PORT || broker.is_some_and(|broker| broker.answers_to(named, host, port));
        Ok(if is_own || !is_its_port { None } else { Some(named) })
    }

    /// Whether somebody holds access to a target or may ask for some.
    async fn is_within_reach(
        &self,
        world: &World,
        caller: &Caller,
        resource: &Resource,
        now: Time,
    ) -> Result<bool, AppError> {
        let filter = GrantFilter {
            holder: Some(caller.person),
            resource: Some(resource.id),
            phases: vec![GrantPhase::Scheduled, GrantPhase::Active],
            ..GrantFilter::default()
        };
        if !self.store.grants(filter, Slice::first(1)).await?.items.is_empty() {
            return Ok(true);
        }
        let Some(person) = world.people.get(&caller.person) else { return Ok(false) };
        let facts = AskFacts::smallest(caller, now);
        for role in world.roles.values().filter(|role| role.kind == resource.kind) {
            if self.fares(world, person, resource, role, &facts)?.terms.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn note_passage(
        &self,
        event: &str,
        outcome: Outcome,
        id: ArrivalId,
        passage: &Passage,
        more: Value,
    ) -> Result<(), AppError> {
        let person = passage.caller.person;
        let (grant, serial) = match passage.by {
            KnownBy::Credential { grant, serial } => (Some(grant), Some(serial)),
            KnownBy::Confirmed => (None, None),
        };
        let mut detail = json!({
            "arrival": id, "peer": passage.peer, "client": passage.client, "serial": serial,
        });
        if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
            detail.extend(more);
        }
        let mut change = self.change(Actor::Person(person), self.now());
        let about = Subjects { person: Some(person), grant, ..Subjects::default() };
        change.note(event, outcome, about, detail);
        change.commit(point!("app.passage.commit")).await.map(|_| ())
    }
}
