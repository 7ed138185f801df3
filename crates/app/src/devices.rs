//! Signing a command line in by a browser (after RFC 8628): it shows a link and a code, its person enters the code
//! on the page of the link, and it is handed a session.
//!
//! Owns: the book of those that wait. It is memory only, and bounded; what is not in it does not wait. What is
//! handed out is as good as the session it was confirmed in, ends with it, and is handed out once.
//!
//! INVARIANT: one confirmation, by whoever enters the code that only that command line shows, is one session
//! (held by `a_command_line_is_signed_in_once_by_its_code`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::canonical::Digest;
use wane_domain::id::{PersonId, TokenId};
use wane_domain::secret::SecretOnce;
use wane_domain::time::{Span, Time};
use wane_failpoint::point;

use crate::App;
use crate::arrivals::{CODE, MOST_MISTAKES, NotThere, code, is_same, network, shown, spelled};
use crate::auth::SignedIn;
use crate::caller::Caller;
use crate::decide;
use crate::error::AppError;

/// Command lines that wait, of everybody together, and from one address.
const MOST: usize = 1000;
const MOST_HERE: usize = 16;
/// The most characters in which a program says what it is.
const LONGEST_CLIENT: usize = 256;
/// How long one waits.
const LIFE: Span = Span::from_mins(10);
/// How often one may ask …
const INTERVAL: Span = Span::from_secs(2);
/// … and by how much less often once it asked too soon (RFC 8628 section 3.5).
const SLOWER: Span = Span::from_secs(5);
/// By how much a wait may come out shorter than it was meant.
const GRACE: Span = Span::from_micros(250_000);

/// How far a provider's clock may be behind ours when it says when identity was proved.
const CLOCKS: Span = Span::from_mins(1);

/// What a command line wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAsks {
    /// To be signed in.
    SignIn,
    /// That its person proves who they are anew, after it asked.
    Proof,
}

/// A command line that begins to wait.
#[derive(Debug)]
pub struct DeviceBegun {
    /// What it asks with. Its own secret: neither link nor code says it.
    pub device_code: SecretOnce,
    /// Where its person goes.
    pub link: String,
    /// What they enter there.
    pub code: String,
    /// Until when.
    pub until: Time,
    /// How often it may ask.
    pub interval: Span,
}

/// What a command line that asks is told.
#[derive(Debug)]
pub enum DeviceAnswer {
    /// Nobody answered yet; ask again after so long.
    Wait(Span),
    /// As before, and it asked too soon.
    SlowDown(Span),
    /// Its session, once.
    SignedIn(SignedIn),
}

/// What somebody is shown of a command line before they answer. The code is not among it: they have to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceShown {
    /// Where it is, if that is known.
    pub peer: Option<IpAddr>,
    /// What it says it is.
    pub client: String,
    /// How long it may still be answered.
    pub left: Span,
    /// What it wants.
    pub asks: DeviceAsks,
    /// Whether who looks at it has to prove who they are before they can say yes.
    pub unproved: bool,
}

#[derive(Clone, Debug)]
struct Device {
    reference: String,
    code: [u8; CODE],
    peer: Option<IpAddr>,
    client: String,
    asks: DeviceAsks,
    began: Time,
    until: Time,
    mistakes: u8,
    interval: Span,
    /// When it may ask again.
    next: Time,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Asked,
    /// This person is confirming it: their record is being written.
    Confirming,
    /// By whom, and in which session of theirs.
    Confirmed(PersonId, TokenId),
    Over(&'static str),
}

/// The book, by the digest of what each asks with.
#[derive(Debug, Default)]
pub(crate) struct Devices(Mutex<HashMap<Digest, Device>>);

/// What asking found.
enum Found {
    Wait(Span),
    SlowDown(Span),
    Confirmed(PersonId, TokenId, Device),
}

impl Devices {
    fn book(&self) -> MutexGuard<'_, HashMap<Digest, Device>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, key: Digest, device: Device, now: Time) -> bool {
        let mut book = self.book();
        book.retain(|_, device| now < device.until);
        let from = device.peer.map(network);
        let here = book.values().filter(|other| from.is_some() && other.peer.map(network) == from).count();
        if book.len() >= MOST || here >= MOST_HERE {
            return false;
        }
        book.insert(key, device);
        true
    }

    fn strike(&self, key: Digest) {
        self.book().remove(&key);
    }

