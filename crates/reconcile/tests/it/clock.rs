//! The engine and the use-cases on a machine whose clock is set, and which is suspended.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use wane_app::AppError;
use wane_domain::ambient::Ambient;
use wane_domain::grant::GrantState;
use wane_domain::id::GrantId;
use wane_domain::time::Span;
use wane_runtime::{OsEntropy, Readings, SystemClock};
use wane_testkit::FakeClock;

use crate::house::{House, ask, mins};
use crate::running::{SOON, run, until};

const RARELY: Span = Span::from_hours(1_000);

/// A machine whose clock and counter are set by hand.
#[derive(Clone, Default)]
struct Machine {
    wall: Arc<AtomicI64>,
    ticks: Arc<AtomicI64>,
}

impl Readings for Machine {
    fn wall(&self) -> i64 {
        self.wall.load(Ordering::SeqCst)
    }
    fn ticks(&self) -> i64 {
        self.ticks.load(Ordering::SeqCst)
    }
}

impl Machine {
    fn new() -> Self {
        let machine = Self::default();
        let day: wane_domain::time::Time = "2026-11-21T10:00:00Z".parse().unwrap();
        machine.wall.store(day.micros(), Ordering::SeqCst);
        machine
    }

    /// What a process sees that begins on it.
    fn ambient(&self) -> Ambient {
        Ambient::new(Arc::new(SystemClock::over(self.clone())), Arc::new(OsEntropy))
    }

    /// The counter first: to whoever looks in between, the clock is behind and the counter right. The
    /// other way round it would be a clock that was set ahead, and time that passes once more.
    fn pass(&self, span: Span) {
        self.ticks.fetch_add(micros(span), Ordering::SeqCst);
        self.jump(span);
    }

    fn jump(&self, ahead: Span) {
        self.wall.fetch_add(micros(ahead), Ordering::SeqCst);
    }

    fn jump_back(&self, back: Span) {
        self.wall.fetch_sub(micros(back), Ordering::SeqCst);
    }

    async fn house(&self) -> House {
        let ambient = self.ambient();
        House::ticking(FakeClock::at(ambient.now()), Some(ambient)).await
    }

    /// The process dies and another begins.
    async fn restart(&self, house: &mut House) {
        house.ambient = self.ambient();
        house.reopen();
        house.app.recall_time().await.unwrap();
    }
}

fn micros(span: Span) -> i64 {
    i64::try_from(span.micros()).unwrap()
}

async fn cause(house: &House, id: GrantId) -> &'static str {
    let GrantState::Closed { closure, .. } = house.grant(id).await.state.clone() else { panic!("it is not closed") };
    closure.cause.name()
}

/// Whatever begins or prolongs is refused.
async fn nothing_begins(house: &House, held: GrantId) {
    let refused = |what: &str, error: AppError| {
        assert!(matches!(error, AppError::ClockBehind { .. }), "{what}: {error}");
    };
    refused("ask", house.try_ask("ben", ask(&[("attic", "read")], 1)).await.unwrap_err());
    refused("use", house.hand_out("ann", held).await.unwrap_err());
    let ann = house.caller("ann").await;
    refused("extend", house.app.extend(&ann, held, mins(5), None).await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_set_back_prolongs_nothing() {
    for back in [Span::from_secs(3), Span::from_hours(1), Span::from_hours(24)] {
        for restarted in [false, true] {
            let machine = Machine::new();
            let mut house = machine.house().await;
            let held = house.hold("ann", "attic", "read", 1).await;
            house.hand_out("ann", held).await.unwrap();
            let returned = house.hold("ann", "annex", "read", 1).await;
            house.hand_out("ann", returned).await.unwrap();
            machine.jump_back(back);
            if restarted {
                machine.restart(&mut house).await;
            }
            nothing_begins(&house, held).await;
            let engine = run(&house, RARELY);
            // What is ended by hand ends at once, whatever the clock says.
            house.app.give_back(&house.caller("ann").await, returned).await.unwrap();
            until(&house, returned, "closed").await;
            // Not before its time, and not after it.
            machine.pass(mins(59));
            house.app.end_if_due(held).await.unwrap();
            assert_eq!(house.grant(held).await.state.name(), "active", "{back}, restarted {restarted}");
            machine.pass(mins(1).max(Span::from_secs(62)));
            until(&house, held, "closed").await;
            assert_eq!(cause(&house, held).await, "expired");
            assert!(house.gate.accounts("attic").is_empty());
            drop(engine);
        }
    }
}

/// Set ahead, or suspended past the end: cut at once, with nobody to say that something is due.
#[tokio::test(flavor = "multi_thread")]
async fn what_became_due_while_the_machine_slept_is_ended_when_it_wakes() {
    let machine = Machine::new();
    let house = machine.house().await;
    let _engine = run(&house, RARELY);
    let set_ahead = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", set_ahead).await.unwrap();
    machine.jump(Span::from_hours(24));
    until(&house, set_ahead, "closed").await;
    assert_eq!(cause(&house, set_ahead).await, "expired");

    let slept = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", slept).await.unwrap();
    machine.pass(Span::from_hours(2));
    until(&house, slept, "closed").await;
    assert!(house.gate.accounts("attic").is_empty());
}

/// Clocks stand still on a paused machine and in a broken one; what is said to end still ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_stands_still_stops_no_end() {
    let machine = Machine::new();
    let house = machine.house().await;
    let _engine = run(&house, RARELY);
    for _ in 0..3 {
        let id = house.hold("ann", "attic", "read", 1).await;
        house.hand_out("ann", id).await.unwrap();
        house.app.give_back(&house.caller("ann").await, id).await.unwrap();
        until(&house, id, "closed").await;
    }
}

/// A clock that was ahead and is right now: everything ends as it was to, then time is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_is_waited_for_once_nothing_can_be_prolonged() {
    let machine = Machine::new();
    let house = machine.house().await;
    let _engine = run(&house, RARELY);
    machine.jump(Span::from_hours(24));
    let held = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", held).await.unwrap();
    machine.jump_back(Span::from_hours(24));
    nothing_begins(&house, held).await;
    for _ in 0..4 {
        machine.pass(mins(10));
        house.app.wait_for_machine().await.unwrap();
        assert!(house.ambient.behind() > Span::from_hours(23), "time stood while somebody had access");
    }
    machine.pass(mins(21));
    until(&house, held, "closed").await;
    house.app.wait_for_machine().await.unwrap();
    let stands = house.app.now();
    machine.pass(Span::from_hours(23));
    assert_eq!(house.app.now(), stands);
    assert!(house.try_ask("ben", ask(&[("attic", "read")], 1)).await.is_err());
    machine.pass(Span::from_hours(3));
    let begins = async || house.try_ask("ben", ask(&[("attic", "read")], 1)).await.is_ok();
    wane_testkit::eventually("an access that begins", SOON, begins).await.unwrap();
    assert!(house.app.now() > stands);
}
