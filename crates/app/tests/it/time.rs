//! Clocks that go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::json;
use wane_app::AppError;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::ambient::{Ambient, Clock, TOLERANCE};
use wane_domain::time::{Span, Time};
use wane_store::{Commit, Store as _};
use wane_testkit::{FakeClock, SeededEntropy};

use crate::house::{House, ask, end_of, granted, mins};

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_begins_nothing_and_ends_everything() {
    let mut house = House::new().await;
    let account = house.hold("ann", "attic", "read", 8).await;
    let credential = house.hold("ann", "web1", "deploy", 8).await;
    house.hand_out("ann", account).await.unwrap();
    house.hand_out("ann", credential).await.unwrap();
    let waiting = house.ask("ann", &[("vault", "read")], 1).await.id;
    let scheduled = house.ask("ben", &[("vault", "read")], 1).await.id;
    let scheduled = granted(&house.approve("eva", scheduled).await.unwrap(), 0).unwrap();
    let behind = house.app.now().minus(Span::from_hours(1));
    // In the same process, and in one that begins while the clock is wrong.
    for restarted in [false, true] {
        if restarted {
            house.reopen();
        }
        house.clock.set(behind);
        let refused = |what: &str, error: AppError| {
            assert!(matches!(error, AppError::ClockBehind { .. }), "{what}, restarted {restarted}: {error}");
        };
        refused("ask", house.try_ask("ben", ask(&[("attic", "read")], 1)).await.unwrap_err());
        refused("approve", house.approve("eva", waiting).await.unwrap_err());
        refused("activate", house.app.activate(&house.caller("ben").await, scheduled).await.unwrap_err());
        refused("account", house.hand_out("ann", account).await.unwrap_err());
        refused("credential", house.hand_out("ann", credential).await.unwrap_err());
        refused("extend", house.app.extend(&house.caller("ann").await, account, mins(5), None).await.unwrap_err());
    }
    house.app.give_back(&house.caller("ann").await, account).await.unwrap();
    house.try_ends(account).await;
    assert_eq!(house.grant(account).await.state.name(), "closed");
    assert!(house.gate.accounts("attic").is_empty());
    // Within what a correction of the clock may be, all goes on.
    house.clock.set(behind.plus(Span::from_hours(1)).minus(Span::from_secs(2)));
    house.approve("eva", waiting).await.unwrap();
}

/// A microsecond more than a correction may be.
const TOO_MUCH: Span = Span::from_micros(TOLERANCE.micros() + 1);

/// What was seen moves on with everything that is written down, and is known again after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_behind_what_was_written_down_last() {
    let mut house = House::new().await;
    house.hold("ann", "attic", "read", 8).await;
    house.advance(mins(10));
    house.hold("ben", "attic", "read", 8).await;
    let newest = house.app.now();
    for restarted in [false, true] {
        if restarted {
            house.reopen();
        }
        for (behind, begins) in [(mins(5), false), (TOO_MUCH, false), (TOLERANCE, true)] {
            house.clock.set(newest.minus(behind));
            let said = house.try_ask("ben", ask(&[("vault", "read")], 1)).await;
            match &said {
                Ok(_) => assert!(begins, "{behind}, restarted {restarted}"),
                Err(AppError::ClockBehind { seen }) => assert!(!begins && *seen == newest, "{behind}: {said:?}"),
                Err(error) => panic!("{error}"),
            }
        }
    }
    // However much was written since by a clock that is behind, and then further behind: ends still come.
    house.clock.set(newest.minus(mins(4)));
    let written = |_| Record {
        id: house.ambient.id(),
        org: house.app.org(),
        at: house.app.now(),
        actor: Actor::System,
        event: "house.furnished".to_owned(),
        outcome: Outcome::Done,
        about: Subjects::default(),
        detail: json!({}),
    };
    house.store.commit(Commit::new(Vec::new(), (0..1000).map(written).collect()).unwrap()).await.unwrap();
    house.clock.set(newest.minus(mins(5)));
    house.reopen();
    let said = house.try_ask("ben", ask(&[("vault", "read")], 1)).await;
    assert!(matches!(said, Err(AppError::ClockBehind { seen }) if seen == newest), "{said:?}");
}

/// A machine that says by how much it was set back.
struct Machine {
    clock: Arc<FakeClock>,
    behind: AtomicU64,
    let_stand: AtomicUsize,
}

impl Clock for Machine {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn behind(&self) -> Span {
        Span::from_micros(self.behind.load(Ordering::SeqCst))
    }

    fn let_stand(&self) {
        self.let_stand.fetch_add(1, Ordering::SeqCst);
    }
}

