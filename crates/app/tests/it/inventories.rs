//! What stood at targets, day by day, and the figures told from it.

use wane_app::{AppError, Stands};
use wane_audit::Record;
use wane_domain::time::Span;
use wane_store::RecordFilter;

use crate::faulty::Goes;
use crate::house::{House, mins};

async fn said(house: &House) -> Vec<Record> {
    house.records(RecordFilter { event: Some("inventory.".to_owned()), ..RecordFilter::default() }).await
}

async fn look(house: &House, resource: &str) {
    house.app.inventory(&house.caller("root").await, resource).await.unwrap();
}

#[tokio::test]
async fn what_stands_is_written_down_when_it_changes_and_now_and_then_and_told_by_day() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", grant).await.unwrap();
    house.gate.stand("attic", &["root", "backup"]);
    house.gate.stand("annex", &["root"]);
    look(&house, "attic").await;
    look(&house, "attic").await;
    look(&house, "annex").await;
    let records = said(&house).await;
    assert_eq!(records.len(), 2, "what says what it said before is not written again: {records:?}");
    let attic = house.resource("attic").await;
    let first = records.iter().find(|record| record.about.resource == Some(attic)).unwrap();
    assert_eq!(
        (first.event.as_str(), &first.detail["standing"], &first.detail["made"]),
        ("inventory.changed", &2.into(), &1.into())
    );
    let names = serde_json::to_string(&records).unwrap();
    assert!(!names.contains("backup"), "how much is written, never who: {names}");

    // Something changes, and something turns up that is nobody's; what is gone later was there that day.
    house.gate.stand("attic", &["root", "backup", "old-admin"]);
    house.gate.plant("attic", "wane_stray");
    look(&house, "attic").await;
    house.advance(mins(60));
    look(&house, "annex").await;
    assert_eq!(said(&house).await.iter().filter(|record| record.event == "inventory.taken").count(), 1, "now and then");
    let day = async |n: usize| {
        let told = house.app.figures(&house.caller("root").await, 3).await.unwrap();
        let day = told.days[n].clone();
        (day.stands, day.just_in_time())
    };
    let today = Stands { looked: 2, made: 1, standing: 4, orphans: 1 };
    assert_eq!(day(2).await, (Some(today), Some(20)), "one was granted today, four stand");
    assert_eq!(day(1).await, (None, None), "nobody looked yesterday");

    // Tomorrow only one answers: the other stands as it last stood.
    house.advance(Span::from_hours(24));
    house.gate.stand("annex", &[]);
    look(&house, "annex").await;
    let tomorrow = Stands { looked: 1, made: 1, standing: 3, orphans: 0 };
    assert_eq!(day(2).await, (Some(tomorrow), Some(0)));
    assert_eq!(day(1).await.0, Some(today));
    let ids = [attic, house.resource("vault").await];
    let last = house.app.last_inventories(&house.caller("root").await, &ids).await.unwrap();
    assert_eq!(last[0].as_ref().map(|one| (one.standing, one.orphans)), Some((3, 1)));
    assert_eq!(last[1], None);

    // However long ago that was, and however far is looked back.
    house.advance(Span::from_hours(24 * 10));
    let now = async |days| {
        let told = house.app.figures(&house.caller("root").await, days).await.unwrap();
        told.days.last().unwrap().stands
    };
    let still = Some(Stands { looked: 0, made: 1, standing: 3, orphans: 0 });
    assert_eq!((now(1).await, now(30).await), (still, still));

    // What a figure looks back to is kept.
    house.advance(Span::from_hours(24 * 20));
    look(&house, "annex").await;
    let last = house.app.last_inventories(&house.caller("root").await, &ids).await.unwrap();
    assert!(last[0].is_some());

    // Not everybody is told, and what no figure looks back to is forgotten.
    let refused = house.app.figures(&house.caller("ann").await, 3).await;
    assert!(matches!(refused, Err(AppError::NotAllowed { .. })), "{refused:?}");
    house.advance(Span::from_hours(24 * 366));
    look(&house, "annex").await;
    let last = house.app.last_inventories(&house.caller("root").await, &ids).await.unwrap();
    assert_eq!(last, [None, None]);
}

#[tokio::test]
async fn whoever_looks_is_told_what_stands_though_it_cannot_be_written_down() {
    let house = House::new().await;
    house.gate.stand("attic", &["root"]);
    house.door.writes(Goes::Failing);
    let found = house.app.inventory(&house.caller("root").await, "attic").await.unwrap();
    assert_eq!(found.inventory.standing.len(), 1);
    house.door.writes(Goes::Well);
    assert!(said(&house).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nobodys_is_news_once_a_day_and_whatever_else_changes_is_news() {
    let house = House::new().await;
    house.gate.stand("attic", &["root"]);
    let events = async || said(&house).await.into_iter().map(|record| record.event).collect::<Vec<_>>();
    let mut wanted = Vec::new();
    for (what, new) in [
        ("the first look", Some("inventory.changed")),
        ("a stray", Some("inventory.changed")),
        ("the same stray", None),
        ("the same stray another day", Some("inventory.changed")),
        ("one more who stands", Some("inventory.changed")),
    ] {
        match what {
            "a stray" => house.gate.plant("attic", "wane_stray"),
            "one more who stands" => house.gate.stand("attic", &["root", "backup"]),
            _ if what.ends_with("another day") => drop(house.advance(Span::from_hours(24))),
            _ => {}
        }
        look(&house, "attic").await;
        wanted.extend(new.map(str::to_owned));
        assert_eq!(events().await, wanted, "{what}");
    }
}
