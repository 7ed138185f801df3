//! Who is asked in addition while nobody decides: when, how many are needed, what it counts for.

use wane_app::{NewDelegation, rejudge_all};
use wane_domain::id::RequestId;
use wane_domain::request::AccessRequest;
use wane_domain::time::Span;

use crate::house::{House, denied, granted, mins};

const ONE: &str = "@approve(\"1 of group:dba\")";
const TWO: &str = "@approve(\"2 of group:dba\")";

/// `prod-read` by one of the group, after half an hour also by the manager; `prod-write` by two, the same.
async fn house() -> House {
    let house = House::new().await;
    house.change_policy(ONE, "@approve(\"1 of group:dba, or after 30m also manager\")").await;
    house.change_policy(TWO, "@approve(\"2 of group:dba, or after 30m also manager\")").await;
    house
}

/// What the engine would do about it after a while.
async fn after(house: &House, id: RequestId, wait: Span) -> AccessRequest {
    house.advance(wait);
    house.app.request_is_due(id).await.unwrap();
    house.request(id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_asked_later_decides_later_and_counts_as_one() {
    let house = house().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let two = house.ask("ann", &[("vault", "write")], 1).await.id;
    let mia = house.caller("mia").await;
    let sees = async |id: RequestId| {
        let world = house.app.world().await.unwrap();
        house.app.request_for(&mia, &world, id).await.is_ok()
    };
    assert!(after(&house, id, mins(29)).await.items[0].escalated.is_empty());
    assert!(house.approve("mia", id).await.is_err(), "she is not asked yet");
    assert!(!sees(id).await);
    let asked = after(&house, id, mins(1)).await;
    assert_eq!(asked.items[0].escalated.len(), 1);
    assert!(sees(id).await);
    let grant = granted(&house.approve("mia", id).await.unwrap(), 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    let kept = house.grant(grant).await.approvals[0].clone();
    assert_eq!(kept.asked_after, Some(mins(30)));
    rejudge_all(&house.app).await.unwrap();
    assert!(house.grant(grant).await.is_live());
    // Asking more people needs no fewer: one of two is one of two.
    house.app.request_is_due(two).await.unwrap();
    let half = house.approve("mia", two).await.unwrap();
    assert_eq!(half.state_name(), "waiting");
    assert!(granted(&house.approve("eva", two).await.unwrap(), 0).is_some());
}

/// The manager asks herself, or for somebody; her stand-in is no way around it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_in_addition_about_what_is_theirs() {
    let house = house().await;
    let mut for_ann = crate::house::ask(&[("vault", "read")], 1);
    for_ann.for_person = Some("ann".to_owned());
    let id = house.try_ask("mia", for_ann).await.unwrap().id;
    let until = house.app.now().plus(Span::from_hours(48));
    let leave = NewDelegation {
        to: "zoe".to_owned(),
        from: None,
        until,
        resources: Vec::new(),
        policies: Vec::new(),
        reason: None,
    };
    house.app.delegate(&house.caller("mia").await, &leave).await.unwrap();
    after(&house, id, mins(30)).await;
    for who in ["mia", "ann", "zoe"] {
        assert!(house.approve(who, id).await.is_err(), "{who}");
    }
    assert!(house.request(id).await.items[0].approvals.is_empty());
    // Of what `ben` asks his manager is asked, and so who stands in for her.
    let other = house.ask("ben", &[("vault", "read")], 1).await.id;
    assert!(house.approve("zoe", other).await.is_err(), "too early for her too");
    after(&house, other, mins(30)).await;
    let grant = granted(&house.approve("zoe", other).await.unwrap(), 0).unwrap();
    house.hand_out("ben", grant).await.unwrap();
}

/// What somebody approved who was asked after half an hour counts while policy would have asked them by then.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_by_whoever_was_asked_later_counts_while_policy_asks_them_so_soon() {
    for (policy, stands) in [
        ("@approve(\"1 of group:dba, or after 30m also manager\") @description(\"the same\")", true),
        ("@approve(\"1 of group:dba, or after 20m also manager\")", true),
        ("@approve(\"1 of group:dba, manager\")", true),
        ("@approve(\"1 of group:dba, or after 31m also manager\")", false),
        ("@approve(\"1 of group:dba, or after 30m also person:zoe\")", false),
        (ONE, false),
    ] {
        let house = house().await;
        let id = house.ask("ann", &[("vault", "read")], 1).await.id;
        after(&house, id, mins(30)).await;
        let grant = granted(&house.approve("mia", id).await.unwrap(), 0).unwrap();
        house.hand_out("ann", grant).await.unwrap();
        let before = house.ask("ann", &[("vault", "write")], 1).await.id;
        after(&house, before, mins(30)).await;
        house.approve("mia", before).await.unwrap();
        house.change_policy("@approve(\"1 of group:dba, or after 30m also manager\")", policy).await;
        house
            .change_policy(
                "@approve(\"2 of group:dba, or after 30m also manager\")",
                &policy.replace("\"1 of", "\"2 of"),
            )
            .await;
        rejudge_all(&house.app).await.unwrap();
        assert_eq!(house.grant(grant).await.is_live(), stands, "{policy}");
        let second = house.approve("eva", before).await.unwrap();
        if stands {
            assert!(granted(&second, 0).is_some(), "{policy}");
        } else {
            assert!(denied(&second, 0).contains("2 of group:dba"), "{policy}: {}", denied(&second, 0));
        }
    }
}

/// What waits for somebody, and for nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_somebody_is_what_they_could_decide() {
    let house = house().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let own = house.ask("dan", &[("vault", "read")], 1).await.id;
    let waits = async |who: &str| {
        let found = house.app.waiting_for(&house.caller(who).await, 100).await.unwrap();
        assert!(!found.more);
        found.requests.iter().map(|request| request.id).collect::<Vec<_>>()
    };
    assert_eq!(waits("eva").await, [own, id]);
    assert_eq!(waits("dan").await, [id], "one's own waits for others");
    assert!(waits("mia").await.is_empty() && waits("ann").await.is_empty() && waits("zoe").await.is_empty());
    after(&house, id, mins(30)).await;
    assert_eq!(waits("mia").await, [id]);
    let few = house.app.waiting_for(&house.caller("eva").await, 1).await.unwrap();
    assert_eq!((few.requests.len(), few.more), (1, true));
    house.approve("eva", id).await.unwrap();
    assert!(waits("mia").await.is_empty(), "it is decided");
}
