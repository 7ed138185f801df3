//! More time, in place.

use serde_json::json;
use wane_app::{AppError, Caller, Class, MOST_DURATION, Narrower, RoleChange};
use wane_domain::request::ItemState;
use wane_domain::time::Span;

use crate::house::{House, PUBLIC_KEY, ask, denied, end_of, granted, mins, name, reason};

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
    // What could be asked for is judged; what never could be is not even that.
    let most = house.app.extend(&house.caller("ann").await, id, MOST_DURATION, None).await.unwrap();
    assert!(denied(&most, 0).contains("too long"), "{}", denied(&most, 0));
    let more = Span::from_micros(MOST_DURATION.micros() + 1);
    let more = house.app.extend(&house.caller("ann").await, id, more, None).await.unwrap_err();
    assert_eq!(more.class(), Class::Invalid, "{more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_is_told_to_nothing_but_what_it_extends() {
    let house = House::new().await;
    let (id, other) = (house.hold("ann", "attic", "read", 1).await, house.hold("ben", "annex", "read", 1).await);
    house.hand_out("ben", other).await.unwrap();
    let first = house.hand_out("ann", id).await.unwrap().lease;
    let ann = house.caller("ann").await;
    house.app.end_handed_out(&ann, first).await.unwrap();
    house.try_ends(id).await;
    house.hand_out("ann", id).await.unwrap();
    house.app.extend(&ann, id, mins(30), None).await.unwrap();
    assert_eq!(house.gate.accounts("attic").len(), 1, "what is gone was told to go on");
    assert_eq!((house.gate.begun("attic", "extend"), house.gate.begun("annex", "extend")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_redefined_is_not_extended() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 1).await;
    let before = end_of(&house.grant(id).await);
    let wider = RoleChange { definition: Some(json!({ "level": 9 })), ..RoleChange::default() };
    house.app.change_role(&house.caller("root").await, &name("gate"), "read", &wider).await.unwrap();
    let more = house.app.extend(&house.caller("ann").await, id, mins(5), None).await.unwrap();
    assert!(denied(&more, 0).contains("was redefined"), "{}", denied(&more, 0));
    assert_eq!(end_of(&house.grant(id).await), before);
}

/// Who shows nothing, because others decide or it is judged again, is taken to show what they showed.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_shows_counts_when_they_ask_when_they_use_it_and_when_they_extend_it() {
    let house = House::new().await;
    let shown = "context.role == \"read\" && context.phishing_resistant && context.proof_age < 600 }";
    house.change_policy("context.role == \"read\" }", shown).await;
    let by = async |proof: &str| Caller { proof: proof.to_owned(), ..house.caller("ann").await };
    let asks = async |caller: &Caller| house.app.request_access(caller, ask(&[("vault", "read")], 1)).await.unwrap();
    let (weak, old) = (by("password+totp").await, by("passkey").await);
    denied(&asks(&weak).await, 0);
    let asked = asks(&old).await;
    let grant = granted(&house.approve("eva", asked.id).await.unwrap(), 0).unwrap();
    house.advance(mins(10));
    let (weak, fresh) = (by("password+totp").await, by("passkey").await);
    let key = json!({ "public_key": PUBLIC_KEY });
    for (caller, may) in [(&weak, false), (&old, false), (&fresh, true)] {
        let handed = house.app.hand_out(caller, grant, &key).await;
        assert_eq!(handed.is_ok(), may, "{caller:?}: {handed:?}");
    }
    wane_app::rejudge_all(&house.app).await.unwrap();
    assert!(house.grant(grant).await.is_live(), "judged again, its holder showed nothing");
    for (caller, may) in [(&weak, false), (&old, false), (&fresh, true)] {
        let more = house.app.extend(caller, grant, mins(5), None).await.unwrap();
        assert_eq!(more.is_waiting(), may, "{caller:?}: {more:?}");
    }
}
