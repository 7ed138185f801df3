//! Couriers at work: what was said is carried, each channel by itself, and forgotten in time. Mail and webhooks are the
//! end-to-end tests' to show; here the other side of a channel is a stand-in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_app::{Carries, Channel, Courier, NotCarried, Notices, Parcel, PersonChange};
use wane_domain::time::Span;
use wane_reconcile::Couriers;
use wane_store::{DeliveryFilter, Slice, Store as _};

use crate::house::{House, mins};
use crate::running::SOON;

const KEEP: Span = Span::from_hours(72);
/// Who is told that something at the vault waits for them.
const APPROVERS: [&str; 3] = ["dan", "eva", "fay"];

/// What the other side of a channel does with what it is brought.
#[derive(Clone, Copy, Debug)]
enum Does {
    Take,
    /// It wants nothing any more.
    Shut,
    /// It never answers.
    Hang,
}

#[derive(Debug)]
struct Side {
    does: Does,
    asked: AtomicUsize,
}

#[async_trait]
impl Courier for Side {
    async fn carry(&self, _: &Parcel<'_>) -> Result<(), NotCarried> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.does {
            Does::Take => Ok(()),
            Does::Shut => Err(NotCarried::Closed("there is no such hook".to_owned())),
            Does::Hang => std::future::pending().await,
        }
    }
}

/// A company whose couriers run until the end of the test.
struct Office {
    house: House,
    sides: Vec<Arc<Side>>,
    _couriers: JoinSet<()>,
}

impl Office {
    /// With these channels, over each of which one notice goes at once.
    async fn open(channels: &[(&str, Does)]) -> Self {
        let house = House::new().await;
        let root = house.caller("root").await;
        for name in APPROVERS {
            let email = ("email".parse().unwrap(), format!("{name}@example.org").parse().unwrap());
            let change = PersonChange { attributes: Some([email].into()), ..PersonChange::default() };
            house.app.change_person(&root, name, &change).await.unwrap();
        }
        let side = |does| Arc::new(Side { does, asked: AtomicUsize::new(0) });
        let sides: Vec<_> = channels.iter().map(|(_, does)| side(*does)).collect();
        let channel = |(name, side): (&str, &Arc<Side>)| {
            let courier: Arc<dyn Courier> = Arc::<Side>::clone(side);
            Channel { name: name.to_owned(), carries: Carries::ToPeople, at_once: 1, courier }
        };
        let channels = channels.iter().map(|(name, _)| *name).zip(&sides).map(channel).collect();
        house.app.notify_over(Notices { channels, try_for: KEEP, keep: KEEP });
        // Notices begin with what happens after the first look.
        house.app.read_for_notices(None).await.unwrap();
        let mut couriers = JoinSet::new();
        couriers.spawn(Couriers::new(Arc::clone(&house.app)).run(CancellationToken::new()));
        Self { house, sides, _couriers: couriers }
    }

    /// Somebody asks for what each approver is told of.
    async fn asks(&self, who: &str) {
        self.house.ask(who, &[("vault", "read")], 1).await;
    }

    /// How often something was brought to the other side of each channel.
    fn asked<const N: usize>(&self) -> [usize; N] {
        std::array::from_fn(|n| self.sides[n].asked.load(Ordering::Relaxed))
    }

    /// How many deliveries over a channel are in a state.
    async fn count(&self, channel: &str, state: &str) -> usize {
        let filter = DeliveryFilter { channel: Some(channel.to_owned()), state: Some(state.to_owned()), to: None };
        self.house.store.deliveries(filter, Slice::first(100)).await.unwrap().items.len()
    }

    /// Waits until so many are.
    async fn until(&self, channel: &str, state: &str, times: usize) {
        let what = format!("{times} over `{channel}` that are {state}");
        let so = async || self.count(channel, state).await == times;
        wane_testkit::eventually(&what, SOON, so).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_hangs_or_is_closed_delays_no_other() {
    let office = Office::open(&[("stuck", Does::Hang), ("shut", Does::Shut), ("open", Does::Take)]).await;
    office.asks("ann").await;
    wane_testkit::eventually("the one that hangs", SOON, async || office.asked() == [1, 1, 3]).await.unwrap();
    office.until("open", "delivered", 3).await;
    office.until("shut", "given_up", 1).await;
    office.asks("ben").await;
    office.until("open", "delivered", 6).await;
    let [_, shut, open] = office.asked();
    assert_eq!((shut, open), (1, 6), "a closed channel is used, or something was brought twice");
    assert_eq!(office.count("shut", "waiting").await, 5, "what was not brought is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_long_ago_is_forgotten() {
    let office = Office::open(&[("open", Does::Take)]).await;
    office.asks("ann").await;
    office.until("open", "delivered", 3).await;
    office.house.advance(KEEP);
    office.house.advance(mins(1));
    office.until("open", "delivered", 0).await;
}
