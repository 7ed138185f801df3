//! What is handed out again goes under the lease that is there, and is kept with what it rests on.

use serde_json::json;
use wane_app::AppError;
use wane_domain::time::Span;

use crate::gated::Does;
use crate::house::House;

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
