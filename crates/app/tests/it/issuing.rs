//! What is handed out again goes under the lease that is there, and is kept with what it rests on.

use std::sync::Arc;

use serde_json::json;
use wane_app::{AppError, Limits};
use wane_domain::time::Span;

use crate::gated::Does;
use crate::house::{House, limits};

/// Whatever a grant gives: asked for twice it is one lease, which one end ends.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_out_again_is_under_the_same_lease() {
    let house = House::new().await;
    for (resource, role) in [("attic", "read"), ("web1", "deploy")] {
        let grant = house.hold("ann", resource, role, 1).await;
        let first = house.hand_out("ann", grant).await.unwrap().lease;
        house.advance(Span::from_secs(1));
        assert_eq!(house.hand_out("ann", grant).await.unwrap().lease, first, "{resource}");
        assert_eq!(house.leases(grant).await.len(), 1, "{resource}");
        let issued = house.app.issued(first).await.unwrap();
        let times: Vec<_> = issued.iter().map(|one| one.at).collect();
        let now = house.app.now();
        // What is only signed is listed each time, the oldest first.
        let expected = if resource == "web1" { vec![now.minus(Span::from_secs(1)), now] } else { vec![] };
        assert_eq!(times, expected, "{resource}");
    }
}

/// Whoever opens a session with a credential has proved no more than its holder had when it was issued.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_kept_with_the_proof_that_it_rests_on() {
    let house = House::new().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let ann = house.caller("ann").await;
    house.advance(Span::from_secs(90));
    let input = json!({ "public_key": crate::house::PUBLIC_KEY });
    let lease = house.app.hand_out(&ann, grant, &input).await.unwrap().lease;
    let kept = &house.store_issuances(lease).await[0].detail;
    assert_eq!((&kept["proof"], &kept["proved"]), (&json!("password+totp"), &json!(ann.proved.micros())));
}

/// Two who have one account made anew at the same time: which secret holds nobody knows, so one of them is told to try again.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_replace_one_secret_at_once_one_gets_it() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", grant).await.unwrap();
    house.gate.create("attic", Does::Hold);
    let both_are_there = async {
        house.gate.until_begun("attic", "create", 3).await;
        house.gate.create("attic", Does::Work);
    };
    let (one, other, ()) = tokio::join!(house.hand_out("ann", grant), house.hand_out("ann", grant), both_are_there);
    let refused = match (one, other) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => error,
        both => panic!("both or none: {both:?}"),
    };
    assert!(matches!(refused, AppError::Taken(_)), "{refused}");
    house.hand_out("ann", grant).await.expect("who tries again gets it");
}

/// One that began to end after its lease was read and before anything was asked of its target.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_begins_to_end_is_not_made_anew() {
    let house = House::new().await;
    let (grant, ann) = (house.hold("ann", "attic", "read", 1).await, house.caller("ann").await);
    house.hand_out("ann", grant).await.unwrap();
    house.door.hold("lease");
    let ends = async {
        house.door.until_held().await;
        house.app.give_back(&ann, grant).await.unwrap();
        house.door.hold("");
    };
    let (again, ()) = tokio::join!(house.hand_out("ann", grant), ends);
    assert!(matches!(again, Err(AppError::Illegal(_))), "{again:?}");
    assert_eq!(house.gate.begun("attic", "create"), 1, "it was made anew while it ended");
}

/// Of what a target made it is known that it was there; of what was only signed nobody has seen it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_made_needs_not_be_seen_there() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    let lease = house.hand_out("ann", grant).await.unwrap().lease;
    assert!(!house.app.confirm(lease).await.unwrap());
    assert_eq!(house.leases(grant).await[0].confirmed, None);
}

/// What was begun and is not known to be gone goes on counting.
#[tokio::test(flavor = "multi_thread")]
async fn so_much_of_a_grant_is_open_at_once() {
    let mut house = House::new().await;
    let few = Limits { leases_per_grant: 2, ..limits() };
    house.reopen_over(Arc::new(house.store.clone()), Vec::new(), few);
    let grant = house.hold("ann", "attic", "read", 1).await;
    house.gate.create("attic", Does::Dead);
    for n in 0..2 {
        let failed = house.hand_out("ann", grant).await;
        assert!(matches!(failed, Err(AppError::Target(_))), "{n}: {failed:?}");
    }
    let more = house.hand_out("ann", grant).await;
    assert!(matches!(more, Err(AppError::TooManyLeases { have: 2, most: 2 })), "{more:?}");
}
