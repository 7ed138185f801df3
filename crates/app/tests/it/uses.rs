//! Uses that are counted: many at once share a commit, and no more pass than there are.

use futures::future::join_all;
use futures::poll;
use serde_json::json;
use wane_app::AppError;
use wane_domain::id::{GrantId, SessionId};

use crate::faulty::Goes;
use crate::house::{House, mins};
use crate::tasks::{claim, session_as};

/// A grant with a session, at a gateway.
async fn opened() -> (House, GrantId, SessionId) {
    let house = House::new().await;
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let session = session_as(&house, grant).await;
    (house, grant, session)
}

fn of(name: &str, most: u64) -> Vec<(String, u64)> {
    vec![(name.to_owned(), most)]
}

async fn until_asked(house: &House, commits: usize) {
    let mut asked = house.door.asked.subscribe();
    asked.wait_for(|asked| *asked >= commits).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_as_many_pass_as_there_are_uses() {
    let (house, grant, session) = opened().await;
    let key = of("key", 40);
    house.door.writes(Goes::Hanging);
    let spends = join_all((0..100).map(|_| house.app.spend_use(session, &key)));
    let lets = async {
        until_asked(&house, 1).await;
        house.door.writes(Goes::Well);
    };
    let (done, ()) = tokio::join!(spends, lets);
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 40, "{done:?}");
    for refused in done.into_iter().filter_map(Result::err) {
        assert_eq!(refused.to_string(), "all 40 uses of this access are used up");
    }
    assert_eq!(house.app.store().uses(grant, "key").await.unwrap(), 40);
    // The first has one of its own, which the others came too late for.
    assert_eq!(*house.door.asked.borrow(), 1, "commits after the first");
    // Each of what gives a number of uses is spent, or none is.
    let both = [of("key", 40), of("other", 2)].concat();
    assert!(house.app.spend_use(session, &both).await.is_err());
    assert_eq!(house.app.store().uses(grant, "other").await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_takes_nobody_elses_use_along() {
    let (house, grant, session) = opened().await;
    let key = of("key", 9);
    house.door.writes(Goes::Hanging);
    let spend = || Box::pin(house.app.spend_use(session, &key));
    let (mut first, mut second, mut third) = (spend(), spend(), spend());
    tokio::select! {
        done = &mut first => panic!("spent before it was on disk: {done:?}"),
        () = until_asked(&house, 1) => {}
    }
    assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
    house.door.writes(Goes::Well);
    first.await.unwrap();
    house.door.writes(Goes::Hanging);
    // The second has its turn, spends for both, and is gone before that is on disk.
    tokio::select! {
        done = &mut second => panic!("spent before it was on disk: {done:?}"),
        () = until_asked(&house, 1) => {}
    }
    drop(second);
    house.door.writes(Goes::Well);
    third.await.unwrap();
    let used = house.app.store().uses(grant, "key").await.unwrap();
    assert!((2..=4).contains(&used), "{used} uses are spent, two were made for certain");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_down_or_is_over_is_no_use() {
    let (house, grant, session) = opened().await;
    let key = of("key", 9);
    house.door.writes(Goes::Failing);
    assert!(house.app.spend_use(session, &key).await.is_err());
    house.door.writes(Goes::Well);
    assert_eq!(house.app.store().uses(grant, "key").await.unwrap(), 0);
    house.app.spend_use(session, &key).await.unwrap();
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    assert!(house.app.spend_use(session, &key).await.is_err());
    assert_eq!(house.app.store().uses(grant, "key").await.unwrap(), 1);
}

/// The certificate that it was opened with is live; what counts is the session.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_used_in_a_session_before_its_target_lets_it_in() {
    let house = crate::tasks::house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let opened = house.app.open_session(&claim(&house, grant).await, None).await.unwrap();
    let key = of("key", 9);
    let early = house.app.spend_use(opened.session, &key).await.unwrap_err();
    assert!(matches!(&early, AppError::Taken(why) if why == "this session is over"), "{early}");
    assert_eq!(house.app.store().uses(grant, "key").await.unwrap(), 0);
    house.app.session_begun(opened.session, &json!({})).await.unwrap();
    house.app.spend_use(opened.session, &key).await.unwrap();
    assert_eq!(house.app.store().uses(grant, "key").await.unwrap(), 1);
}

/// A gateway is told so whatever became of the grant; also before its end is written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_over_once_it_has_ended_and_where_there_is_none() {
    let (house, grant, _) = opened().await;
    let other = house.hold("ben", "web1", "deploy", 1).await;
    let over = async |grant: GrantId| house.app.is_over(grant).await.unwrap();
    assert!(!over(grant).await);
    assert!(over(house.ambient.id()).await, "there is none");
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    assert!(over(grant).await);
    house.advance(mins(60));
    assert!(house.grant(other).await.is_live() && over(other).await, "its time is up");
}
