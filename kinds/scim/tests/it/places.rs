//! One place through renames, re-creations, and others at the same group.

use serde_json::json;
use wane_connector::{EndOutcome, Presence};

use crate::between::Between;
use crate::stage::{ADMINS, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_one_member_and_only_that_goes() {
    let stage = Stage::usual();
    let before = stage.app.members(ADMINS).unwrap();
    let given = stage.give(&stage.admins_role(), "alice").await;
    assert_eq!(stage.app.members(ADMINS).unwrap().len(), before.len() + 1);
    assert!(stage.is_admin(&stage.alice));
    assert!(matches!(stage.presence(&given).await, Presence::Present { .. }));
    stage.end_for_good(&given).await;
    assert_eq!(stage.app.members(ADMINS).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_renamed_and_what_is_renamed_is_found_again() {
    let stage = Stage::usual();
    let given = stage.give(&stage.admins_role(), "alice").await;
    let rename = |path: String, attribute: &str, to: &str| {
        stage.app.change(&path, &json!({ "op": "replace", "path": attribute, "value": to })).unwrap();
    };
    rename(format!("Groups/{}", stage.admins), "displayName", "Root");
    rename(format!("Users/{}", stage.alice), "userName", "alice.new");
    assert!(matches!(stage.presence(&given).await, Presence::Present { .. }));
    stage.end_for_good(&given).await;
    assert!(!stage.app.members("Root").unwrap().contains(&stage.alice));
}

/// What was given was given in the group that is gone; who is in its namesake is none of the grant's.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_anew_under_the_name_is_another() {
    let stage = Stage::usual();
    let given = stage.give(&stage.admins_role(), "alice").await;
    stage.app.call("DELETE", &format!("Groups/{}", stage.admins), None).unwrap();
    assert!(matches!(stage.presence(&given).await, Presence::Absent { .. }));
    let anew = stage.app.group(ADMINS).unwrap();
    stage.app.add(&anew, &stage.alice).unwrap();
    stage.end_for_good(&given).await;
    assert!(stage.is_admin(&stage.alice), "somebody else's place was taken");
    let again = stage.make(&given).await.unwrap_err();
    assert!(again.to_string().contains("gone from the application"), "{again}");
}

/// Somebody else under the name of who left gets nothing by the grant of who left.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_made_anew_under_the_name_is_another() {
    let stage = Stage::usual();
    let given = stage.give(&stage.admins_role(), "alice").await;
    stage.app.call("DELETE", &format!("Users/{}", stage.alice), None).unwrap();
    let anew = stage.app.user("alice").unwrap();
    let again = stage.make(&given).await.unwrap_err();
    assert!(again.to_string().contains("gone from the application"), "{again}");
    stage.end_for_good(&given).await;
    assert!(!stage.is_admin(&anew) && !stage.is_admin(&stage.alice));
    // Nor does an account by which nobody gets in.
    stage.app.set_active(&anew, &json!(false)).unwrap();
    let met = stage.look(&stage.admins_role(), &stage.person("alice")).await.unwrap_err();
    assert!(met.to_string().contains("not active"), "{met}");
}

/// Others change the same group all the time: what was read is written over by nobody, and each gets their place.
#[tokio::test(flavor = "multi_thread")]
async fn who_changes_the_same_group_at_the_same_time_loses_nothing() {
    let stage = Stage::usual();
    let people: Vec<String> = (0..5).map(|n| format!("person{n}")).collect();
    let ids: Vec<String> = people.iter().map(|name| stage.app.user(name).unwrap()).collect();
    let role = stage.admins_role();
    let all = futures_of(&stage, &role, &people).await;
    for id in &ids {
        assert!(stage.is_admin(id));
    }
    let mut ended = Vec::new();
    for given in &all {
        ended.push(stage.end(given));
    }
    for end in ended {
        assert_eq!(end.await.unwrap(), EndOutcome::Done);
    }
    assert_eq!(stage.app.members(ADMINS).unwrap().len(), 1, "the keeper alone is left");
}

async fn futures_of(stage: &Stage, role: &wane_domain::catalogue::Role, people: &[String]) -> Vec<crate::stage::Given> {
    let [a, b, c, d, e] = people else { panic!("five people") };
    let (a, b, c, d, e) = tokio::join!(
        stage.give(role, a),
        stage.give(role, b),
        stage.give(role, c),
        stage.give(role, d),
        stage.give(role, e)
    );
    vec![a, b, c, d, e]
}

/// Who stands there beside what leases give is listed, page by page, and who came back after an end is found.
#[tokio::test(flavor = "multi_thread")]
async fn who_stands_there_is_listed_to_the_last() {
    let stage = Stage::usual();
    for n in 0..450 {
        stage.app.user(&format!("person{n}")).unwrap();
    }
    let given = stage.give(&stage.admins_role(), "alice").await;
    let listed = |leases: Vec<wane_domain::lease::LeaseData>| {
        let (effects, stage) = (stage.effects(), &stage);
        async move { effects.inventory_beside(&stage.target(), &leases).await.unwrap() }
    };
    let data = wane_domain::lease::LeaseData::clone(&given.lease);
    let found = listed(vec![data.clone()]).await;
    let of = |right: &str| found.standing.iter().filter(|one| one.right == right).count();
    // Alice, the keeper and all the others have accounts; the keeper alone is in the groups beside the lease.
    assert_eq!((of("an account"), of("member of Admins"), of("member of Operators")), (452, 1, 1));
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let found = listed(Vec::new()).await;
    assert_eq!(found.standing.iter().filter(|one| one.right == "member of Admins").count(), 2);
}

/// It has grown beyond what is read: who was put into it is taken out, and owed until that is seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_read_is_left_all_the_same() {
    let (between, stage) = Between::at(Stage::usual()).await;
    let given = stage.ending(stage.give(&stage.admins_role(), "alice").await);
    let (group, before) = (format!("/Groups/{}", stage.admins), stage.app.members(ADMINS).unwrap().len());
    let long = json!({ "id": stage.admins, "x": "x".repeat(5 * 1024 * 1024) }).to_string();
    between.answers(move |asked| asked.is("GET", &group).then(|| (200, long.clone())));
    let ended = stage.end(&given).await.unwrap();
    assert!(matches!(&ended, EndOutcome::Retry { why } if why.contains("unseen")), "{ended:?}");
    assert!(!stage.is_admin(&stage.alice));
    assert_eq!(stage.app.members(ADMINS).unwrap().len(), before - 1);
    between.answers(|_| None);
    stage.end_for_good(&given).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_a_group_all_the_time_keeps_nobody_in_it() {
    let (between, stage) = Between::at(Stage::usual()).await;
    let given = stage.ending(stage.give(&stage.admins_role(), "alice").await);
    between.answers(|asked| asked.only_if.then(|| (412, "{}".to_owned())));
    stage.end_for_good(&given).await;
    assert!(between.heard().iter().any(|asked| asked.is("PATCH", "/Groups") && asked.only_if));
    assert_eq!(stage.app.members(ADMINS).unwrap().len(), 1, "the keeper alone is left");
}

/// Whoever took them out meant it.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_taken_out_past_wane_is_not_put_back_by_asking_again() {
    let stage = Stage::usual();
    let given = stage.give(&stage.admins_role(), "alice").await;
    stage.make(&given).await.unwrap();
    stage.app.remove(&stage.admins, &stage.alice).unwrap();
    let again = stage.make(&given).await.unwrap_err();
    assert!(again.to_string().contains("out of `Admins` since"), "{again}");
    assert!(!stage.is_admin(&stage.alice));
}

/// A large group with many places in it would otherwise be read for each.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_read_once_for_all_of_its_places() {
    let (between, stage) = Between::at(Stage::usual()).await;
    let mut given = Vec::new();
    for name in ["alice", "bob", "carol", "dora"] {
        if name != "alice" {
            stage.app.user(name).unwrap();
        }
        given.push(stage.give(&stage.admins_role(), name).await);
    }
    stage.end_for_good(&given[2]).await;
    between.heard();
    let leases: Vec<&wane_domain::lease::LeaseData> = given.iter().map(|one| &*one.lease).collect();
    let seen = stage.effects().read_back_together(&stage.target(), &leases).await.unwrap();
    let there: Vec<bool> = seen.iter().map(|seen| matches!(seen, Presence::Present { .. })).collect();
    assert_eq!(there, [true, true, false, true]);
    let group = format!("/Groups/{}", stage.admins);
    assert_eq!(between.heard().iter().filter(|asked| asked.is("GET", &group)).count(), 1);
}
