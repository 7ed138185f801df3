//! A company whose engine runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_app::AskInput;
use wane_domain::ambient::Ambient;
use wane_domain::id::GrantId;
use wane_domain::time::Span;
use wane_reconcile::{Engine, Settings, Storeless};
use wane_runtime::{OsEntropy, SystemClock};
use wane_testkit::FakeClock;

use crate::house::{House, ask, granted};

/// Generous: what is asserted is that and in which order things happen, not how fast.
pub(crate) const SOON: Duration = Duration::from_secs(30);
const RETRY_CAP: Span = Span::from_secs(2);

/// What runs until the test ends.
#[derive(Default)]
pub(crate) struct Running {
    tasks: JoinSet<()>,
}

impl Running {
    fn engine(mut self, house: &House, settings: Settings) -> Self {
        self.tasks.spawn(Engine::new(Arc::clone(&house.app), settings).run(CancellationToken::new()));
        self
    }

    /// The loop for the time without a store.
    fn storeless(mut self, house: &House) -> Self {
        self.tasks.spawn(Storeless::new(Arc::clone(&house.app), RETRY_CAP).run(CancellationToken::new()));
        self
    }
}

/// Runs an engine over a company's use-cases, and beside it the loop for the time without a store.
pub(crate) fn run(house: &House, inventory_every: Span) -> Running {
    run_patiently(house, inventory_every, RETRY_CAP)
}

/// One that waits longer between tries at a target that is away.
pub(crate) fn run_patiently(house: &House, inventory_every: Span, retry_cap: Span) -> Running {
    Running::default().engine(house, Settings { inventory_every, retry_cap }).storeless(house)
}

/// An engine by itself: nobody books what was ended without the store.
pub(crate) fn run_engine(house: &House) -> Running {
    Running::default().engine(house, Settings { inventory_every: Span::from_hours(1), retry_cap: RETRY_CAP })
}

/// The loop for the time without a store, by itself: there is nobody else who could do what it does.
pub(crate) fn run_storeless(house: &House) -> Running {
    Running::default().storeless(house)
}

/// A company that goes by the machine's clock.
pub(crate) async fn by_the_clock() -> House {
    let ambient = Ambient::new(Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    House::ticking(FakeClock::at(ambient.now()), Some(ambient)).await
}

/// A grant for two seconds by the machine's clock, with its account. On a machine on which half of that
/// is over by then, another one for longer: whoever asks for it has something to do before it ends. Wants
/// an engine that runs.
pub(crate) async fn short(house: &House, who: &str) -> GrantId {
    for secs in [2, 8, 32] {
        let (begun, duration) = (house.app.now(), Span::from_secs(secs));
        let input = AskInput { duration, ..ask(&[("attic", "read")], 1) };
        let id = granted(&house.try_ask(who, input).await.unwrap(), 0).unwrap();
        let handed = house.hand_out(who, id).await;
        if house.app.now().since(begun) < Span::from_secs(secs / 2) {
            handed.unwrap();
            return id;
        }
        until(house, id, "closed").await;
    }
    panic!("this machine is too slow for a grant of half a minute");
}

/// Waits until a grant has got so far.
pub(crate) async fn until(house: &House, grant: GrantId, state: &str) {
    let reached = async || house.grant(grant).await.state.name() == state;
    wane_testkit::eventually(&format!("a grant that is {state}"), SOON, reached).await.unwrap();
}

/// A round trip through the engine: it has looked at everything since, whatever it slept by.
pub(crate) async fn round_trip(house: &House) {
    let id = house.hold("ben", "annex", "super", 1).await;
    house.hand_out("ben", id).await.unwrap();
    house.app.give_back(&house.caller("ben").await, id).await.unwrap();
    until(house, id, "closed").await;
}
