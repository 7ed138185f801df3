//! Accounts: made, woken, put to sleep, deleted, and what was there before.

use serde_json::json;
use wane_connector::{EndOutcome, Presence};

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_with_what_is_known_of_its_person() {
    let stage = Stage::usual();
    let role = stage.role(&json!({ "account": "deactivated" }));
    let person = stage.person("bob");
    let given = stage.try_give(&role, &person).await.unwrap();
    let bob = stage.app.find_user("bob").unwrap().unwrap();
    assert_eq!(bob["externalId"], person.id.to_string());
    assert_eq!(bob["displayName"], "Somebody");
    assert_eq!(bob["emails"][0]["value"], "bob@example.org");
    assert_eq!(bob["active"], true);
    stage.end_for_good(&given).await;
    assert_eq!(stage.app.find_user("bob").unwrap().unwrap()["active"], false);
    // The next grant wakes the same account.
    let given = stage.try_give(&role, &person).await.unwrap();
    let again = stage.app.find_user("bob").unwrap().unwrap();
    assert_eq!((&again["id"], &again["active"]), (&bob["id"], &json!(true)));
    stage.end_for_good(&given).await;
    assert!(!stage.app.is_active("bob").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_never_deleted() {
    let stage = Stage::usual();
    let role = stage.role(&json!({ "account": "deleted" }));
    let given = stage.give(&role, "bob").await;
    assert!(stage.app.is_active("bob").unwrap());
    stage.end_for_good(&given).await;
    assert_eq!(stage.app.find_user("bob").unwrap(), None);
    // There before, and asleep: it is asleep after it again, and there.
    let carol = stage.app.user("carol").unwrap();
    stage.app.set_active(&carol, &json!(false)).unwrap();
    let given = stage.give(&role, "carol").await;
    assert!(stage.app.is_active("carol").unwrap());
    stage.end_for_good(&given).await;
    let left = stage.app.find_user("carol").unwrap().unwrap();
    assert_eq!((&left["id"], &left["active"]), (&json!(carol), &json!(false)));
    // There before, and active: it is seen, and what ends it is not this grant.
    let seen = stage.look(&role, &stage.person("alice")).await.unwrap();
    assert!(seen.there.is_some_and(|seen| seen.contains("alice")));
}

/// As after a crash between making it and writing down which it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_id_was_lost_is_found_by_its_name_and_ends() {
    let stage = Stage::usual();
    for (account, there) in [("deleted", false), ("deactivated", true)] {
        let role = stage.role(&json!({ "account": account }));
        let name = format!("dave-{account}");
        let intended = stage.intend(&role, &stage.person(&name)).await.unwrap();
        stage.make(&intended).await.unwrap();
        stage.make(&intended).await.unwrap();
        assert!(stage.app.is_active(&name).unwrap());
        stage.end_for_good(&intended).await;
        assert!(!stage.app.is_active(&name).unwrap());
        assert_eq!(stage.app.find_user(&name).unwrap().is_some(), there);
    }
}

/// Deleted past Wane and made anew, an account of the name is somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_made_anew_under_the_name_is_another() {
    let stage = Stage::usual();
    let role = stage.role(&json!({ "account": "deactivated" }));
    let given = stage.give(&role, "bob").await;
    let id = stage.app.find_user("bob").unwrap().unwrap()["id"].as_str().unwrap().to_owned();
    stage.app.call("DELETE", &format!("Users/{id}"), None).unwrap();
    assert!(matches!(stage.presence(&given).await, Presence::Absent { .. }));
    stage.app.user("bob").unwrap();
    stage.end_for_good(&given).await;
    assert!(stage.app.is_active("bob").unwrap(), "somebody else's account was ended");
    let again = stage.make(&given).await.unwrap_err();
    assert!(again.to_string().contains("gone from the application"), "{again}");
}

/// Between the change that puts it to sleep and the one that deletes it, it is not gone.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_asleep_and_was_to_go_is_not_gone() {
    let stage = Stage::usual();
    let role = stage.role(&json!({ "account": "deleted" }));
    let given = stage.give(&role, "bob").await;
    let id = stage.app.find_user("bob").unwrap().unwrap()["id"].as_str().unwrap().to_owned();
    stage.app.set_active(&id, &json!(false)).unwrap();
    let seen = stage.presence(&given).await;
    assert!(matches!(&seen, Presence::Present { seen } if seen.contains("there still")), "{seen:?}");
    assert_eq!(stage.end(&given).await.unwrap(), EndOutcome::Done);
    assert!(matches!(stage.presence(&given).await, Presence::Absent { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_account_is_given_where_the_settings_do_not_say_so() {
    let stage = Stage::usual();
    let resource = wane_domain::catalogue::Resource {
        settings: json!({ "url": stage.app.url(), "people": { "attribute": "userName", "is": "name" }, "groups": ["Admins"] }),
        ..stage.resource.clone()
    };
    let stage = Stage { resource, ..stage };
    let role = stage.role(&json!({ "account": "deleted" }));
    let met = stage.look(&role, &stage.person("bob")).await.unwrap_err();
    assert!(met.to_string().contains("accounts"), "{met}");
    let probes = stage.probe(&[role, stage.admins_role(), stage.role(&json!({ "group": "Operators" }))]).await.unwrap();
    assert!(probes[0].as_ref().unwrap().contains("accounts"), "{probes:?}");
    assert_eq!(probes[1], None);
    assert!(probes[2].as_ref().unwrap().contains("not among"), "{probes:?}");
}
