//! What an ended session left behind at a real database, told in the story of its grant.

use serde_json::json;
use wane_audit::Outcome;
use wane_domain::lease::artifact_name;
use wane_domain::time::Span;

use crate::running::run;
use crate::shop::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn a_story_names_what_the_session_left_and_says_when_it_left_nothing() {
    let shop = Shop::new().await;
    let _engine = run(&shop.house, Span::from_hours(1));
    shop.register().await;
    // Ben is at work all the time; what carries his name is not Ann's.
    let bens = shop.works("ben", "SELECT lo_create(77)").await;

    // Who began before the first look is not judged; sooner or later one begins after it.
    let mut clean = vec![];
    let judged = loop {
        let id = shop.works("ann", "SELECT count(*) FROM orders").await;
        shop.returns("ann", id).await;
        clean.push(id);
        let mut judged = None;
        for id in &clean {
            judged = judged.or(shop.residue(*id).await);
        }
        if let Some(line) = judged {
            break line.record;
        }
        assert!(clean.len() < 100, "nobody was judged");
    };
    assert_eq!(
        (judged.event.as_str(), judged.outcome, &judged.detail["left"]),
        ("residue.scanned", Outcome::Done, &json!([]))
    );
    assert!(judged.about.grant.is_some() && judged.about.resource.is_some(), "{:?}", judged.about);

    let id = shop.works("ann", "SELECT lo_create(4242)").await;
    shop.returns("ann", id).await;
    let found = shop.judged(id).await.record;
    let lease = shop.house.leases(id).await[0].id;
    assert_eq!((found.event.as_str(), found.outcome), ("residue.found", Outcome::Failed));
    assert_eq!((found.about.grant, found.about.lease), (Some(id), Some(lease)));
    assert_eq!(found.detail["artifact"], artifact_name(lease));
    let left = found.detail["left"].as_array().unwrap();
    let told = found.detail["left"].to_string();
    assert_eq!(left.len(), 1, "{told}");
    assert!(told.contains("large object 4242") && told.contains("wane_left_behind"), "{told}");
    assert!(found.detail["note"].as_str().unwrap().contains("may belong to others"), "{}", found.detail);

    // It stands there still and is not laid at the door of whoever comes next.
    let next = shop.works("ann", "SELECT 1").await;
    shop.returns("ann", next).await;
    assert_eq!(shop.judged(next).await.record.event, "residue.scanned");
    shop.returns("ben", bens).await;
}
