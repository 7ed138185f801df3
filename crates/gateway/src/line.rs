//! One session: its sockets, what passes, and its race against the end of the grant.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use wane_app::{Company, Meter, News, RecordOutcome, SessionEnd, SessionOpened, Standing};
use wane_connector::broker::{Files, Line, Pipe, Refused, Typed, Unspent, Word};
use wane_domain::ambient::Ambient;
use wane_domain::id::SessionId;
use wane_domain::time::{Span, Time};
use wane_finding::Found;
use wane_recording::{Event, Side};

use crate::findings::Findings;
use crate::pipe::{Tether, tether};
use crate::port::Port;
use crate::proof::Proof;
use crate::record::Record;
use crate::tally::Tally;
use crate::task::Task;

const CONNECT: Duration = Duration::from_secs(10);
/// When a person is told that it will be over soon.
const WARNINGS: [Span; 2] = [Span::from_mins(5), Span::from_mins(1)];
/// How soon it is said again that a session is closed, if that could not be written down.
const SAY_AGAIN: Duration = Duration::from_secs(1);
const SAY_AGAIN_MOST: Duration = Duration::from_secs(30);

/// One session.
pub(crate) struct Live {
    pub(crate) session: SessionId,
    ambient: Ambient,
    port: Arc<dyn Port>,
    told: watch::Receiver<Standing>,
    meter: Arc<Meter>,
    began: Time,
    /// What asks for the like of it again.
    again: String,
    tally: Mutex<Tally>,
    task: Task,
    record: Option<Record>,
    findings: Findings,
    proof: Proof,
    company: Arc<Company>,
    notes: Value,
    /// Set once: from then on nothing passes.
    over: OnceLock<String>,
    words: mpsc::UnboundedSender<Word>,
    hears: tokio::sync::Mutex<mpsc::UnboundedReceiver<Word>>,
    connections: Connections,
    target: Mutex<Targets>,
}

/// Connections to the target.
#[derive(Default)]
struct Targets {
    held: Vec<Tether>,
    reached: bool,
}

/// As many connections to its target as a session of many connections has at once.
const MOST_OF_MANY: usize = 64;

/// How many connections to its target a session has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    /// One, ever.
    One,
    /// Several, one after the other and beside each other.
    Many,
}

impl Live {
    pub(crate) fn new(begun: SessionOpened, notes: Value, ambient: Ambient, port: Arc<dyn Port>) -> Self {
        Self::of(begun, notes, ambient, port, Connections::One)
    }

