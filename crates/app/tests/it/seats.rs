//! Seats at the terminals of sessions: who may take one, what is seen and typed there, and what is written down of it.

use std::sync::Arc;

use futures::FutureExt as _;
use wane_app::{AppError, Company, News, Seen};
use wane_audit::{Outcome, Record, Subjects};
use wane_domain::id::{GrantId, SessionId};
use wane_recording::{Event, Side, Size};
use wane_store::RecordFilter;

use crate::house::House;
use crate::tasks::{claim, closed, house};

/// Lets a group join sessions of this.
async fn let_join(house: &House, group: &str, of: &str) {
    let joins = format!("@id(\"joins\") permit (principal in Group::\"{group}\", action == Action::\"join\", {of});");
    house.change_policy("@id(\"whoever-is-asked\")", &format!("{joins}\n@id(\"whoever-is-asked\")")).await;
}

/// A session of ann's at a host that has a terminal, and who is there besides.
async fn opened(house: &House) -> (GrantId, SessionId, Arc<Company>) {
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let opened = house.app.open_session(&claim(house, grant).await, None).await.unwrap();
    let size = Size { columns: 80, rows: 24 };
    opened.company.sees(&Event::Terminal { channel: 0, size, name: "xterm".into() });
    opened.company.sees(&Event::Data { channel: 0, from: Side::Target, bytes: b"before".as_slice().into() });
    (grant, opened.session, opened.company)
}

async fn noted(house: &House, event: &str) -> Vec<Record> {
    house.records(RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() }).await
}

/// Whose session it is.
async fn of(house: &House, grant: GrantId, session: SessionId) -> Subjects {
    let (person, resource) = (Some(house.id("ann").await), Some(house.resource("web1").await));
    Subjects { person, resource, grant: Some(grant), lease: Some(session.lease()), ..Subjects::default() }
}

