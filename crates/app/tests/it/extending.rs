//! More time, in place.

use wane_app::{AppError, Class, Narrower};
use wane_domain::request::ItemState;
use wane_domain::time::Span;

use crate::house::{House, denied, end_of, granted, mins, reason};

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_moves_the_end_of_what_is_there() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", id).await.unwrap();
    let before = end_of(&house.grant(id).await);
    let request = house.app.extend(&house.caller("ann").await, id, mins(30), None).await.unwrap();
    assert_eq!(granted(&request, 0), Some(id));
    let after = end_of(&house.grant(id).await);
    assert_eq!(after, before.plus(mins(30)));
    let lease = &house.leases(id).await[0];
    assert_eq!(lease.end, after);
    assert_eq!(house.gate.accounts("attic")[&lease.artifact], after, "the target enforces the earlier end");
    assert_eq!(house.gate.begun("attic", "create"), 1, "nothing was made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_chain_of_extensions_passes_the_cap() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 6).await;
    let cap = house.app.now().plus(Span::from_hours(8));
    let ann = house.caller("ann").await;
    for _ in 0..6 {
        let request = house.app.extend(&ann, id, mins(50), None).await.unwrap();
        assert!(end_of(&house.grant(id).await) <= cap, "{request:?}");
    }
    let last = house.app.extend(&ann, id, mins(50), None).await.unwrap();
    assert!(denied(&last, 0).contains("too long"), "{}", denied(&last, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_comes_before_the_end_or_not_at_all() {
    for (offset, comes) in [(-1_000_000i64, true), (-1, true), (0, false), (1, false), (1_000_000, false)] {
        let house = House::new().await;
        let id = house.hold("ann", "attic", "read", 1).await;
        let end = end_of(&house.grant(id).await);
        house.clock.set(wane_domain::time::Time::from_micros(end.micros() + offset));
        let asked = house.app.extend(&house.caller("ann").await, id, mins(5), None).await;
        assert_eq!(asked.is_ok(), comes, "{offset} µs from its end");
        let now_ends = end_of(&house.grant(id).await);
        assert_eq!(now_ends, if comes { end.plus(mins(5)) } else { end });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_a_person_approves_reaches_the_target() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    let id = granted(&house.approve("eva", asked).await.unwrap(), 0).unwrap();
    house.hand_out("ann", id).await.unwrap();
    let before = end_of(&house.grant(id).await);
    let more = house.app.extend(&house.caller("ann").await, id, mins(30), None).await.unwrap();
    assert_eq!(more.items[0].state, ItemState::Waiting, "approvals of the first ask are not approvals of more");
    assert_eq!(end_of(&house.grant(id).await), before);
    assert!(matches!(house.approve("ann", more.id).await, Err(AppError::NotAllowed { .. })));
    let less = Narrower { duration: Some(mins(10)), role: None };
    let narrowed = house.app.approve(&house.caller("fay").await, more.id, None, &less).await;
    assert_eq!(narrowed.unwrap_err().class(), Class::Invalid, "it would be a second grant");
    house.approve("fay", more.id).await.unwrap();
    let after = end_of(&house.grant(id).await);
    assert_eq!(after, before.plus(mins(30)));
    let lease = &house.leases(id).await[0];
    assert_eq!(house.gate.accounts("vault")[&lease.artifact], after, "the target was not told");
}

/// A guardrail on length is about the whole access: no approver can help across it bit by bit.
#[tokio::test(flavor = "multi_thread")]
async fn a_guardrail_on_length_sees_the_whole_access() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("vault", "read")], 4).await.id;
    let id = granted(&house.approve("eva", asked).await.unwrap(), 0).unwrap();
    house.hand_out("ann", id).await.unwrap();
    let ann = house.caller("ann").await;
    let over = house.app.extend(&ann, id, Span::from_hours(3), None).await.unwrap();
    assert!(denied(&over, 0).contains("six hours at most"), "{}", denied(&over, 0));
    // Two that fit alone, approved one after the other, do not fit together.
    let one = house.app.extend(&ann, id, mins(90), None).await.unwrap();
    let other = house.app.extend(&ann, id, mins(90), None).await.unwrap();
    house.approve("eva", one.id).await.unwrap();
    let second = house.approve("eva", other.id).await.unwrap();
    assert!(denied(&second, 0).contains("six hours at most"), "{:?}", second.items[0].state);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_of_what_has_ended_is_denied_with_a_reason() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("vault", "read")], 2).await.id;
    let id = granted(&house.approve("eva", asked).await.unwrap(), 0).unwrap();
    house.hand_out("ann", id).await.unwrap();
    let more = house.app.extend(&house.caller("ann").await, id, mins(30), Some(reason("still at it"))).await.unwrap();
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    let decided = house.approve("eva", more.id).await.unwrap();
    assert!(denied(&decided, 0).contains("has ended"), "{}", denied(&decided, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_holder_extends() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let ben = house.app.extend(&house.caller("ben").await, id, mins(5), None).await.unwrap_err();
    assert_eq!(ben.class(), Class::Missing);
    let root = house.app.extend(&house.caller("root").await, id, mins(5), None).await.unwrap_err();
    assert_eq!(root.class(), Class::Denied);
    let nothing = house.app.extend(&house.caller("ann").await, id, Span::ZERO, None).await.unwrap_err();
    assert_eq!(nothing.class(), Class::Invalid, "no time is not for ever");
}