    /// A session with as many connections to its target.
    pub(crate) fn of(
        begun: SessionOpened,
        notes: Value,
        ambient: Ambient,
        port: Arc<dyn Port>,
        connections: Connections,
    ) -> Self {
        let (words, hears) = mpsc::unbounded_channel();
        Self {
            session: begun.session,
            ambient,
            port,
            told: begun.told,
            meter: begun.meter,
            began: begun.began,
            again: begun.again,
            tally: Mutex::default(),
            task: Task::default(),
            record: begun.roll.map(Record::new),
            findings: Findings::new(begun.rules),
            proof: Proof::new(begun.proof),
            company: begun.company,
            notes,
            over: OnceLock::new(),
            words,
            hears: tokio::sync::Mutex::new(hears),
            target: Mutex::default(),
            connections,
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn target(&self) -> MutexGuard<'_, Targets> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when it may go on, or why not. Asked for every byte: neither a timer that is late nor a task
    /// that is busy lets one through.
    fn ended(&self) -> Option<String> {
        if let Some(why) = self.over.get() {
            return Some(why.clone());
        }
        let ended = match &*self.told.borrow() {
            Standing::Over(why) => Some(why.clone()),
            Standing::Until(end) if self.ambient.now() >= *end => Some(TIME_IS_UP.to_owned()),
            Standing::Until(_) => None,
        };
        ended
            .or_else(|| self.proof.ended(self.ambient.now()))
            .or_else(|| self.findings.ended())
            .or_else(|| self.record.as_ref()?.ended())
    }

    /// Waits while identity has to be proved again; then as [`Live::ended`].
    async fn stands(&self) -> Option<String> {
        loop {
            let ended = self.ended();
            if ended.is_some() || !self.proof.paused(self.ambient.now()).await {
                return ended;
            }
        }
    }

    /// Counts what passes, and what happens.
    fn count(&self, now: Time, event: &Event<'_>) {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        match event {
            Event::Data { from: Side::Client, bytes, .. } => self.meter.up(bytes.len()),
            Event::Data { from: Side::Target | Side::TargetError, bytes, .. } => self.meter.down(bytes.len()),
            Event::Withheld { from: Side::Client, bytes, .. } => self.meter.up(size(*bytes)),
            Event::Withheld { from: Side::Target | Side::TargetError, bytes, .. } => self.meter.down(size(*bytes)),
            // What is typed at a terminal is told by how much it is.
            Event::Gap { bytes, .. } | Event::Typed { bytes, .. } => self.meter.up(size(*bytes)),
            Event::Data { from: Side::Wane, .. } | Event::Withheld { from: Side::Wane, .. } => {}
            other => {
                let verdict = {
                    let mut tally = self.tally();
                    tally.add(now.since(self.began), other);
                    tally.verdict()
                };
                self.meter.judged(verdict);
                if matches!(other, Event::Finding { .. }) {
                    self.meter.found();
                }
            }
        }
    }

    /// Runs until the session is over; says why.
    pub(crate) async fn race(&self) -> String {
        // Beside the race, never in its way: whoever is told may not answer.
        let mut company = Box::pin(async {
            loop {
                self.mind(self.company.news().await).await;
            }
        });
        let mut told = self.told.clone();
        let mut unrecorded = Box::pin(async {
            match &self.record {
                Some(record) => record.fails().await,
                None => std::future::pending().await,
            }
        });
        // As are those who are told what was found; what is left is told at the end.
        let mut told_of = Box::pin(self.findings.write_down(&self.port, self.session));
        let mut cut = Box::pin(self.findings.cuts());
        let words = self.words.clone();
        let mut unproved = Box::pin(self.proof.race(&self.ambient, |word| drop(words.send(Word::Soon(word)))));
        let mut done = Box::pin(self.task.is_over());
        // Whatever the wall clock does meanwhile, this takes no longer than it should.
        let mut due = Box::pin(tokio::time::sleep(Duration::ZERO));
        let (mut held, mut warned) = (None, None);
        loop {
            let end = match &*told.borrow_and_update() {
                Standing::Over(why) => return why.clone(),
                Standing::Until(end) => *end,
            };
            let now = self.ambient.now();
            if now >= end {
                return TIME_IS_UP.to_owned();
            }
            let left = end.since(now);
            let near = WARNINGS.into_iter().rev().find(|warning| left <= *warning).map(|warning| (end, warning));
            if near != warned {
                warned = near;
                // One that begins this late needs no warning of it.
                if near.is_some() && held.is_some() {
                    let _ = self.words.send(Word::Soon(format!("this session ends in {}", in_words(left))));
                }
            }
            if held.replace(end) != Some(end) {
                due.set(tokio::time::sleep(left.to_std()));
            }
            let ahead = WARNINGS.into_iter().find(|warning| left > *warning);
            let to_warning = ahead.map(|warning| left.to_std().saturating_sub(warning.to_std()));
            tokio::select! {
                changed = told.changed() => if changed.is_err() {
                    return "the server has let go of it".to_owned();
                },
                // One that was told of a later end in the same instant goes on until then.
                () = &mut due => if !told.has_changed().unwrap_or(false) {
                    return TIME_IS_UP.to_owned();
                },
                why = &mut unrecorded => return why,
                why = &mut cut => return why,
                why = &mut unproved => return why,
                () = &mut done => return TASK_IS_DONE.to_owned(),
                () = tokio::time::sleep(to_warning.unwrap_or_default()), if to_warning.is_some() => {}
                () = &mut told_of => {}
                _ = &mut company => {}
            }
        }
    }

    /// Somebody joined or left.
    async fn mind(&self, news: News) {
        match news {
            News::Came { name } => {
                let _ = self.words.send(Word::Soon(format!("{name} joined this session, sees it and types in it")));
            }
            News::Left { person, name, typed } => {
                let _ = self.words.send(Word::Soon(format!("{name} left this session")));
                self.port.guest_left(self.session, person, typed).await;
            }
        }
    }

    /// It is over: nothing passes any more, the target is cut off, the person is told.
    pub(crate) fn end(&self, why: &str) {
        let _ = self.over.set(why.to_owned());
        self.company.end();
        self.target().held.iter().for_each(Tether::cut);
        let again = &self.again;
        let _ = self.words.send(Word::Over(format!("this session is over: {why}. To ask again: wane request {again}")));
    }

    /// Ends the recording, if there is one; says how it came out.
    pub(crate) async fn recorded(&self, why: &str) -> Option<RecordOutcome> {
        match &self.record {
            Some(record) => Some(record.finish(self.ambient.now(), why).await),
            None => None,
        }
    }

    /// Cuts what is left, waits until it is closed, and has it written down.
    pub(crate) async fn close(&self, people: &[Tether]) {
        // Whoever got here without an end left by themselves.
        let why = self.over.get_or_init(|| "the person left".to_owned()).clone();
        let (targets, reached) = {
            let target = self.target();
            (target.held.clone(), target.reached)
        };
        for tether in targets.iter().chain(people) {
            tether.cut();
            tether.gone().await;
        }
        self.findings.settle(&self.port, self.session).await;
        for news in self.company.last() {
            self.mind(news).await;
        }
        let recorded = self.recorded(&why).await;
        let (tally, channels) = {
            let tally = self.tally();
            (tally.json(self.meter.read(), &why), tally.channels())
        };
        let what = match (reached, self.connections) {
            (false, _) => "it never reached its target",
            (true, Connections::One) => "both its connections are closed",
            (true, Connections::Many) => "all its connections are closed",
        };
        let proof = format!("the gateway carries it no more: {what}, and the {channels} channels with them; {why}");
        let mut wait = SAY_AGAIN;
        let end = SessionEnd { tally, proof, recorded, task: self.task.end() };
        while !self.port.closed(self.session, &end).await {
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2).min(SAY_AGAIN_MOST);
        }
    }
}

