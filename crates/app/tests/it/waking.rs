//! What the engine is told without asking the store: that something may be due sooner, and what was signed.

use futures::FutureExt as _;

use crate::house::{House, granted, mins};
use crate::signing::enter;

/// Whether whoever waits for it was told that something may be due sooner.
fn woken(house: &House) -> bool {
    house.app.nudged().now_or_never().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_woken_once_by_what_may_be_due_sooner_and_by_nothing_else() {
    let house = House::new().await;
    let ann = house.caller("ann").await;
    let told = |what: &str| {
        assert!(woken(&house), "{what} woke nobody");
        assert!(!woken(&house), "{what} woke somebody twice");
    };
    assert!(!woken(&house), "nothing has happened");
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    told("what waits for somebody");
    let grant = granted(&house.approve("eva", asked).await.unwrap(), 0).unwrap();
    told("an approval");
    house.hand_out("ann", grant).await.unwrap();
    told("what was handed out");
    house.app.extend(&ann, grant, mins(5), None).await.unwrap();
    told("an extension");
    house.app.leases_of(grant).await.unwrap();
    assert!(!woken(&house), "reading brings nothing forward");
    house.app.give_back(&ann, grant).await.unwrap();
    told("what was given back");
    let key = enter(&house, "dan", 1).await.id;
    house.app.remove_approver_key(&house.caller("dan").await, key).await.unwrap();
    told("a key that was taken away");
    house.change_policy("\"2 of group:dba\"", "\"3 of group:dba\"").await;
    told("another policy");
}

/// What is signed works at targets that nobody here has asked; whether they take it is seen afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_is_to_be_tried_at_its_target_and_what_was_made_there_is_not() {
    let house = House::new().await;
    let id = house.hold("ann", "web1", "deploy", 1).await;
    assert_eq!(house.app.take_unconfirmed(), []);
    let lease = house.hand_out("ann", id).await.unwrap().lease;
    assert_eq!(house.app.take_unconfirmed(), [lease]);
    assert_eq!(house.app.take_unconfirmed(), [], "each is named once");
    house.hand_out("ann", id).await.unwrap();
    assert_eq!(house.app.take_unconfirmed(), [lease], "no target was seen accepting it yet");
    let made = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", made).await.unwrap();
    assert_eq!(house.app.take_unconfirmed(), []);
}