    /// What a command line is told; one that was confirmed is struck off with it.
    fn ask(&self, key: Digest, now: Time) -> Result<Found, AppError> {
        let mut book = self.book();
        let gone = || AppError::missing("sign-in that waits for", "this code");
        let device = book.get_mut(&key).filter(|device| now < device.until).ok_or_else(gone)?;
        match device.stage {
            Stage::Over(why) => {
                book.remove(&key);
                Err(AppError::NotSignedIn(why.to_owned()))
            }
            Stage::Confirmed(person, session) => {
                let device = book.remove(&key).ok_or_else(gone)?;
                Ok(Found::Confirmed(person, session, device))
            }
            Stage::Asked | Stage::Confirming => {
                let early = now.plus(GRACE) < device.next;
                if early {
                    let slower = device.interval.micros().saturating_add(SLOWER.micros());
                    device.interval = Span::from_micros(slower.min(LIFE.micros()));
                }
                device.next = now.plus(device.interval);
                Ok(if early { Found::SlowDown(device.interval) } else { Found::Wait(device.interval) })
            }
        }
    }

    /// The one a page is about, if it still waits for an answer.
    fn open(&self, reference: &str, now: Time) -> Result<Device, NotThere> {
        let book = self.book();
        let device = book.values().find(|one| is_same(&one.reference, reference)).ok_or(NotThere::Gone)?;
        device.still_asks(now)?;
        Ok(device.clone())
    }

    /// Takes one for a person who is answering it. Nobody else can after that.
    fn claim(&self, reference: &str, typed: &str, now: Time) -> Result<(Digest, Device), NotThere> {
        let mut book = self.book();
        let (key, device) =
            book.iter_mut().find(|(_, one)| is_same(&one.reference, reference)).ok_or(NotThere::Gone)?;
        device.still_asks(now)?;
        if !is_same(&shown(device.code), &spelled(typed)) {
            device.mistakes = device.mistakes.saturating_add(1);
            let left = MOST_MISTAKES.saturating_sub(device.mistakes);
            if left == 0 {
                device.stage = Stage::Over("a wrong code was entered too often");
            }
            return Err(NotThere::Mistaken { left });
        }
        device.stage = Stage::Confirming;
        Ok((*key, device.clone()))
    }

    fn refuse(&self, reference: &str, now: Time) -> Result<Device, NotThere> {
        let mut book = self.book();
        let device = book.values_mut().find(|one| is_same(&one.reference, reference)).ok_or(NotThere::Gone)?;
        device.still_asks(now)?;
        device.stage = Stage::Over("it was refused in the browser");
        Ok(device.clone())
    }

    fn put(&self, key: Digest, stage: Stage) {
        if let Some(device) = self.book().get_mut(&key) {
            device.stage = stage;
        }
    }
}

impl Device {
    fn still_asks(&self, now: Time) -> Result<(), NotThere> {
        match self.stage {
            Stage::Asked if now < self.until => Ok(()),
            Stage::Asked | Stage::Over(_) => Err(NotThere::Gone),
            Stage::Confirming | Stage::Confirmed(..) => Err(NotThere::Answered),
        }
    }

    /// Whether somebody has to prove who they are before this one is theirs to confirm.
    fn is_unproved_by(&self, caller: &Caller) -> bool {
        self.asks == DeviceAsks::Proof && caller.proved.plus(CLOCKS) < self.began
    }

    fn detail(&self) -> serde_json::Value {
        let wants = match self.asks {
            DeviceAsks::SignIn => "sign_in",
            DeviceAsks::Proof => "proof",
        };
        json!({ "peer": self.peer, "client": self.client, "wants": wants })
    }
}

impl App {
    /// A command line wants to be signed in, or a fresh proof of whose it is.
    ///
    /// # Errors
    /// When too many wait, it says too much of itself, or this cannot be written down.
    pub async fn begin_device(
        &self,
        peer: Option<IpAddr>,
        client: &str,
        asks: DeviceAsks,
    ) -> Result<DeviceBegun, AppError> {
        let now = self.now();
        let secret = format!("wane_d_{}", self.browser_mark());
        let key = key_of(&secret);
        let (reference, code) = (self.nonce(), code(&self.ambient));
        if client.chars().count() > LONGEST_CLIENT {
            return Err(AppError::invalid("client", format!("say it in at most {LONGEST_CLIENT} characters")));
        }
        let client: String = client.chars().filter(|c| !c.is_control()).collect();
        let device = Device {
            reference: reference.clone(),
            code,
            peer,
            client,
            asks,
            began: now,
            until: now.plus(LIFE),
            mistakes: 0,
            interval: INTERVAL,
            next: now.plus(INTERVAL),
            stage: Stage::Asked,
        };
        let (until, detail) = (device.until, device.detail());
        if !self.devices.enter(key, device, now) {
            return Err(AppError::Crowded);
        }
        if let Err(error) = self.note_device(Actor::Unknown, "device.asked", Outcome::Done, detail).await {
            self.devices.strike(key);
            return Err(error);
        }
        Ok(DeviceBegun {
            device_code: SecretOnce::new(secret),
            link: format!("{}/device/{reference}", self.public_url),
            code: shown(code),
            until,
            interval: INTERVAL,
        })
    }

