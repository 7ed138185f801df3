//! Who may see what; to those who may not know, what is there and what is not look alike.

use wane_app::{Class, WhyInput};
use wane_audit::Outcome;
use wane_store::{RecordFilter, Slice};

use crate::faulty::Goes;
use crate::house::{House, ask, granted};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_may_not_know_looks_like_nothing() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let grant = granted(&house.approve("eva", id).await.unwrap(), 0).unwrap();
    let world = house.app.world().await.unwrap();
    let never = house.ambient.id();
    for (who, sees) in [("ann", true), ("eva", true), ("root", true), ("ben", false), ("zoe", false)] {
        let caller = house.caller(who).await;
        assert_eq!(house.app.request_for(&caller, &world, id).await.is_ok(), sees, "{who}: request");
        let found = house.app.grant_for(&caller, &world, grant).await;
        assert_eq!(found.is_ok(), sees, "{who}: grant");
        assert_eq!(house.app.story(&caller, grant).await.is_ok(), sees, "{who}: story");
        if let Err(hidden) = found {
            let nothing = house.app.grant_for(&caller, &world, never).await.unwrap_err();
            assert_eq!((hidden.class(), hidden.code()), (nothing.class(), nothing.code()));
            assert_eq!(
                hidden.to_string().replace(&grant.to_string(), ""),
                nothing.to_string().replace(&never.to_string(), "")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_tells_nobody_what_there_is() {
    let house = House::new().await;
    let everybody = r#"permit (principal, action == Action::"read_catalogue", resource);"#;
    let nobody = r#"permit (principal in Group::"nobody", action == Action::"read_catalogue", resource);"#;
    house.change_policy(everybody, nobody).await;
    let ann = house.caller("ann").await;
    // What policy opens to her she may name.
    house.ask("ann", &[("attic", "read")], 1).await;
    house.app.why(&ann, &why("attic", "read")).await.unwrap();
    // Zoe gets no path anywhere. What is there, what is not, and a role that is not all look alike.
    let zoe = house.caller("zoe").await;
    let before = house.store_head().await;
    let mut answers = Vec::new();
    for (resource, role) in [("attic", "read"), ("vault", "read"), ("nowhere", "read"), ("attic", "nothing")] {
        let same =
            |e: wane_app::AppError| (e.class(), e.code(), e.to_string().replace(resource, "R").replace(role, "r"));
        answers.push(same(house.try_ask("zoe", ask(&[(resource, role)], 1)).await.unwrap_err()));
        answers.push(same(house.app.why(&zoe, &why(resource, role)).await.unwrap_err()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, Class::Missing);
    // The log says who asked for what, the same of each.
    let filter = RecordFilter { event: Some("request.refused".to_owned()), ..RecordFilter::default() };
    let noted = house.records(filter).await;
    assert_eq!(house.store_head().await, before + 4, "of asking, a record each and nothing else");
    let mut asked = Vec::new();
    for record in &noted {
        assert_eq!((record.outcome, record.about.person), (Outcome::Denied, Some(zoe.person)));
        assert!(record.about.resource.is_none(), "it says what is there: {record:?}");
        asked.push(format!("{} {}", record.detail["items"][0]["resource"], record.detail["items"][0]["role"]));
    }
    asked.sort();
    let names = ["attic nothing", "attic read", "nowhere read", "vault read"];
    assert_eq!(asked, names.map(|both| format!("{both:?}").replace(' ', "\" \"")));
    // An engineer who names what only others may have is told no more.
    let hidden = house.try_ask("ann", ask(&[("attic", "read"), ("nowhere", "read")], 1)).await.unwrap_err();
    assert_eq!((hidden.class(), hidden.to_string().as_str()), (Class::Missing, "there is no role `read` on `nowhere`"));
    // Whoever may read the catalogue is told which of the two is not there.
    let root = house.caller("root").await;
    let told = house.app.why(&root, &why("attic", "nothing")).await.unwrap_err();
    assert_eq!(told.to_string(), "there is no role `nothing`");
}

pub(crate) fn why(resource: &str, role: &str) -> WhyInput {
    WhyInput {
        person: None,
        resource: resource.to_owned(),
        role: role.to_owned(),
        duration: None,
        start: None,
        reason: None,
        ticket: None,
        task: None,
        policy_version: None,
        policy_text: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_shows_each_their_own() {
    let house = House::new().await;
    house.hold("ann", "attic", "read", 1).await;
    house.hold("ben", "attic", "read", 1).await;
    let ann = house.caller("ann").await;
    let own = house.app.records(&ann, RecordFilter::default(), Slice::first(100)).await.unwrap().items;
    assert!(!own.is_empty() && own.iter().all(|r| r.record.about.person == Some(ann.person)));
    let other = RecordFilter { person: Some(house.id("ben").await), ..RecordFilter::default() };
    assert_eq!(house.app.records(&ann, other, Slice::first(100)).await.unwrap_err().class(), Class::Denied);
    let all = house.app.records(&house.caller("root").await, RecordFilter::default(), Slice::first(100)).await.unwrap();
    assert!(all.items.len() > own.len());
    let (seen, last) = house.app.next_records(&ann, 0).await.unwrap();
    assert_eq!(seen.len(), own.len());
    assert_eq!(last, house.store_head().await, "what is hidden is passed over");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_shows_all_or_ones_own() {
    let house = House::new().await;
    let mine = house.hold("ann", "attic", "read", 1).await;
    house.hold("ben", "attic", "read", 2).await;
    let own = house.app.live(&house.caller("ann").await).await.unwrap();
    assert_eq!(own.iter().map(|l| l.grant.id).collect::<Vec<_>>(), [mine]);
    let all = house.app.live(&house.caller("root").await).await.unwrap();
    assert_eq!(all.len(), 2);
    assert!(all[0].end <= all[1].end, "what ends first stands first");
    // What has not begun or is over is nobody's access.
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    assert!(granted(&house.approve("eva", asked).await.unwrap(), 0).is_some());
    house.app.give_back(&house.caller("ann").await, mine).await.unwrap();
    house.try_ends(mine).await;
    assert!(house.app.live(&house.caller("ann").await).await.unwrap().is_empty());
    assert_eq!(house.app.live(&house.caller("root").await).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_goes_from_ask_to_closure() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let grant = granted(&house.approve("eva", id).await.unwrap(), 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    house.try_ends(grant).await;
    let story = house.app.story(&house.caller("ann").await, grant).await.unwrap();
    let events: Vec<&str> = story.lines.iter().map(|l| l.record.event.as_str()).collect();
    assert_eq!(
        events,
        [
            "request.opened",
            "request.item.approved",
            "grant.minted",
            "grant.activated",
            "lease.intended",
            "lease.made",
            "grant.ending",
            "lease.ending",
            "lease.gone",
            "grant.closed"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_carries_our_mark_and_belongs_to_nobody_is_found() {
    let house = House::new().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    house.hand_out("ann", grant).await.unwrap();
    let elsewhere = house.leases(grant).await[0].artifact.clone();
    house.gate.plant("attic", "wane_nobody");
    // The right name at a target of another kind belongs to nobody there.
    house.gate.plant("annex", &elsewhere);
    let root = house.caller("root").await;
    for (target, orphans) in [("attic", vec!["wane_nobody".to_owned()]), ("annex", vec![elsewhere])] {
        let found = house.app.inventory(&root, target).await.unwrap();
        assert_eq!(found.orphans.into_iter().map(|a| a.name).collect::<Vec<_>>(), orphans, "{target}");
    }
}

/// Two resources can be of one target: what one made, the other lists too. It is nobody's once its lease is closed.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_resource_of_the_kind_made_is_no_orphan() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", grant).await.unwrap();
    let made = house.leases(grant).await[0].artifact.clone();
    house.gate.plant("annex", &made);
    let root = house.caller("root").await;
    let found = house.app.inventory(&root, "annex").await.unwrap();
    assert_eq!((found.inventory.marked.len(), found.orphans.len()), (1, 0), "what somebody has was to be ended");
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    house.try_ends(grant).await;
    assert!(!house.leases(grant).await[0].is_open());
    let found = house.app.inventory(&root, "annex").await.unwrap();
    assert_eq!(found.orphans.into_iter().map(|a| a.name).collect::<Vec<_>>(), [made]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_is_touched_after_the_log_says_so() {
    let house = House::new().await;
    house.gate.plant("attic", "wane_nobody");
    let root = house.caller("root").await;
    let orphan = house.app.inventory(&root, "attic").await.unwrap().orphans.remove(0);
    let target = house.resource("attic").await;
    house.door.writes(Goes::Failing);
    assert!(house.app.remove_orphan(target, &orphan).await.is_err());
    assert!(house.gate.accounts("attic").contains_key("wane_nobody"), "it was touched, and nothing says so");
    house.door.writes(Goes::Well);
    house.app.remove_orphan(target, &orphan).await.unwrap();
    assert!(house.gate.accounts("attic").is_empty());
    let said: Vec<String> = house.records(RecordFilter::default()).await.into_iter().map(|r| r.event).collect();
    let place = |event: &str| said.iter().position(|said| said == event).unwrap();
    assert_eq!(place("orphan.ending").abs_diff(place("orphan.removed")), 1, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_end_of_an_access_does_is_what_its_kind_says_of_the_target() {
    let house = House::new().await;
    house.hold("ann", "web1", "deploy", 1).await;
    let live = house.app.live(&house.caller("ann").await).await.unwrap();
    let settings = house.app.world().await.unwrap().resource("web1").unwrap().settings.clone();
    let [ssh, gate] = ["ssh", "gate"].map(|kind| house.app.kinds().get(kind).unwrap().describe(&settings));
    assert!(live[0].residual == ssh && ssh != gate, "{live:?}");
}
