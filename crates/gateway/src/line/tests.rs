//! How one session comes to its end, with nobody who answers.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use wane_app::{Arriving, OnFailure, Reproof, Roll, SessionFinding, Tape, Taped, Verdict};
use wane_connector::broker::Claim;
use wane_connector::broker::{Inside, Invitation, Next, Proof, Unspent};
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
    async fn spend_use(&self, _: SessionId, _: &[(String, u64)]) -> Result<(), Unspent> {
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
        proof: watch::channel(None).1,
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
        live.record =
            Some(Record::new(Roll { tape: Arc::new(Short(AtomicU32::new(2))), on_failure, files: Files::Contents }));
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
    let reproof = Reproof { every, grace: Span::from_mins(5), proved: NOW, asked: NOW };
    let (proves, proved) = watch::channel(Some(reproof));
    live.proof = crate::proof::Proof::new(proved);
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
        proves.send_replace(Some(Reproof { proved: clock.ambient(1).now(), ..reproof }));
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
    let reproof = Reproof { every: Span::from_mins(30), grace: Span::from_mins(5), proved: NOW, asked: NOW };
    let (proves, proved) = watch::channel(Some(reproof));
    live.proof = crate::proof::Proof::new(proved);
    let told = async |has: &str| {
        let Word::Soon(word) = live.word().await else { panic!("it is over") };
        assert!(word.contains(has), "{has}: {word}");
    };
    let walk = async {
        clock.advance(Span::from_mins(29));
        proves.send_replace(Some(reproof));
        told("within 1m").await;
        clock.advance(Span::from_mins(1));
        proves.send_replace(Some(reproof));
        told("paused until you prove who you are: `wane prove`, or sign in again; it is cut in 5m").await;
        proves.send_replace(Some(Reproof { proved: clock.ambient(1).now(), ..reproof }));
        told("goes on").await;
        clock.advance(Span::from_mins(35));
        proves.send_replace(Some(Reproof { proved: NOW.plus(Span::from_mins(30)), ..reproof }));
    };
    let (why, ()) = tokio::join!(live.race(), walk);
    assert_eq!(why, NOT_PROVED);
}

#[tokio::test]
async fn an_end_that_moves_is_followed_and_announced() {
    let clock = FakeClock::at(NOW);
    let (live, tell) = live(&clock, NOW.plus(Span::from_micros(90_000)));
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

/// The timer fires and a later end is told before anybody looks: the session goes on until that.
#[tokio::test]
async fn a_later_end_told_in_the_last_instant_counts() {
    // Which of both is looked at first is left to chance.
    for _ in 0..16 {
        let clock = FakeClock::at(NOW);
        let (live, tell) = live(&clock, NOW.plus(Span::from_micros(10_000)));
        let mut race = std::pin::pin!(live.race());
        assert!(tokio::time::timeout(Duration::ZERO, &mut race).await.is_err());
        tokio::time::sleep(Duration::from_millis(30)).await;
        tell.send_replace(Standing::Until(NOW.plus(Span::from_hours(1))));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut race).await.is_err());
        drop(tell);
        assert_eq!(race.await, "the server has let go of it");
    }
}

#[test]
fn a_while_is_said_in_words() {
    for (secs, words) in
        [(300, "5 minutes"), (299, "5 minutes"), (60, "one minute"), (59, "one minute"), (20, "20 seconds")]
    {
        assert_eq!(in_words(Span::from_secs(secs)), words);
    }
}
