//! Approving less than was asked.

use wane_app::Narrower;

use crate::house::{House, end_of, granted, mins};

/// Whoever names the role that was asked for, and a shorter time, approves that role for that time.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_role_for_a_shorter_time_is_less_and_is_an_ask_of_its_own() {
    let house = House::new().await;
    let wide = house.ask("ann", &[("vault", "read")], 2).await;
    let less = Narrower { duration: Some(mins(30)), role: Some("read".to_owned()) };
    let child = house.app.approve(&house.caller("eva").await, wide.id, None, &less).await.unwrap();
    assert_eq!((&child.ask.items, child.ask.duration), (&wide.ask.items, mins(30)));
    assert_ne!(child.ask.nonce, wide.ask.nonce, "two asks are told apart by nothing of their own");
    let grant = granted(&child, 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    assert_eq!(end_of(&house.grant(grant).await), house.app.now().plus(mins(30)));
}
