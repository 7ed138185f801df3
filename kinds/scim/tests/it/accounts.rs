//! Accounts: made, woken, put to sleep, deleted, and what was there before.

use serde_json::json;
use wane_connector::{ConnectError, EndOutcome, Presence};
use wane_domain::time::Span;

use crate::between::Between;
use crate::stage::{Given, Stage};

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
    // Made by an earlier grant, and asleep since: so is that.
    let dora = stage.person("dora");
    let earlier = stage.try_give(&stage.role(&json!({ "account": "deactivated" })), &dora).await.unwrap();
    stage.end_for_good(&earlier).await;
    let given = stage.try_give(&role, &dora).await.unwrap();
    stage.end_for_good(&given).await;
    assert_eq!(stage.app.find_user("dora").unwrap().unwrap()["active"], false);
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
    let given = stage.ending(given);
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

/// Between the look and the making: what then has the name is none of Wane's, and stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_makes_meanwhile_is_theirs() {
    let stage = Stage::usual();
    let role = stage.role(&json!({ "account": "deleted" }));
    let schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"];
    for (name, more) in [
        ("bob", json!({})),
        ("carol", json!({ "displayName": "Carol" })),
        ("dan", json!({ "displayName": "Somebody", "externalId": "their own" })),
    ] {
        let intended = stage.intend(&role, &stage.person(name)).await.unwrap();
        let mut theirs = json!({ "schemas": schemas, "userName": name, "active": true });
        theirs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        stage.app.call("POST", "Users", Some(&theirs)).unwrap();
        let met = stage.make(&intended).await.unwrap_err();
        assert!(met.to_string().contains("somebody else has made"), "{name}: {met}");
        let ending = stage.ending(intended);
        let seen = stage.presence(&ending).await;
        assert!(matches!(&seen, Presence::Absent { proof } if proof.contains("somebody else's")), "{name}: {seen:?}");
        stage.end_for_good(&ending).await;
        assert!(stage.app.is_active(name).unwrap(), "{name}: somebody else's account was ended");
    }
}

/// An application that keeps no `externalId` has no account deleted.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_its_mark_is_put_to_sleep_and_not_deleted() {
    let stage = Stage::usual();
    let role = stage.role(&json!({ "account": "deleted" }));
    let known = stage.give(&role, "bob").await;
    // As after a crash: it is known by its name alone.
    let lost = stage.intend(&role, &stage.person("carol")).await.unwrap();
    stage.make(&lost).await.unwrap();
    for (name, given) in [("bob", known), ("carol", lost)] {
        let id = stage.app.find_user(name).unwrap().unwrap()["id"].as_str().unwrap().to_owned();
        let without = json!({ "op": "remove", "path": "externalId" });
        stage.app.change(&format!("Users/{id}"), &without).unwrap();
        stage.end_for_good(&stage.ending(given)).await;
        let left = stage.app.find_user(name).unwrap();
        assert_eq!(left.map(|left| left["active"].clone()), Some(json!(false)), "{name}");
    }
}

/// Whoever put it to sleep meant it: the grant is over, and its holder does not undo it.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_put_to_sleep_past_wane_is_taken_and_not_woken_again() {
    let stage = Stage::usual();
    let carol = stage.app.user("carol").unwrap();
    stage.app.set_active(&carol, &json!(false)).unwrap();
    for (account, name) in [("deleted", "bob"), ("deactivated", "dora"), ("deleted", "carol")] {
        let given = stage.give(&stage.role(&json!({ "account": account })), name).await;
        let id = stage.app.find_user(name).unwrap().unwrap()["id"].as_str().unwrap().to_owned();
        stage.app.set_active(&id, &json!(false)).unwrap();
        let seen = stage.presence(&given).await;
        assert!(matches!(seen, Presence::Absent { .. }), "{name}: {seen:?}");
        let again = stage.make(&given).await.unwrap_err();
        assert!(again.to_string().contains("to sleep since"), "{name}: {again}");
        assert!(!stage.app.is_active(name).unwrap(), "{name}");
        stage.end_for_good(&stage.ending(given)).await;
    }
}

