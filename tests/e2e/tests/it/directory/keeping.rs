//! A directory touches what it keeps, and nothing else.

use serde_json::{Value, json};
use wane_testkit::WaneServer;

use super::corp::{Corp, ENTERPRISE, deployed, group, user};
use crate::people::{Deployment, items, refused, text};

/// BUG-10: names that look like somebody's are nobody's, and no two forms are one person.
#[test]
fn a_directory_touches_what_it_keeps_and_nothing_else() {
    let (wane, corp) = deployed(&[]);
    let other = Corp::added(&wane.ada, "other", &[]);
    let people = || items(&wane.ada.json(&["person", "list", "--all"]).unwrap()).len();
    let before = people();
    for (name, status, word) in [
        ("maya", 409, "uniqueness"),
        ("ada", 409, "uniqueness"),
        ("Maya", 400, "invalidValue"),
        ("maya ", 400, "invalidValue"),
        (" maya", 400, "invalidValue"),
        ("m\u{430}ya", 400, "invalidValue"),
        ("may\u{e4}", 400, "invalidValue"),
        ("maya\u{200b}", 400, "invalidValue"),
        ("\u{ff4d}aya", 400, "invalidValue"),
        ("maya@example.org", 400, "invalidValue"),
        ("ma/ya", 400, "invalidValue"),
        ("", 400, "invalidValue"),
    ] {
        let mail = json!({ "emails": [{ "value": "maya@example.org", "primary": true }], "displayName": "maya" });
        let answer = corp.does("POST", "/Users", &user(name, &mail), status);
        assert_eq!(answer.body["scimType"], word, "{name:?}: {answer:?}");
    }
    assert_eq!(people(), before, "nobody was entered");
    let maya = wane.ada.json(&["person", "show", "maya"]).unwrap();
    assert!(maya.get("kept_by").is_none_or(Value::is_null), "{maya}");

    // What is not its it cannot even see: people entered by hand, and another directory's.
    let ids: Vec<String> = {
        let log = wane.ada.json(&["log", "--event", "person.entered", "--all"]).unwrap();
        items(&log).iter().map(|record| text(&record["detail"]["person"]["id"])).collect()
    };
    let theirs = other.person("nia", &json!({ "externalId": "same" }));
    let their_group = other.group("staff", &[&theirs]);
    for id in ids.iter().chain([&theirs]) {
        let path = format!("Users/{id}");
        corp.does("GET", &path, &Value::Null, 404);
        corp.does("PUT", &path, &user("maya", &json!({ "active": false })), 404);
        corp.does("DELETE", &path, &Value::Null, 404);
        assert_eq!(corp.patch(&path, json!([{ "op": "replace", "path": "active", "value": false }])).status, 404);
        let answer = corp.does("POST", "/Groups", &group("crew", &[id]), 400);
        assert_eq!(answer.body["scimType"], "invalidValue");
        let managed = user("lee", &json!({ ENTERPRISE: { "manager": { "value": id } } }));
        corp.does("POST", "/Users", &managed, 400);
    }
    corp.does("DELETE", &format!("/Groups/{their_group}"), &Value::Null, 404);
    assert_eq!(corp.does("GET", "/Users", &Value::Null, 200).body["totalResults"], 0);
    assert_eq!(corp.does("GET", "/Users?filter=externalId eq \"same\"", &Value::Null, 200).body["totalResults"], 0);
    corp.does("POST", "/Users", &user("nia", &json!({})), 409);
    let mine = corp.person("lee", &json!({ "externalId": "same" }));

    // No group becomes one that was here, whatever it is called or mapped to.
    corp.group("admins", &[&mine]);
    let lee = wane.ada.json(&["person", "show", "lee"]).unwrap();
    assert_eq!(lee["groups"], json!(["corp.admins"]), "an administrator is who is in `admins`");
    refused(&wane.ada, &["directory", "change", "corp", "--group", "Everybody=admins"], 5);
    refused(&wane.ada, &["directory", "change", "corp", "--group", "Everybody=other.staff"], 5);
    for bad in ["Domain Admins", "../admins", "admins\u{200b}", &"x".repeat(70)] {
        corp.does("POST", "/Groups", &group(bad, &[]), 400);
    }
    corp.does("POST", "/Groups", &group("admins", &[]), 409);

    // What was mapped on purpose is so.
    wane.ada.json(&["directory", "change", "corp", "--group", "Domain Admins=domain-admins"]).unwrap();
    corp.group("Domain Admins", &[&mine]);
    assert_eq!(wane.ada.json(&["group", "show", "domain-admins"]).unwrap()["members"], json!(["lee"]));

    // And nobody else changes what it keeps.
    for words in [
        &["group", "join", "corp.admins", "maya"][..],
        &["group", "leave", "corp.admins", "lee"],
        &["person", "change", "lee", "--display", "x"],
        &["person", "change", "lee", "--manager", "ada"],
    ] {
        let said = refused(&wane.ada, words, 5);
        assert!(said.contains("corp"), "{said}");
    }
}

