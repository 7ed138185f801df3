//! An approval is worth what its giver is worth at the moment it is used.

use wane_app::{AppError, PersonChange, rejudge_all};
use wane_domain::directory::Standing;
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::time::Span;
use wane_store::{Put, Write};

use crate::house::{House, denied, granted, name, reason};

/// What may happen to somebody who approved.
#[derive(Clone, Copy, Debug)]
enum Since {
    Nothing,
    PolicyLetsThemNot,
    Locked,
    Disabled,
    OutOfTheGroup,
}

const ALL: [Since; 5] =
    [Since::Nothing, Since::PolicyLetsThemNot, Since::Locked, Since::Disabled, Since::OutOfTheGroup];

async fn happens(house: &House, since: Since) {
    let root = house.caller("root").await;
    match since {
        Since::Nothing => {}
        // `dan` is among the engineers, `eva` and `fay` are not.
        Since::PolicyLetsThemNot => {
            let anybody = "permit (principal, action == Action::\"approve\", resource);";
            let but = "permit (principal, action == Action::\"approve\", resource) unless { principal in Group::\"engineers\" };";
            house.change_policy(anybody, but).await;
        }
        Since::Locked => {
            let target = LockTarget::Person(house.id("dan").await);
            let lock = Lock::impose(house.ambient.id(), target, reason("stolen"), root.person, house.app.now()).0;
            house.write(vec![Write::Lock(Put::new(lock))]).await;
        }
        Since::Disabled => {
            let change = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
            house.app.change_person(&root, "dan", &change).await.unwrap();
        }
        Since::OutOfTheGroup => {
            house.app.set_member(&root, &name("dba"), "dan", wane_app::Membership::Out).await.unwrap();
        }
    }
}

/// The first of two approvers loses the right to; the second approves.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_counts_only_while_its_giver_may_give_it() {
    for since in ALL {
        let house = House::new().await;
        let id = house.ask("ann", &[("vault", "write")], 1).await.id;
        house.approve("dan", id).await.unwrap();
        happens(&house, since).await;
        let decided = house.approve("eva", id).await.unwrap();
        if matches!(since, Since::Nothing) {
            assert!(granted(&decided, 0).is_some());
        } else {
            assert!(denied(&decided, 0).contains("2 of group:dba"), "{since:?}: {}", denied(&decided, 0));
        }
    }
}

/// The same once it is granted: not begun, not handed out under, and ended where it lives.
#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_may_not_any_more_ends_what_they_approved() {
    for (since, begun) in ALL.into_iter().flat_map(|since| [(since, false), (since, true)]) {
        let house = House::new().await;
        let id = house.ask("ann", &[("vault", "read")], 1).await.id;
        let grant = granted(&house.approve("dan", id).await.unwrap(), 0).unwrap();
        if begun {
            house.hand_out("ann", grant).await.unwrap();
        }
        happens(&house, since).await;
        let handed = house.hand_out("ann", grant).await;
        rejudge_all(&house.app).await.unwrap();
        if matches!(since, Since::Nothing) {
            handed.unwrap();
            assert!(house.grant(grant).await.is_live());
        } else {
            assert!(matches!(handed, Err(AppError::Refused { .. })), "{since:?}: {handed:?}");
            assert!(!house.grant(grant).await.is_live(), "{since:?}, begun: {begun}");
        }
    }
}

/// Who may approve in the morning has approved in the morning, though it is used in the afternoon.
#[tokio::test(flavor = "multi_thread")]
async fn the_hour_that_counts_for_an_approval_is_when_it_was_given() {
    let house = House::new().await;
    let anybody = "permit (principal, action == Action::\"approve\", resource);";
    let mornings = "permit (principal, action == Action::\"approve\", resource) when { context.local.hour < 12 };";
    house.change_policy(anybody, mornings).await;
    let id = house.ask("ann", &[("vault", "read")], 5).await.id;
    let late = house.ask("ben", &[("vault", "read")], 1).await.id;
    let four = wane_app::Narrower { duration: Some(Span::from_hours(4)), role: None };
    let less = house.app.approve(&house.caller("eva").await, id, None, &four).await;
    let grant = match less {
        Ok(child) => granted(&child, 0).unwrap(),
        Err(error) => panic!("{error}"),
    };
    house.hand_out("ann", grant).await.unwrap();
    house.advance(Span::from_mins(119));
    house.hand_out("ann", grant).await.unwrap();
    house.advance(Span::from_hours(1));
    house.hand_out("ann", grant).await.unwrap();
    rejudge_all(&house.app).await.unwrap();
    assert!(house.grant(grant).await.is_live());
    assert!(house.approve("eva", late).await.is_err(), "it is past noon");
}