/// An application that takes longer than Wane waits does it after Wane has looked.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_may_come_late_and_is_ended_still() {
    let (between, stage) = Between::at(Stage::usual()).await;
    between.answers(|asked| (asked.is("POST", "/Users") || asked.is("PATCH", "/Groups")).then(|| (503, String::new())));
    let unanswered = async |role, name| {
        let intended = stage.intend(role, &stage.person(name)).await.unwrap();
        let met = stage.make(&intended).await.unwrap_err();
        assert!(matches!(met, ConnectError::Unreachable { .. }), "{met}");
        stage.ending(intended)
    };
    let (account, place) = (stage.role(&json!({ "account": "deleted" })), stage.admins_role());
    let (late, never) = (unanswered(&account, "bob").await, unanswered(&account, "carol").await);
    let late_place = unanswered(&place, "alice").await;
    for given in [&late, &never, &late_place] {
        let ended = stage.end(given).await.unwrap();
        assert!(matches!(&ended, EndOutcome::Retry { why } if why.contains("may come")), "{ended:?}");
    }
    let mut body = late.lease.notes["account"]["body"].clone();
    body["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    stage.app.call("POST", "Users", Some(&body)).unwrap();
    stage.app.add(&stage.admins, &stage.alice).unwrap();
    between.answers(|_| None);
    stage.end_for_good(&late).await;
    stage.end_for_good(&late_place).await;
    assert_eq!(stage.app.find_user("bob").unwrap(), None);
    assert!(!stage.is_admin(&stage.alice));
    // What does not come is given up in the end.
    stage.clock.advance(Span::from_secs(29));
    assert!(matches!(stage.end(&never).await.unwrap(), EndOutcome::Retry { .. }));
    stage.clock.advance(Span::from_secs(1));
    stage.end_for_good(&never).await;
}

/// Somebody changes the account all the time: that keeps nobody awake, and deletes nothing that is not as it was read.
#[tokio::test(flavor = "multi_thread")]
async fn who_changes_an_account_all_the_time_keeps_nobody_awake() {
    let (between, stage) = Between::at(Stage::usual()).await;
    let given = stage.give(&stage.role(&json!({ "account": "deleted" })), "bob").await;
    between.answers(|asked| asked.only_if.then(|| (412, "{}".to_owned())));
    let ended = stage.end(&given).await.unwrap();
    assert!(matches!(ended, EndOutcome::Retry { .. }), "{ended:?}");
    assert!(between.heard().iter().any(|asked| asked.is("PATCH", "/Users") && asked.only_if));
    let left = stage.app.find_user("bob").unwrap().expect("it was deleted, and was not as it was read");
    assert_eq!(left["active"], false);
    between.answers(|_| None);
    stage.end_for_good(&given).await;
}

/// Who only saw the account that another grant made leaves it there.
#[tokio::test(flavor = "multi_thread")]
async fn of_grants_that_give_one_account_only_the_one_that_made_it_deletes_it() {
    let stage = Stage::usual();
    let (role, person) = (stage.role(&json!({ "account": "deleted" })), stage.person("bob"));
    let both = async || -> [Given; 2] {
        let first = stage.try_give(&role, &person).await.unwrap();
        let seen = stage.look(&role, &person).await.unwrap();
        assert!(seen.there.is_some());
        // The use-cases know that the first accounts for it.
        let second = stage.intended(&role, seen, None);
        stage.make(&second).await.unwrap();
        [first, second]
    };
    let [first, _] = both().await;
    stage.end_for_good(&first).await;
    assert_eq!(stage.app.find_user("bob").unwrap(), None);
    let [_, second] = both().await;
    stage.end_for_good(&second).await;
    assert_eq!(stage.app.find_user("bob").unwrap().unwrap()["active"], false);
}