#[test]
fn a_retried_push_makes_nobody_twice_and_managers_make_no_ring() {
    let (wane, corp) = deployed(&[]);
    let body = user("nia", &json!({ "externalId": "n1" }));
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| corp.call("POST", "/Users", &body).status)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [201, 409].contains(status)), "{answers:?}");
    corp.does("POST", "/Users", &user("other", &json!({ "externalId": "n1" })), 409);
    let nia = text(&corp.does("GET", "/Users", &Value::Null, 200).body["Resources"][0]["id"]);

    let manages = |id: &str, manager: &str| {
        corp.patch(
            &format!("Users/{id}"),
            json!([{ "op": "add", "path": format!("{ENTERPRISE}:manager"), "value": manager }]),
        )
        .status
    };
    let (lee, mo) = (corp.person("lee", &json!({})), corp.person("mo", &json!({})));
    assert_eq!(manages(&nia, &nia), 400, "nobody manages themselves");
    assert_eq!((manages(&nia, &lee), manages(&lee, &mo), manages(&mo, &nia)), (200, 200, 400), "nor through others");
    assert_eq!(wane.ada.json(&["person", "show", "lee"]).unwrap()["manager"], "mo");
    let group = corp.group("staff", &[&nia]);
    corp.does("POST", "/Groups", &self::group("staff", &[]), 409);
    assert_eq!(
        corp.does("GET", &format!("/Groups/{group}"), &Value::Null, 200).body["members"][0]["value"],
        json!(nia)
    );
}

#[test]
fn who_is_disabled_by_hand_stays_so_whatever_the_directory_says() {
    let (wane, corp) = deployed(&[]);
    let nia = corp.person("nia", &json!({}));
    wane.ada.json(&["person", "disable", "nia"]).unwrap();
    let standing = || text(&wane.ada.json(&["person", "show", "nia"]).unwrap()["standing"]);
    corp.does("PUT", &format!("Users/{nia}"), &user("nia", &json!({ "active": true, "title": "x" })), 200);
    corp.disables(&nia);
    corp.patch(&format!("Users/{nia}"), json!([{ "op": "replace", "path": "active", "value": true }]));
    assert_eq!(standing(), "disabled");
    wane.ada.json(&["person", "enable", "nia"]).unwrap();
    assert_eq!(standing(), "active");
    // And who is disabled there is not enabled by hand.
    corp.disables(&nia);
    refused(&wane.ada, &["person", "enable", "nia"], 5);
    assert_eq!(standing(), "disabled");
}

/// What a directory pushes signs in at the provider that it was said to, as the subject that it was said to be.
#[test]
fn a_pushed_person_is_somebody_at_a_provider() {
    let server = WaneServer::builder().prepare().unwrap();
    let file = "[[login.oidc]]\nname = \"idp\"\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"wane\"\n";
    server.configure(file).unwrap();
    let wane = Deployment::on(server);
    let corp = Corp::added(&wane.ada, "corp", &["--sign-in", "idp", "--subject", "externalId"]);
    let ways = |name: &str| wane.ada.json(&["person", "identity", "list", name]).unwrap()["items"].clone();
    let nia = corp.person("nia", &json!({ "externalId": "00u1" }));
    assert_eq!((&ways("nia")[0]["provider"], &ways("nia")[0]["subject"]), (&json!("idp"), &json!("00u1")));
    let moved =
        corp.patch(&format!("Users/{nia}"), json!([{ "op": "replace", "path": "externalId", "value": "00u2" }]));
    assert_eq!(
        (moved.status, &ways("nia")[0]["subject"], ways("nia").as_array().unwrap().len()),
        (200, &json!("00u2"), 1)
    );
    // An identity is one person's.
    wane.ada.json(&["person", "identity", "add", "maya", "--provider", "idp", "--subject", "taken"]).unwrap();
    let answer = corp.does("POST", "/Users", &user("lee", &json!({ "externalId": "taken" })), 409);
    assert_eq!(answer.body["scimType"], "uniqueness");
    assert_eq!(ways("maya").as_array().unwrap().len(), 1);
    corp.does("DELETE", &format!("Users/{nia}"), &Value::Null, 204);
    assert_eq!(ways("nia"), json!([]), "who is gone is nobody there, and the identity is free");
    corp.person("nia2", &json!({ "externalId": "00u2" }));
    refused(&wane.ada, &["directory", "add", "more", "--sign-in", "nowhere", "--subject", "externalId"], 4);
}