/// Nothing begins on a machine that was set back, and it is waited for once nothing is left that this could prolong.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_set_back_is_waited_for_when_nothing_is_open() {
    let clock = FakeClock::at("2026-11-21T10:00:00Z".parse().unwrap());
    let (behind, let_stand) = (AtomicU64::new(0), AtomicUsize::new(0));
    let machine = Arc::new(Machine { clock: Arc::clone(&clock), behind, let_stand });
    let of: Arc<dyn Clock> = Arc::<Machine>::clone(&machine);
    let house = House::ticking(clock, Some(Ambient::new(of, SeededEntropy::new(7)))).await;
    let set_back = |by: Span| machine.behind.store(by.micros(), Ordering::SeqCst);
    let waits = async || {
        let before = machine.let_stand.load(Ordering::SeqCst);
        house.app.wait_for_machine().await.unwrap();
        machine.let_stand.load(Ordering::SeqCst) - before == 1
    };
    for (by, much) in [(Span::ZERO, false), (TOLERANCE, false), (TOO_MUCH, true)] {
        set_back(by);
        assert_eq!(waits().await, much, "{by}");
        let said = house.try_ask("ben", ask(&[("vault", "read")], 1)).await;
        assert_eq!(matches!(said, Err(AppError::ClockBehind { .. })), much, "{by}: {said:?}");
    }
    set_back(Span::ZERO);
    let grant = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", grant).await.unwrap();
    set_back(TOO_MUCH);
    assert!(!waits().await, "what is open goes on longer");
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    assert!(!waits().await, "it is not gone yet");
    house.try_ends(grant).await;
    assert!(waits().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_extends_nothing() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let end = end_of(&house.grant(id).await);
    house.advance(Span::from_hours(24));
    assert!(house.hand_out("ann", id).await.is_err());
    house.app.end_if_due(id).await.unwrap();
    assert!(!house.grant(id).await.is_live());
    assert!(end < house.app.now());
}

/// What has run out by our clock has not by that of a host that is behind: the list goes on naming it.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_behind_is_told_for_an_hour() {
    let house = House::new().await;
    let host = house.resource("web1").await;
    let listed = async |id: wane_domain::id::GrantId| {
        let list = house.app.revocations(host).await.unwrap();
        let krl = data_encoding::BASE64.decode(list["krl"].as_str().unwrap().as_bytes()).unwrap();
        String::from_utf8_lossy(&krl).contains(&id.to_string())
    };
    let returned = house.hold("ann", "web1", "deploy", 1).await;
    house.hand_out("ann", returned).await.unwrap();
    let ran_out = house.hold("ben", "web1", "deploy", 1).await;
    house.advance(mins(50));
    house.hand_out("ben", ran_out).await.unwrap();
    house.app.give_back(&house.caller("ann").await, returned).await.unwrap();
    house.advance(mins(10));
    house.app.end_if_due(ran_out).await.unwrap();
    assert!(listed(ran_out).await, "what ran out is not on the list");
    house.advance(mins(59));
    assert!(listed(ran_out).await, "forgotten while a host may still be behind");
    house.advance(mins(2));
    assert!(!listed(ran_out).await, "the list grows for ever");
}

/// The day on which an hour comes twice, and the one that lacks one: a length of time is what it is,
/// and a policy about local hours sees the clock on the wall.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_twenty_five_hours_prolongs_nothing() {
    for (begun, local_hours) in [("2026-10-25T00:30:00Z", [2, 2, 3]), ("2026-03-29T00:30:00Z", [1, 3, 4])] {
        let house = House::in_zone(begun.parse().unwrap(), "Europe/Berlin").await;
        let begun = house.app.now();
        for (at, hour) in local_hours.into_iter().enumerate() {
            house.clock.set(begun.plus(Span::from_hours(u64::try_from(at).unwrap())));
            let text = crate::house::POLICY.replace(
                "resource is Gate in Label::\"env=dev\");",
                &format!("resource is Gate in Label::\"env=dev\") when {{ context.local.hour == {hour} }};"),
            );
            let root = house.caller("root").await;
            house.app.load_policy(&root, &text, None).await.unwrap();
            let id = house.hold("ann", "attic", "read", 1).await;
            assert_eq!(end_of(&house.grant(id).await), house.app.now().plus(Span::from_hours(1)), "{hour}");
            house.advance(Span::from_hours(1));
            house.app.end_if_due(id).await.unwrap();
            assert!(!house.grant(id).await.is_live(), "{begun}: an hour that was longer than one");
        }
    }
}

/// A start in a second that only exists now and then is a start, and not a way around the bounds.
#[tokio::test(flavor = "multi_thread")]
async fn a_leap_second_is_the_second_before_it() {
    let leap: Time = "2026-11-21T23:59:60Z".parse().unwrap();
    assert_eq!(leap.to_string(), "2026-11-21T23:59:59Z");
    let house = House::new().await;
    let mut input = ask(&[("attic", "read")], 1);
    input.start = Some(leap);
    let id = granted(&house.try_ask("ann", input).await.unwrap(), 0).unwrap();
    house.clock.set(leap);
    house.app.activate(&house.caller("ann").await, id).await.unwrap();
    assert_eq!(end_of(&house.grant(id).await), leap.plus(Span::from_hours(1)));
}