    /// What a command line that waits is told.
    ///
    /// # Errors
    /// When it does not wait any more, was refused, or the session it was confirmed in is over.
    pub async fn ask_device(&self, device_code: &str) -> Result<DeviceAnswer, AppError> {
        let (person, session, device) = match self.devices.ask(key_of(device_code), self.now())? {
            Found::Wait(interval) => return Ok(DeviceAnswer::Wait(interval)),
            Found::SlowDown(interval) => return Ok(DeviceAnswer::SlowDown(interval)),
            Found::Confirmed(person, session, device) => (person, session, device),
        };
        decide!(async {
            let (world, now) = (self.world().await?, self.now());
            let over = || AppError::NotSignedIn("the session it was confirmed in is over".to_owned());
            let confirmed = self.store.token(session).await?.map(|seen| seen.value).ok_or_else(over)?;
            if confirmed.spent.is_some() || now >= confirmed.expires || !world.is_active(person) {
                return Err(over());
            }
            let mut change = self.change_at(Actor::Person(person), &world, now);
            let proof = (confirmed.by, confirmed.proved);
            let signed_in = self.session_in(&mut change, person, proof, Some(confirmed.expires), device.detail());
            change.commit(point!("app.device.session.commit")).await?;
            Ok(DeviceAnswer::SignedIn(signed_in))
        })
    }

    /// A command line that waits to be answered.
    ///
    /// # Errors
    /// When there is none under this reference that still waits.
    pub fn device(&self, caller: &Caller, reference: &str) -> Result<DeviceShown, AppError> {
        let now = self.now();
        let device = self.devices.open(reference, now).map_err(said)?;
        let unproved = device.is_unproved_by(caller);
        let left = device.until.since(now);
        Ok(DeviceShown { peer: device.peer, client: device.client, left, asks: device.asks, unproved })
    }

    /// Says yes: whoever is at that command line is this caller.
    ///
    /// # Errors
    /// When the code is another, it was answered before, its time is over, or it takes a fresher proof of identity.
    pub async fn confirm_device(&self, caller: &Caller, reference: &str, typed: &str) -> Result<(), AppError> {
        let actor = Actor::Person(caller.person);
        let token = caller.token.ok_or(AppError::SignedOut)?;
        if self.devices.open(reference, self.now()).map_err(said)?.is_unproved_by(caller) {
            return Err(AppError::invalid(
                "proof",
                "prove who you are first: the last proof was before this was asked",
            ));
        }
        let (key, device) = match self.devices.claim(reference, typed, self.now()) {
            Ok(claimed) => claimed,
            Err(why) => {
                if matches!(why, NotThere::Mistaken { .. }) {
                    self.note_device(actor, "device.mistaken", Outcome::Denied, json!({})).await?;
                }
                return Err(said(why));
            }
        };
        let noted = self.note_device(actor, "device.confirmed", Outcome::Done, device.detail()).await;
        let stage = if noted.is_ok() { Stage::Confirmed(caller.person, token) } else { Stage::Asked };
        self.devices.put(key, stage);
        noted
    }

    /// Says no.
    ///
    /// # Errors
    /// When it was answered before, or its time is over.
    pub async fn refuse_device(&self, caller: &Caller, reference: &str) -> Result<(), AppError> {
        let device = self.devices.refuse(reference, self.now()).map_err(said)?;
        let actor = Actor::Person(caller.person);
        self.note_device(actor, "device.refused", Outcome::Denied, device.detail()).await
    }

    async fn note_device(
        &self,
        actor: Actor,
        event: &str,
        outcome: Outcome,
        detail: serde_json::Value,
    ) -> Result<(), AppError> {
        let person = match &actor {
            Actor::Person(id) => Some(*id),
            Actor::System | Actor::Host(_) | Actor::Directory(_) | Actor::Unknown => None,
        };
        let mut change = self.change(actor, self.now());
        change.note(event, outcome, Subjects { person, ..Subjects::default() }, detail);
        change.commit(point!("app.device.note.commit")).await.map(|_| ())
    }
}

fn key_of(device_code: &str) -> Digest {
    Digest::of_bytes("wane.device.v1", device_code.as_bytes())
}

fn said(why: NotThere) -> AppError {
    match why {
        NotThere::Gone => AppError::Missing { what: "sign-in that waits under", name: "this link".to_owned() },
        NotThere::Answered => AppError::Taken("this sign-in was answered already".to_owned()),
        NotThere::Mistaken { left: 0 } => {
            AppError::Taken("the code is wrong, and was too often: this sign-in is over; begin a new one".to_owned())
        }
        NotThere::Mistaken { left } => AppError::invalid("code", format!("it is another; {left} more tries")),
        NotThere::TooMany => AppError::Crowded,
    }
}