const TASK_IS_DONE: &str = "its task is done";
const TIME_IS_UP: &str = "its time is up";

/// A while, for people.
fn in_words(left: Span) -> String {
    match left.secs().saturating_add(30) / 60 {
        0 => format!("{} seconds", left.secs()),
        1 => "one minute".to_owned(),
        mins => format!("{mins} minutes"),
    }
}

#[async_trait]
impl Line for Live {
    async fn dial(&self, host: &str, port: u16) -> io::Result<Pipe> {
        let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect((host, port))).await.unwrap_or_else(late)?;
        let (pipe, tether) = tether(stream);
        let mut target = self.target();
        // Looked at under the lock that the end takes: one of both sees the other.
        if let Some(why) = self.ended() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, why));
        }
        match self.connections {
            Connections::One if target.reached => {
                return Err(io::Error::other("the session has a connection already"));
            }
            Connections::One => {}
            Connections::Many => {
                target.held.retain(|held| !held.is_gone());
                if target.held.len() >= MOST_OF_MANY {
                    return Err(io::Error::other("the session has as many connections as it may have"));
                }
            }
        }
        target.reached = true;
        target.held.push(tether);
        Ok(pipe)
    }

    async fn begun(&self) -> Result<(), Refused> {
        self.port.begun(self.session, &self.notes).await
    }

    async fn spend(&self, channel: u32, command: &[u8]) -> Result<(), Refused> {
        if let Some(why) = self.ended() {
            return Err(Refused(why));
        }
        self.task.asked();
        self.port.spend(self.session, command).await?;
        self.task.runs(channel);
        // It may have waited.
        self.ended().map_or(Ok(()), |why| Err(Refused(why)))
    }

    async fn spend_use(&self, more: &[(String, u64)]) -> Result<(), Unspent> {
        let goes_on = || self.ended().map_or(Ok(()), |why| Err(Refused(why)));
        goes_on()?;
        self.port.spend_use(self.session, more).await?;
        // It may have waited.
        Ok(goes_on()?)
    }

    /// INVARIANT: nothing passes either way while identity has to be proved again; what Wane itself says does
    /// (held by `nothing_passes_while_identity_is_to_be_proved_again`).
    async fn tap(&self, event: &Event<'_>) -> Result<(), Refused> {
        let own = matches!(event, Event::Data { from: Side::Wane, .. });
        if let Some(why) = if own { self.ended() } else { self.stands().await } {
            return Err(Refused(why));
        }
        let now = self.ambient.now();
        if let Some(record) = &self.record {
            record.event(now, event).await;
            // It may have waited, or failed.
            if let Some(why) = self.ended() {
                return Err(Refused(why));
            }
        }
        self.count(now, event);
        self.task.see(event);
        // INVARIANT: nothing passes in which a rule that cuts found something: it was recorded, and the session
        // is over (held by `a_rule_that_cuts_lets_nothing_pass`).
        for found in self.findings.of(event) {
            let now = self.ambient.now();
            let Found { rule, channel, what, then } = &found;
            let event = Event::Finding { channel: *channel, rule: rule.into(), what: what.into(), then: *then };
            if let Some(record) = &self.record {
                record.event(now, &event).await;
            }
            self.count(now, &event);
            self.findings.note(now.since(self.began), found);
        }
        match self.findings.ended() {
            Some(why) => Err(Refused(why)),
            None => {
                self.company.sees(event);
                Ok(())
            }
        }
    }

    fn files(&self) -> Files {
        self.record.as_ref().map(Record::files).unwrap_or_default()
    }

    async fn typed(&self) -> Typed {
        self.company.typed().await
    }

    async fn word(&self) -> Word {
        match self.hears.lock().await.recv().await {
            Some(word) => word,
            None => std::future::pending().await,
        }
    }
}

/// What a lease keeps of its session.
pub(crate) fn notes(login: &str, peer: std::net::IpAddr, client: &str) -> Value {
    json!({ "login": login, "peer": peer, "client": client })
}

#[cfg(test)]
mod tests;
