//! One session: its sockets, what passes, and its race against the end of the grant.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use wane_app::{Company, Meter, News, RecordOutcome, SessionEnd, SessionOpened, Standing};
use wane_connector::broker::{Files, Line, Pipe, Refused, Typed, Word};
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
    fn count(&self, event: &Event<'_>) {
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
                    tally.add(self.ambient.now().since(self.began), other);
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
                () = &mut due => return TIME_IS_UP.to_owned(),
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

    async fn spend_use(&self, more: &[(String, u64)]) -> Result<(), Refused> {
        if let Some(why) = self.ended() {
            return Err(Refused(why));
        }
        self.port.spend_use(self.session, more).await?;
        // It may have waited.
        self.ended().map_or(Ok(()), |why| Err(Refused(why)))
    }

    /// INVARIANT: nothing passes either way while identity has to be proved again; what Wane itself says does
    /// (held by `nothing_passes_while_identity_is_to_be_proved_again`).
    async fn tap(&self, event: &Event<'_>) -> Result<(), Refused> {
        let own = matches!(event, Event::Data { from: Side::Wane, .. });
        if let Some(why) = if own { self.ended() } else { self.stands().await } {
            return Err(Refused(why));
        }
        if let Some(record) = &self.record {
            record.event(self.ambient.now(), event).await;
            // It may have waited, or failed.
            if let Some(why) = self.ended() {
                return Err(Refused(why));
            }
        }
        self.count(event);
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
            self.count(&event);
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
mod tests {
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicU32, Ordering};

    use wane_app::{Arriving, OnFailure, Reproof, Roll, SessionFinding, Tape, Taped, Verdict};
    use wane_connector::broker::Claim;
    use wane_connector::broker::{Inside, Invitation, Next, Proof};
    use wane_domain::id::{ArrivalId, PersonId, TypedId};
    use wane_finding::Rules;
    use wane_testkit::FakeClock;

    use super::*;
    use crate::proof::NOT_PROVED;

    const NOW: Time = Time::from_micros(1_795_255_200_000_000);

    /// Nobody answers: neither a store nor anything else works. But for findings, where they go somewhere.
    #[derive(Default)]
    struct Silence(Option<mpsc::UnboundedSender<u32>>);

    #[async_trait]
    impl Port for Silence {
        async fn open(&self, _: &Claim, _: Option<ArrivalId>) -> Result<SessionOpened, Refused> {
            std::future::pending().await
        }
        async fn begun(&self, _: SessionId, _: &Value) -> Result<(), Refused> {
            std::future::pending().await
        }
        async fn spend(&self, _: SessionId, _: &[u8]) -> Result<(), Refused> {
            std::future::pending().await
        }
        async fn spend_use(&self, _: SessionId, _: &[(String, u64)]) -> Result<(), Refused> {
            std::future::pending().await
        }
        async fn proofs(&self) {
            std::future::pending().await
        }
        async fn beat(&self) {
            std::future::pending().await
        }
        async fn closed(&self, _: SessionId, _: &SessionEnd) -> bool {
            true
        }
        async fn finding(&self, _: SessionId, finding: &SessionFinding) -> bool {
            let Some(written) = &self.0 else { return std::future::pending().await };
            written.send(finding.number).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            true
        }
        async fn arrive(&self, _: Arriving) -> Result<(ArrivalId, Invitation), Refused> {
            std::future::pending().await
        }
        async fn next(&self, _: ArrivalId, _: Option<&str>) -> Result<(Next, Time), Refused> {
            std::future::pending().await
        }
        async fn left(&self, _: ArrivalId) {}
        async fn admit(&self, _: &Proof, _: IpAddr, _: &str) -> Result<ArrivalId, Refused> {
            std::future::pending().await
        }
        async fn inside(&self, _: ArrivalId, _: &str, _: u16, _: &str) -> Result<Inside, Refused> {
            std::future::pending().await
        }
        async fn passed(&self, _: ArrivalId) {}
        async fn guest_left(&self, _: SessionId, _: PersonId, _: u64) {}
        async fn known(&self, _: ArrivalId, _: Arriving) -> Result<ArrivalId, Refused> {
            std::future::pending().await
        }
    }

    fn live(clock: &Arc<FakeClock>, end: Time) -> (Live, watch::Sender<Standing>) {
        let (tell, told) = watch::channel(Standing::Until(end));
        let begun = SessionOpened {
            session: SessionId::mint(NOW, &[1; 10]),
            end,
            pass: Value::Null,
            told,
            proof: None,
            meter: Arc::default(),
            company: Arc::default(),
            roll: None,
            began: NOW,
            again: "deploy@web-1 --for 1h".to_owned(),
            rules: Vec::new(),
            kept: wane_connector::broker::Kept::default(),
        };
        let notes = notes("deploy", IpAddr::from([127, 0, 0, 1]), "ssh");
        (Live::new(begun, notes, clock.ambient(1), Arc::new(Silence::default())), tell)
    }

    async fn passes(live: &Live) -> bool {
        live.tap(&Event::Data { channel: 0, from: Side::Client, bytes: b"x".into() }).await.is_ok()
    }

    #[tokio::test]
    async fn a_session_ends_by_the_gateways_own_clock() {
        let clock = FakeClock::at(NOW);
        let (live, _tell) = live(&clock, NOW.plus(Span::from_micros(50_000)));
        assert!(passes(&live).await);
        // The wall clock stands still, and whoever is asked never answers.
        assert_eq!(tokio::time::timeout(Duration::from_secs(60), live.race()).await.unwrap(), TIME_IS_UP);
        live.end(TIME_IS_UP);
        assert!(!passes(&live).await);
        assert_eq!(
            live.word().await,
            Word::Over(format!("this session is over: {TIME_IS_UP}. To ask again: wane request deploy@web-1 --for 1h"))
        );
        assert!(live.dial("127.0.0.1", 1).await.is_err());
    }

    #[tokio::test]
    async fn nothing_passes_from_the_moment_it_is_over_whoever_is_late() {
        let clock = FakeClock::at(NOW);
        let (first, _tell) = live(&clock, NOW.plus(Span::from_mins(10)));
        clock.set(NOW.plus(Span::from_mins(10)));
        assert!(!passes(&first).await, "no timer has fired, and the time is up");
        let (second, tell) = live(&clock, NOW.plus(Span::from_mins(20)));
        assert!(passes(&second).await);
        tell.send_replace(Standing::Over("it was revoked".to_owned()));
        assert!(!passes(&second).await, "nobody has looked yet, and it is over");
        assert_eq!(second.race().await, "it was revoked");
        assert_eq!(second.meter.read(), (1, 0));
    }

    /// A tape that takes a few events and then no more.
    struct Short(AtomicU32);

    #[async_trait]
    impl Tape for Short {
        async fn event(&self, _: Time, _: &Event<'_>) -> Result<(), String> {
            let left = self.0.load(Ordering::SeqCst);
            self.0.store(left.saturating_sub(1), Ordering::SeqCst);
            if left == 0 { Err("the disk is full".to_owned()) } else { Ok(()) }
        }
        async fn finish(&self, _: Time, _: &str) -> Result<Taped, String> {
            Err("never asked".to_owned())
        }
    }

    #[tokio::test]
    async fn nothing_passes_once_its_recording_failed() {
        for (on_failure, goes_on) in [(OnFailure::Close, false), (OnFailure::GoOn, true)] {
            let clock = FakeClock::at(NOW);
            let (mut live, _tell) = live(&clock, NOW.plus(Span::from_mins(10)));
            live.record = Some(Record::new(Roll {
                tape: Arc::new(Short(AtomicU32::new(2))),
                on_failure,
                files: Files::Contents,
            }));
            assert!(passes(&live).await && passes(&live).await);
            assert_eq!((passes(&live).await, passes(&live).await), (goes_on, goes_on), "{on_failure:?}");
            assert_eq!(live.meter.read(), (if goes_on { 4 } else { 2 }, 0));
            let raced = tokio::time::timeout(Duration::from_millis(50), live.race()).await;
            assert_eq!(raced.is_err(), goes_on, "{raced:?}");
            let expected = Some(RecordOutcome::Failed("the disk is full".to_owned()));
            assert_eq!(live.recorded("over").await, expected);
        }
    }

    #[tokio::test]
    async fn a_rule_that_cuts_lets_nothing_pass() {
        let clock = FakeClock::at(NOW);
        let rules = json!([
            { "id": "key", "when": "output", "matches": "PRIVATE KEY", "then": "cut" },
            { "id": "seen", "when": "output", "matches": "hello", "then": "notify" },
        ]);
        let (mut live, _tell) = live(&clock, NOW.plus(Span::from_mins(10)));
        live.findings = Findings::new(vec![Arc::new(Rules::from_json(&rules).unwrap())]);
        let says = |text: &'static str| Event::Data { channel: 0, from: Side::Target, bytes: text.as_bytes().into() };
        assert!(live.tap(&says("hello\n")).await.is_ok());
        assert_eq!(live.meter.verdict(), (Verdict::Outside, 1));
        assert!(live.tap(&says("BEGIN PRIVATE")).await.is_ok());
        let why = "the rule `key` ended it";
        assert_eq!(live.tap(&says(" KEY\n")).await, Err(Refused(why.to_owned())), "nobody who writes down answers");
        assert!(!passes(&live).await);
        assert_eq!(live.race().await, why);
        assert_eq!(live.tally().json((0, 0), why)["findings"], json!({ "key": 1, "seen": 1 }));
    }

    #[tokio::test]
    async fn what_was_found_is_written_down_once_however_a_session_ends() {
        let clock = FakeClock::at(NOW);
        let rules = json!([{ "id": "seen", "when": "output", "matches": "hello", "then": "notify" }]);
        let (mut live, tell) = live(&clock, NOW.plus(Span::from_mins(10)));
        live.findings = Findings::new(vec![Arc::new(Rules::from_json(&rules).unwrap())]);
        let (written, mut was_written) = mpsc::unbounded_channel();
        live.port = Arc::new(Silence(Some(written)));
        let says = |text: &'static str| Event::Data { channel: 0, from: Side::Target, bytes: text.as_bytes().into() };
        assert!(live.tap(&says("hello\n")).await.is_ok());
        // It ends while the first is being written down, and one more is found before it is closed.
        let over = async {
            let first = was_written.recv().await;
            tell.send_replace(Standing::Over("it is over".to_owned()));
            first
        };
        let (why, first) = tokio::join!(live.race(), over);
        assert_eq!((why.as_str(), first), ("it is over", Some(1)));
        live.findings.note(Span::ZERO, live.findings.of(&says("hello\n")).remove(0));
        live.findings.settle(&live.port, live.session).await;
        assert_eq!(was_written.try_recv(), Ok(2), "written down twice, or not at all");
        assert!(was_written.try_recv().is_err());
    }

    #[tokio::test]
    async fn nothing_passes_while_identity_is_to_be_proved_again() {
        let clock = FakeClock::at(NOW);
        let (mut live, _tell) = live(&clock, NOW.plus(Span::from_hours(8)));
        let every = Span::from_mins(30);
        let reproof = Reproof { every, grace: Span::from_mins(5), proved: NOW };
        let (proves, proved) = watch::channel(reproof);
        live.proof = crate::proof::Proof::new(Some(proved));
        clock.advance(Span::from_mins(29));
        assert!(passes(&live).await);
        clock.advance(Span::from_mins(1));
        // Held, and let go by a proof.
        let held = async { tokio::time::timeout(Duration::from_millis(300), passes(&live)).await.is_err() };
        assert!(held.await, "it passed");
        let says = Event::Data { channel: 0, from: Side::Wane, bytes: b"prove who you are".into() };
        assert!(live.tap(&says).await.is_ok(), "the person is not told");
        let prove = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            proves.send_replace(Reproof { proved: clock.ambient(1).now(), ..reproof });
        };
        assert!(tokio::join!(passes(&live), prove).0, "it is not let go");
        // None comes: over, whoever is late.
        clock.advance(Span::from_mins(34));
        let held = async { tokio::time::timeout(Duration::from_millis(300), passes(&live)).await.is_err() };
        assert!(held.await, "it passed");
        clock.advance(Span::from_mins(1));
        assert!(!passes(&live).await);
        assert_eq!(live.race().await, NOT_PROVED);
    }

    #[tokio::test]
    async fn who_has_to_prove_who_they_are_is_told() {
        let clock = FakeClock::at(NOW);
        let (mut live, _tell) = live(&clock, NOW.plus(Span::from_hours(8)));
        let reproof = Reproof { every: Span::from_mins(30), grace: Span::from_mins(5), proved: NOW };
        let (proves, proved) = watch::channel(reproof);
        live.proof = crate::proof::Proof::new(Some(proved));
        let told = async |has: &str| {
            let Word::Soon(word) = live.word().await else { panic!("it is over") };
            assert!(word.contains(has), "{has}: {word}");
        };
        let walk = async {
            clock.advance(Span::from_mins(29));
            proves.send_replace(reproof);
            told("within 1m").await;
            clock.advance(Span::from_mins(1));
            proves.send_replace(reproof);
            told("paused until you prove who you are: `wane prove`, or sign in again; it is cut in 5m").await;
            proves.send_replace(Reproof { proved: clock.ambient(1).now(), ..reproof });
            told("goes on").await;
            clock.advance(Span::from_mins(35));
            proves.send_replace(Reproof { proved: NOW.plus(Span::from_mins(30)), ..reproof });
        };
        let (why, ()) = tokio::join!(live.race(), walk);
        assert_eq!(why, NOT_PROVED);
    }

    #[tokio::test]
    async fn an_end_that_moves_is_followed_and_announced() {
        let clock = FakeClock::at(NOW);
        let (live, tell) = live(&clock, NOW.plus(Span::from_micros(30_000)));
        let moved = async {
            tell.send_replace(Standing::Until(NOW.plus(Span::from_hours(1))));
            assert!(tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>()).await.is_err());
            // Less time than it had: it hears of that.
            tell.send_replace(Standing::Until(NOW.plus(Span::from_mins(2))));
            assert_eq!(live.word().await, Word::Soon("this session ends in 2 minutes".to_owned()));
            drop(tell);
        };
        let (why, ()) = tokio::join!(live.race(), moved);
        assert_eq!(why, "the server has let go of it");
    }

    #[test]
    fn a_while_is_said_in_words() {
        for (secs, words) in
            [(300, "5 minutes"), (299, "5 minutes"), (60, "one minute"), (59, "one minute"), (20, "20 seconds")]
        {
            assert_eq!(in_words(Span::from_secs(secs)), words);
        }
    }
}
