//! What everybody may fetch: a list of what is over and would still work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wane_connector::{ConnectError, Paper, Published, Revoked};
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::time::{Span, Time};
use wane_store::Issuance;

use crate::altered::{self, With};
use crate::faulty::Goes;
use crate::house::{House, mins, name};
use crate::turning::Keeps;

/// Says the serial numbers of what is over, and how often it was asked to.
struct List(Arc<AtomicUsize>);

impl Published for List {
    fn paper(&self, name: &str, _: u64, _: Time, revoked: &[Revoked]) -> Result<Option<Paper>, ConnectError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let serials: Vec<_> = revoked.iter().map(|one| one.inventory["serial"].clone()).collect();
        let bytes = Value::Array(serials).to_string().into_bytes();
        Ok((name == "list").then_some(Paper { media: "application/json", bytes }))
    }
}

async fn house() -> (House, Arc<AtomicUsize>) {
    let signed = Arc::new(AtomicUsize::new(0));
    let published = Some(Arc::new(List(Arc::clone(&signed))) as _);
    (altered::house(With { published, ..With::default() }).await, signed)
}

async fn listed(house: &House) -> Vec<u64> {
    let paper = house.app.published(&name("ssh"), "list").await.unwrap();
    let mut serials: Vec<u64> = serde_json::from_slice(&paper.bytes).unwrap();
    serials.sort_unstable();
    serials
}

/// A certificate that is issued now, and its lease.
async fn issued(house: &House, who: &str, grant: GrantId) -> (Issuance, LeaseId) {
    let lease = house.hand_out(who, grant).await.unwrap().lease;
    (house.store_issuances(lease).await.pop().unwrap(), lease)
}

/// Once each, and until nobody's clock is so far behind that it would work there.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_without_the_store_is_listed_as_long_as_it_would_work() {
    let (house, signed) = house().await;
    let (anns, bens) = (house.hold("ann", "web1", "deploy", 3).await, house.hold("ben", "web1", "deploy", 3).await);
    let ann = house.caller("ann").await;
    let (first, lease) = issued(&house, "ann", anns).await;
    house.app.end_handed_out(&ann, lease).await.unwrap();
    let (second, _) = issued(&house, "ann", anns).await;
    issued(&house, "ben", bens).await;
    assert_eq!(listed(&house).await, [first.serial]);
    house.advance(mins(1));
    house.door.writes(Goes::Failing);
    house.app.give_back(&ann, anns).await.unwrap();
    let both = vec![first.serial, second.serial];
    assert_eq!(listed(&house).await, both);
    // Whoever asks again costs no signature.
    let before = signed.load(Ordering::SeqCst);
    house.advance(Span::from_secs(1));
    assert_eq!(listed(&house).await, both);
    assert_eq!(signed.load(Ordering::SeqCst), before);
    let last = second.not_after.plus(mins(60));
    for (at, serials) in [(last.minus(Span::from_micros(1)), both), (last, Vec::new())] {
        house.clock.set(at);
        assert_eq!(listed(&house).await, serials, "{at}");
    }
}

/// It says at once what is over, and is never older than a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_paper_is_signed_anew_for_what_ends_for_other_keys_and_every_minute() {
    let (house, signed) = house().await;
    let grant = house.hold("ann", "web1", "deploy", 3).await;
    let (first, lease) = issued(&house, "ann", grant).await;
    let fetched = async || (listed(&house).await, signed.load(Ordering::SeqCst));
    assert_eq!([fetched().await, fetched().await], [(vec![], 1), (vec![], 1)]);
    house.app.end_handed_out(&house.caller("ann").await, lease).await.unwrap();
    let over = vec![first.serial];
    assert_eq!(fetched().await, (over.clone(), 2), "what is over is not on it yet");
    let minute = Span::from_secs(60);
    house.advance(Span::from_micros(minute.micros() - 1));
    assert_eq!(fetched().await, (over.clone(), 2));
    house.advance(Span::from_micros(1));
    assert_eq!(fetched().await, (over.clone(), 3));
    house.app.turns_by(Arc::new(Keeps::default()));
    house.app.turn_keys(&house.caller("root").await, "authority", &json!({ "new": {} })).await.unwrap();
    assert_eq!(fetched().await, (over, 4), "it is signed with what signs no more");
}
