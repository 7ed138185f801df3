//! Approving, approving less, denying, withdrawing, lapsing.

use wane_app::{AppError, AskInput, Class, Narrower};
use wane_domain::grant::GrantState;
use wane_domain::request::{ItemState, Parent};
use wane_domain::time::Span;

use crate::house::{House, ask, denied, end_of, granted, mins, reason};

/// By any road: one's own ask, a report's, as the one it is for, in a bundle, as one of the group that is asked, by narrowing.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_for_themselves_by_any_road() {
    let house = House::new().await;
    let less = Narrower { duration: Some(mins(5)), role: None };
    let check = async |asker: &str, input: AskInput, refused: &[&str]| {
        let id = house.try_ask(asker, input).await.unwrap().id;
        let head = house.store_head().await;
        for who in refused {
            for narrower in [Narrower::default(), less.clone()] {
                for item in [None, Some(0)] {
                    // Each time in another session of theirs.
                    let error = house.app.approve(&house.caller(who).await, id, item, &narrower).await.unwrap_err();
                    assert_eq!(error.class(), Class::Denied, "{who}: {error}");
                }
            }
        }
        assert_eq!(house.request(id).await.items[0].approvals, []);
        assert_eq!(house.store_head().await, head, "a refused approval wrote something");
        id
    };
    // In the group that is asked, and asking.
    let id = check("dan", ask(&[("vault", "read"), ("attic", "read")], 1), &["dan"]).await;
    house.approve("eva", id).await.unwrap();
    // A manager who asks for a report is not that report's manager here.
    let for_ann = AskInput { for_person: Some("ann".to_owned()), ..ask(&[("vault", "super")], 1) };
    check("mia", for_ann, &["mia"]).await;
    // Nor does whom it is for approve what an admin asked for them.
    let for_dan = AskInput { for_person: Some("dan".to_owned()), ..ask(&[("vault", "read")], 1) };
    let id = check("root", for_dan, &["dan"]).await;
    house.approve("fay", id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_are_not_asked_know_nothing_of_it() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    for who in ["zoe", "ben"] {
        assert_eq!(house.approve(who, id).await.unwrap_err().class(), Class::Missing);
        let denied = house.app.deny(&house.caller(who).await, id, None, &reason("no")).await;
        assert_eq!(denied.unwrap_err().class(), Class::Missing);
    }
    assert_eq!(house.approve("root", id).await.unwrap_err().class(), Class::Denied, "to administer is not to approve");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_is_so_many_different_people() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "write")], 1).await.id;
    let once = house.approve("eva", id).await.unwrap();
    assert_eq!(once.items[0].state, ItemState::Waiting);
    assert_eq!(house.approve("eva", id).await.unwrap_err().class(), Class::Denied, "one person counted twice");
    let twice = house.approve("fay", id).await.unwrap();
    let grant = house.grant(granted(&twice, 0).unwrap()).await;
    assert_eq!(grant.approvals.len(), 2);
    assert_eq!(grant.state, GrantState::Scheduled, "the holder begins it");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvers_in_the_same_instant_both_count() {
    let house = House::new().await;
    for _ in 0..10 {
        let id = house.ask("ann", &[("vault", "write")], 1).await.id;
        let (one, other) = tokio::join!(house.approve("eva", id), house.approve("fay", id));
        assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
        let request = house.request(id).await;
        assert_eq!(request.items[0].approvals.len(), 2);
        assert!(granted(&request, 0).is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_come_in_their_order() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "super")], 1).await.id;
    assert_eq!(house.approve("eva", id).await.unwrap_err().class(), Class::Denied, "it is not their turn");
    house.approve("mia", id).await.unwrap();
    let done = house.approve("eva", id).await.unwrap();
    assert_eq!(done.items[0].approvals.iter().map(|a| a.stage).collect::<Vec<_>>(), [0, 1]);
    assert!(granted(&done, 0).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_narrower_is_exactly_that() {
    let house = House::new().await;
    let wide = house.ask("ann", &[("vault", "write")], 3).await;
    house.approve("eva", wide.id).await.unwrap();
    let less = Narrower { duration: Some(mins(30)), role: Some("read".to_owned()) };
    let child = house.app.approve(&house.caller("fay").await, wide.id, None, &less).await.unwrap();
    assert_ne!(child.digest, wide.digest);
    assert_eq!(child.ask.parent, Some(Parent::Narrows { request: wide.id, digest: wide.digest }));
    let digests: Vec<_> = child.items[0].approvals.iter().map(|a| a.digest).collect();
    assert_eq!(
        digests,
        [wide.digest, child.digest],
        "the earlier approval is carried over, under what it was given for"
    );
    let parent = house.request(wide.id).await;
    assert!(matches!(parent.items[0].state, ItemState::Narrowed { child: id, .. } if id == child.id));
    let grant = granted(&child, 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    assert_eq!(end_of(&house.grant(grant).await), house.app.now().plus(mins(30)));
    assert_eq!(
        house.approve("dan", wide.id).await.unwrap_err().class(),
        Class::Conflict,
        "the wider one is approved as well"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_never_widens() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 2).await.id;
    let check = async |less: Narrower| {
        let error = house.app.approve(&house.caller("eva").await, id, None, &less).await.unwrap_err();
        assert_eq!(error.class(), Class::Invalid, "{less:?}: {error}");
    };
    check(Narrower { duration: Some(Span::from_hours(3)), role: None }).await;
    check(Narrower { duration: Some(Span::from_hours(2)), role: None }).await;
    check(Narrower { duration: None, role: Some("write".to_owned()) }).await;
    check(Narrower { duration: Some(mins(5)), role: Some("super".to_owned()) }).await;
    check(Narrower { duration: None, role: Some("read".to_owned()) }).await;
    assert_eq!(house.request(id).await.items[0].state, ItemState::Waiting);
}

/// Of a bundle only what one may approve is approved, and what cannot be granted any more keeps nothing else back.
#[tokio::test(flavor = "multi_thread")]
async fn items_of_a_bundle_are_decided_one_by_one() {
    let house = House::new().await;
    let request = house.ask("ann", &[("vault", "super"), ("vault", "read"), ("attic", "read")], 1).await;
    let decided = house.approve("eva", request.id).await.unwrap();
    assert_eq!(decided.items[0].state, ItemState::Waiting, "its manager is asked first");
    assert!(granted(&decided, 1).is_some());
    let start = house.app.now().plus(mins(30));
    let input = AskInput { start: Some(start), duration: mins(10), ..ask(&[("vault", "read")], 1) };
    let late = house.try_ask("ann", input).await.unwrap();
    house.clock.set(start.plus(mins(11)));
    let late = house.approve("eva", late.id).await.unwrap();
    assert!(denied(&late, 0).contains("window has passed"), "{}", denied(&late, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_withdrawn_by_those_whose_they_are() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    for (who, class) in [("eva", Class::Conflict), ("zoe", Class::Missing)] {
        let error = house.app.withdraw(&house.caller(who).await, id, None).await.unwrap_err();
        assert_eq!(error.class(), class, "{who}: {error}");
    }
    let gone = house.app.withdraw(&house.caller("ann").await, id, None).await.unwrap();
    assert_eq!(gone.state_name(), "withdrawn");
    assert_eq!(house.approve("eva", id).await.unwrap_err().class(), Class::Conflict);
    assert_eq!(house.app.withdraw(&house.caller("ann").await, id, None).await.unwrap_err().class(), Class::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_could_approve_or_revoke_may_deny() {
    let house = House::new().await;
    for who in ["eva", "root"] {
        let id = house.ask("ann", &[("vault", "read")], 1).await.id;
        let request = house.app.deny(&house.caller(who).await, id, None, &reason("not today")).await.unwrap();
        assert_eq!(denied(&request, 0), "not today");
        for late in ["eva", "fay"] {
            assert_eq!(house.approve(late, id).await.unwrap_err().class(), Class::Conflict, "{late}: it never was?");
        }
    }
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let own = house.app.deny(&house.caller("ann").await, id, None, &reason("mine")).await;
    assert!(matches!(own, Err(AppError::NotAllowed { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_can_be_taken_back() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let grant = granted(&house.approve("eva", id).await.unwrap(), 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    let fay = house.app.deny_granted(&house.caller("fay").await, grant, &reason("no")).await;
    assert_eq!(fay.unwrap_err().class(), Class::Missing, "fay did not approve it");
    let ended = house.app.deny_granted(&house.caller("eva").await, grant, &reason("I was wrong")).await.unwrap();
    assert_eq!(ended.state.name(), "ending");
    assert!(house.hand_out("ann", grant).await.is_err());
    house.try_ends(grant).await;
    assert_eq!(house.grant(grant).await.state.name(), "closed");
    assert!(house.gate.accounts("vault").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_lapses_by_the_clock() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    house.app.request_is_due(id).await.unwrap();
    assert_eq!(house.request(id).await.state_name(), "waiting", "before its time");
    house.advance(Span::from_hours(2));
    assert_eq!(house.approve("eva", id).await.unwrap_err().class(), Class::Conflict, "though nobody noticed yet");
    house.app.request_is_due(id).await.unwrap();
    assert_eq!(house.request(id).await.state_name(), "lapsed");
    house.app.request_is_due(id).await.unwrap();
}