/// Be it by what it is on, or by whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_joined_by_whom_policy_lets_and_each_attempt_is_written_down() {
    for (what, lets) in [("resource is Gate", false), ("resource is Host", true), ("resource is Person", true)] {
        let house = house().await;
        let_join(&house, "admins", what).await;
        let (grant, session, _) = opened(&house).await;
        let joined = house.app.join_session(&house.caller("root").await, session).await;
        assert_eq!(joined.is_ok(), lets, "{what}: {joined:?}");
        let about = of(&house, grant, session).await;
        for (event, outcome, said) in
            [("session.joined", Outcome::Done, lets), ("session.join_refused", Outcome::Denied, !lets)]
        {
            let records = noted(&house, event).await;
            let told: Vec<_> = records.iter().map(|record| (record.outcome, &record.about)).collect();
            assert_eq!(told, vec![(outcome, &about); usize::from(said)], "{what}: {event}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_there_for_whoever_may_not_join_it_only_if_they_may_know_of_it() {
    let house = house().await;
    let reads = "permit (principal in Group::\"dba\", action == Action::\"read_access\", resource is Host);";
    house.change_policy("@id(\"admins\")", &format!("@id(\"reads\") {reads}\n@id(\"admins\")")).await;
    let (_, session, _) = opened(&house).await;
    for (who, knows) in [("ann", true), ("root", true), ("eva", true), ("ben", false)] {
        let refused = house.app.join_session(&house.caller(who).await, session).await.unwrap_err();
        let as_told = if knows {
            matches!(refused, AppError::NotAllowed { .. })
        } else {
            matches!(refused, AppError::Missing { .. })
        };
        assert!(as_told, "{who}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joined_sees_and_types_until_they_leave_and_it_is_written_down() {
    let house = house().await;
    let_join(&house, "admins", "resource is Host").await;
    let (grant, session, company) = opened(&house).await;
    let root = house.caller("root").await;
    let mut seat = house.app.join_session(&root, session).await.unwrap();
    let output = Seen::Output(b"before".as_slice().into());
    assert_eq!([seat.next().await, seat.next().await], [Some(Seen::Size(80, 24)), Some(output)]);
    assert!(!seat.is_over());
    let typed = || company.typed().now_or_never();
    for (length, goes) in [(0, false), (1, true), (4096, true), (4097, false)] {
        let said = house.app.type_in(&root, session, seat.number(), &vec![b'x'; length]).await;
        assert_eq!(said.is_ok(), goes, "{length}: {said:?}");
        let came = typed().map(|one| (one.who, one.channel, one.bytes.len()));
        assert_eq!(came, goes.then(|| ("root".to_owned(), 0, length)));
    }
    let other = house.app.type_in(&root, session, "another", b"id\r").await;
    assert!(matches!(other, Err(AppError::Missing { .. })) && typed().is_none(), "{other:?}");
    drop(seat);
    let left = News::Left { person: root.person, name: "root".to_owned(), typed: 4097 };
    let news = || company.news().now_or_never();
    assert_eq!([news(), news()], [Some(News::Came { name: "root".to_owned() }), Some(left)]);
    house.app.session_left(session, root.person, 4097).await.unwrap();
    let told = noted(&house, "session.left").await.pop().unwrap();
    assert_eq!((told.about, &told.detail["bytes"]), (of(&house, grant, session).await, &4097.into()));
}

/// What was shown by another terminal is not what this one showed.
#[tokio::test(flavor = "multi_thread")]
async fn who_joins_sees_what_the_first_terminal_showed_last_and_nothing_of_another() {
    let house = house().await;
    let_join(&house, "admins", "resource is Host").await;
    let (_, session, company) = opened(&house).await;
    let root = house.caller("root").await;
    let size = Size { columns: 80, rows: 24 };
    let begins = |channel| company.sees(&Event::Terminal { channel, size, name: "xterm".into() });
    let says = |channel, bytes: &'static [u8]| {
        company.sees(&Event::Data { channel, from: Side::Target, bytes: bytes.into() });
    };
    let seen = async || {
        let mut seat = house.app.join_session(&root, session).await.unwrap();
        assert_eq!(seat.next().now_or_never(), Some(Some(Seen::Size(80, 24))));
        seat.next().now_or_never()
    };
    let output = |bytes: &'static [u8]| Some(Some(Seen::Output(bytes.into())));
    begins(1);
    says(1, b"beside");
    company.sees(&Event::Closed { channel: 1 });
    assert_eq!(seen().await, output(b"before"), "the end of another took it away");
    begins(1);
    company.sees(&Event::Closed { channel: 0 });
    assert_eq!(seen().await, output(b""), "it has shown nothing yet");
    says(1, b"after");
    assert_eq!(seen().await, output(b"after"));
    begins(0);
    assert_eq!(seen().await, output(b""), "it was shown by another");
}

/// Somebody else who may be there has no seat by this.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_join_any_more_types_nothing_and_is_out() {
    let house = house().await;
    let_join(&house, "dba", "resource is Host").await;
    let (_, session, company) = opened(&house).await;
    let (eva, fay) = (house.caller("eva").await, house.caller("fay").await);
    let mut seat = house.app.join_session(&eva, session).await.unwrap();
    seat.still(&eva).await.unwrap();
    let other = seat.still(&fay).await;
    assert!(matches!(other, Err(AppError::NotAllowed { .. })), "{other:?}");
    house
        .change_policy(
            "principal in Group::\"dba\", action == Action::\"join\"",
            "principal == Person::\"root\", action == Action::\"join\"",
        )
        .await;
    let barred = seat.still(&eva).await;
    assert!(matches!(barred, Err(AppError::NotAllowed { .. })), "{barred:?}");
    let typed = house.app.type_in(&eva, session, seat.number(), b"id\r").await;
    assert!(matches!(typed, Err(AppError::Missing { .. })), "{typed:?}");
    assert!(company.typed().now_or_never().is_none());
    while let Some(Some(_)) = seat.next().now_or_never() {}
    assert_eq!(seat.next().now_or_never(), Some(None), "they are in");
    assert!(!seat.is_over(), "it goes on for its person");
}

/// With its gateway or after that.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_is_over_for_who_joined_it() {
    for gateway_first in [true, false] {
        let house = house().await;
        let_join(&house, "admins", "resource is Host").await;
        let (_, session, company) = opened(&house).await;
        let root = house.caller("root").await;
        let seat = house.app.join_session(&root, session).await.unwrap();
        if gateway_first {
            company.end();
        } else {
            house.app.session_closed(session, closed(None)).await.unwrap();
        }
        assert!(seat.is_over(), "{gateway_first}");
        assert!(house.app.join_session(&root, session).await.is_err(), "{gateway_first}");
    }
}
