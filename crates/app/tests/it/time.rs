//! Clocks that go wrong.

use wane_app::AppError;
use wane_domain::time::Span;

use crate::house::{House, ask, granted, mins};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_extends_nothing() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let end = crate::house::end_of(&house.grant(id).await);
    house.advance(Span::from_hours(24));
    assert!(house.hand_out("ann", id).await.is_err());
    house.app.end_if_due(id).await.unwrap();
    assert!(!house.grant(id).await.is_live());
    assert!(end < house.app.now());
}
