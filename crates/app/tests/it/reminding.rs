//! Reminders while a request waits: whom, when, and never of what is decided. How mail is carried is the end-to-end
//! tests' to show; here a courier keeps what it is handed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use wane_app::{Carries, Channel, Courier, NotCarried, Notices, Parcel, PersonChange};
use wane_domain::id::{PersonId, RequestId};
use wane_domain::time::Span;
use wane_notice::Kind;
use wane_store::{DeliveryFilter, Slice};

use crate::house::{House, mins};

/// Keeps whom it was handed something for, and of what kind.
#[derive(Default)]
struct Bag(Mutex<Vec<(Kind, Option<PersonId>)>>);

#[async_trait]
impl Courier for Bag {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), NotCarried> {
        self.0.lock().unwrap().push((parcel.delivery.notice.kind, parcel.delivery.to));
        Ok(())
    }
}

struct Office {
    house: House,
    bag: Arc<Bag>,
}

impl Office {
    async fn open() -> Self {
        let house = House::new().await;
        house.change_policy("\"1 of group:dba\"", "\"1 of group:dba, or after 30m also manager\"").await;
        let root = house.caller("root").await;
        for name in ["ann", "mia", "dan", "eva", "fay"] {
            let email = ("email".parse().unwrap(), format!("{name}@example.org").parse().unwrap());
            let change = PersonChange { attributes: Some([email].into()), ..PersonChange::default() };
            house.app.change_person(&root, name, &change).await.unwrap();
        }
        let bag = Arc::new(Bag::default());
        let courier: Arc<dyn Courier> = bag.clone();
        let mail = Channel { name: "mail".to_owned(), carries: Carries::ToPeople, at_once: 4, courier };
        house.app.notify_over(Notices {
            channels: vec![mail],
            try_for: Span::from_hours(72),
            keep: Span::from_hours(72),
        });
        let office = Self { house, bag };
        office.read().await;
        office
    }

    /// Makes what follows from the trail.
    async fn read(&self) {
        while self.house.app.read_for_notices(None).await.unwrap().more {}
    }

    /// Carries all that is due; whom it was for, of the reminders.
    async fn reminded(&self) -> BTreeSet<PersonId> {
        self.read().await;
        let app = &self.house.app;
        for id in app.store().deliveries_due("mail", app.now(), 100).await.unwrap() {
            app.deliver(id).await.unwrap();
        }
        let bag = std::mem::take(&mut *self.bag.0.lock().unwrap());
        bag.into_iter().filter(|(kind, _)| *kind == Kind::StillWaiting).filter_map(|(_, to)| to).collect()
    }

    async fn after(&self, id: RequestId, wait: Span) {
        self.house.advance(wait);
        self.house.app.request_is_due(id).await.unwrap();
    }

    async fn people(&self, names: &[&str]) -> BTreeSet<PersonId> {
        let mut people = BTreeSet::new();
        for name in names {
            people.insert(self.house.id(name).await);
        }
        people
    }
}

/// Two hours: after one, and after an hour and 48 minutes; those who can decide it by then.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_could_decide_is_reminded_while_nobody_does() {
    let office = Office::open().await;
    let id = office.house.ask("ann", &[("vault", "read")], 1).await.id;
    assert!(office.reminded().await.is_empty());
    office.after(id, mins(30)).await;
    assert!(office.reminded().await.is_empty(), "more people are asked, which is no reminder");
    office.after(id, mins(30)).await;
    assert_eq!(office.reminded().await, office.people(&["dan", "eva", "fay", "mia"]).await);
    office.after(id, mins(1)).await;
    assert!(office.reminded().await.is_empty(), "said once");
    office.after(id, mins(47)).await;
    assert_eq!(office.reminded().await.len(), 4);
    office.after(id, mins(12)).await;
    assert_eq!(office.house.request(id).await.state_name(), "lapsed");
    assert!(office.reminded().await.is_empty());
}

/// Between a reminder's making and its sending somebody decides, or may not any more.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_reminded_of_what_is_decided() {
    let office = Office::open().await;
    let (decided, waits) = (
        office.house.ask("ann", &[("vault", "read")], 1).await.id,
        office.house.ask("ben", &[("vault", "read")], 1).await.id,
    );
    office.house.advance(mins(60));
    for id in [decided, waits] {
        office.house.app.request_is_due(id).await.unwrap();
    }
    office.read().await;
    office.house.approve("eva", decided).await.unwrap();
    let root = office.house.caller("root").await;
    let dba = "dba".parse().unwrap();
    office.house.app.set_member(&root, &dba, "fay", wane_app::Membership::Out).await.unwrap();
    assert_eq!(office.reminded().await, office.people(&["dan", "eva", "mia"]).await, "of what still waits");
    let dropped = DeliveryFilter { state: Some("dropped".to_owned()), ..DeliveryFilter::default() };
    let dropped = office.house.app.store().deliveries(dropped, Slice::first(100)).await.unwrap().items;
    let of = |id: RequestId| dropped.iter().filter(|seen| seen.value.notice.about.request == Some(id)).count();
    assert_eq!((of(decided), of(waits)), (4, 1));
}
