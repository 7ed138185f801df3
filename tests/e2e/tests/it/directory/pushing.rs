//! People and groups come, change and go as a directory pushes them; what rested on it ends.

use serde_json::{Value, json};

use super::corp::{Corp, ENTERPRISE, arrives, deployed, group, policy, user};
use crate::people::{granted, items, refused};

fn person(wane: &crate::people::Deployment, name: &str) -> Value {
    wane.ada.json(&["person", "show", name]).unwrap()
}

#[test]
fn what_is_pushed_is_so_here_and_can_be_read_back() {
    let (wane, corp) = deployed(&[
        "--attribute",
        &format!("department={ENTERPRISE}:department"),
        "--attribute",
        "mail=emails[type eq \"work\"].value",
        "--group",
        "Data Base Admins=base-admins",
    ]);
    let boss = corp.person("boss", &json!({ "displayName": "The Boss", "externalId": "b0" }));
    let made = corp.does(
        "POST",
        "/Users",
        &user(
            "nia",
            &json!({
                "externalId": "n1", "name": { "givenName": "Nia", "familyName": "N" },
                "emails": [{ "type": "work", "value": "nia@example.org" }],
                ENTERPRISE: { "department": "db", "employeeNumber": "7", "manager": { "value": boss } },
            }),
        ),
        201,
    );
    let nia = made.id();
    assert_eq!(made.header("etag").as_deref(), Some("W/\"1\""));
    assert!(made.header("location").unwrap().ends_with(&format!("/scim/v2/Users/{nia}")));
    let shown = person(&wane, "nia");
    assert_eq!(
        (&shown["display"], &shown["manager"], &shown["attributes"], &shown["standing"], &shown["kept_by"]),
        (
            &json!("Nia N"),
            &json!("boss"),
            &json!({ "department": "db", "mail": "nia@example.org" }),
            &json!("active"),
            &json!("directory.corp")
        )
    );

    // Groups: by the directory's name and their own, or as they are mapped.
    let staff = corp.group("staff", &[&nia, &boss]);
    let admins = corp.group("Data Base Admins", &[&nia]);
    assert_eq!(person(&wane, "nia")["groups"], json!(["base-admins", "corp.staff"]));
    let read = corp.does("GET", &format!("Users/{nia}"), &Value::Null, 200);
    let groups: Vec<&Value> = read.body["groups"].as_array().unwrap().iter().map(|group| &group["value"]).collect();
    assert!(groups.contains(&&json!(staff)) && groups.contains(&&json!(admins)), "{read:?}");
    assert_eq!(read.body[ENTERPRISE]["manager"]["value"], json!(boss));

    // Renamed, it is the same group under another name.
    let renamed =
        corp.patch(&format!("/Groups/{staff}"), json!([{ "op": "replace", "path": "displayName", "value": "crew" }]));
    assert_eq!(renamed.status, 204, "{renamed:?}");
    assert_eq!(person(&wane, "boss")["groups"], json!(["corp.crew"]));

    // Lists, filters, pages.
    for (path, total, here) in [
        ("/Users", 2, 2),
        ("/Users?startIndex=2&count=1", 2, 1),
        ("/Users?count=0", 2, 0),
        ("/Users?filter=userName eq \"NIA\"", 1, 1),
        ("/Users?filter=externalId eq \"n1\"", 1, 1),
        ("/Users?filter=externalId eq \"N1\"", 0, 0),
        (&*format!("/Users?filter={ENTERPRISE}:department eq \"db\" and active eq true"), 1, 1),
        (&*format!("/Users?filter=groups[value eq \"{admins}\"]"), 1, 1),
        (&*format!("/Groups?filter=members[value eq \"{boss}\"]&excludedAttributes=members"), 1, 1),
        ("/Groups?filter=displayName eq \"crew\"", 1, 1),
    ] {
        let list = corp.does("GET", path, &Value::Null, 200).body;
        let found = list["Resources"].as_array().unwrap();
        assert_eq!((list["totalResults"].as_u64(), found.len()), (Some(total), here), "{path}: {list}");
        assert!(!path.contains("excluded") || found[0].get("members").is_none(), "{list}");
    }
    let bad = corp.does("GET", "/Users?filter=userName is \"x\"", &Value::Null, 400);
    assert_eq!(
        (&bad.body["scimType"], bad.header("content-type").as_deref()),
        (&json!("invalidFilter"), Some("application/scim+json"))
    );

    // Versions.
    let version = read.header("etag").unwrap();
    let path = format!("Users/{nia}");
    assert_eq!(corp.call_with("GET", &path, &format!("If-None-Match: {version}\r\n"), "").status, 304);
    let title = |title: &str| {
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{ "op": "add", "path": "title", "value": title }] }).to_string()
    };
    let first = corp.call_with("PATCH", &path, &format!("If-Match: {version}\r\n"), &title("one"));
    assert_eq!(first.status, 200, "{first:?}");
    let late = corp.call_with("PATCH", &path, &format!("If-Match: {version}\r\n"), &title("two"));
    assert_eq!((late.status, &late.body["status"]), (412, &json!("412")), "{late:?}");
    let same = corp.call_with("PATCH", &path, "", &title("one"));
    assert_eq!(same.header("etag"), first.header("etag"), "what changes nothing is no change");

    // The record names the directory.
    let log = wane.ada.json(&["log", "--event", "person.entered", "--all"]).unwrap();
    assert!(
        items(&log).iter().any(|r| r["who"] == "directory:corp" && r["detail"]["person"]["name"] == "nia"),
        "{log}"
    );
}

#[test]
fn what_rested_on_it_ends_when_the_directory_takes_it_away() {
    let (wane, corp) =
        deployed(&["--attribute", "department=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"]);
    wane.paper_host("web", "gate=closed");
    wane.deploy_role();
    wane.load(&policy("corp.staff"));
    let people: Vec<(String, String)> = ["nia", "omar", "lee", "pat"]
        .map(|name| (name.to_owned(), corp.person(name, &json!({ ENTERPRISE: { "department": "db" } }))))
        .into();
    let ids: Vec<&str> = people.iter().map(|(_, id)| id.as_str()).collect();
    let staff = corp.group("staff", &ids);
    let grants: Vec<_> = people
        .iter()
        .map(|(name, _)| {
            let one = arrives(&wane.server, &wane.ada, name);
            let grant = granted(&one, "deploy@web", "30m");
            (one, grant)
        })
        .collect();

    // Out of the group, as Okta says it.
    let out = corp.patch(
        &format!("/Groups/{staff}"),
        json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[0]) }]),
    );
    assert_eq!(out.status, 204, "{out:?}");
    wane.wait_closed(&grants[0].1);
    assert!(grants[0].0.run(&["me"]).unwrap().success(), "out of a group is not out of the house");

    // Not active any more, as Entra ID says it: signed out at once, and everything ends.
    corp.disables(ids[1]);
    assert!(!grants[1].0.run(&["me"]).unwrap().success());
    let ended = wane.wait_closed(&grants[1].1);
    assert!(ended.to_string().contains("disabled"), "{ended}");
    // And may be again.
    let on = corp.patch(&format!("Users/{}", ids[1]), json!([{ "op": "replace", "value": { "active": true } }]));
    assert_eq!((on.status, &person(&wane, "omar")["standing"]), (200, &json!("active")));

    // An attribute that policy asks for.
    wane.load(&format!(
        "{}\n@id(\"db\") @max_ttl(\"1h\") permit (principal in Group::\"corp.staff\", action == Action::\"access\", resource) when {{ principal.hasTag(\"department\") && principal.getTag(\"department\") == \"db\" }};",
        crate::people::POLICY
    ));
    let moved = corp
        .patch(&format!("Users/{}", ids[2]), json!([{ "op": "remove", "path": format!("{ENTERPRISE}:department") }]));
    assert_eq!(moved.status, 200, "{moved:?}");
    wane.wait_closed(&grants[2].1);

    // Deleted: gone there, disabled here, and the name is nobody's ever after.
    corp.does("DELETE", &format!("Users/{}", ids[3]), &Value::Null, 204);
    wane.wait_closed(&grants[3].1);
    corp.does("GET", &format!("Users/{}", ids[3]), &Value::Null, 404);
    corp.does("DELETE", &format!("Users/{}", ids[3]), &Value::Null, 404);
    let pat = person(&wane, "pat");
    assert_eq!((&pat["standing"], &pat["groups"]), (&json!("disabled"), &json!([])));
    let again = corp.does("POST", "/Users", &user("pat", &json!({})), 409);
    assert_eq!(again.body["scimType"], "uniqueness", "{again:?}");
    corp.person("pat2", &json!({}));
    assert_eq!(
        corp.does("PUT", &format!("/Groups/{staff}"), &group("staff", &[ids[3]]), 400).body["scimType"],
        "invalidValue"
    );

    // A group that is deleted has nobody in it; made again, it is the directory's as before.
    corp.does("DELETE", &format!("/Groups/{staff}"), &Value::Null, 204);
    assert_eq!(wane.ada.json(&["group", "show", "corp.staff"]).unwrap()["members"], json!([]));
    corp.does("GET", &format!("/Groups/{staff}"), &Value::Null, 404);
    corp.group("staff", &[ids[0]]);
    assert_eq!(person(&wane, "nia")["groups"], json!(["corp.staff"]));
}

#[test]
fn an_end_is_done_though_the_rest_is_refused() {
    let (wane, corp) = deployed(&[]);
    for (name, operations) in [
        (
            "nia",
            json!([{ "op": "replace", "path": "active", "value": false }, { "op": "replace", "path": "userName", "value": "other" }]),
        ),
        (
            "omar",
            json!([{ "op": "replace", "path": "shoeSize", "value": 9 }, { "op": "replace", "path": "active", "value": "False" }]),
        ),
    ] {
        let id = corp.person(name, &json!({}));
        let answer = corp.patch(&format!("Users/{id}"), operations);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(person(&wane, name)["standing"], "disabled", "{name}");
        assert_eq!(corp.does("GET", &format!("Users/{id}"), &Value::Null, 200).body["active"], json!(false));
    }
    let id = corp.person("lee", &json!({ "title": "x" }));
    let put = user("lee", &json!({ "active": false, ENTERPRISE: { "manager": { "value": "per_nobody" } } }));
    corp.does("PUT", &format!("Users/{id}"), &put, 400);
    let lee = corp.does("GET", &format!("Users/{id}"), &Value::Null, 200);
    assert_eq!((&person(&wane, "lee")["standing"], &lee.body["title"]), (&json!("disabled"), &json!("x")));
    // What has no end in it is refused whole.
    let kept = corp.person("mo", &json!({}));
    let answer = corp.patch(
        &format!("Users/{kept}"),
        json!([{ "op": "add", "path": "title", "value": "t" }, { "op": "replace", "path": "userName", "value": "z" }]),
    );
    assert_eq!((answer.status, &answer.body["scimType"]), (400, &json!("mutability")));
    assert!(corp.does("GET", &format!("Users/{kept}"), &Value::Null, 200).body.get("title").is_none());
}

#[test]
fn many_in_one_call_refer_to_one_another() {
    let (wane, corp) = deployed(&[]);
    let bulk = |stop: Value, operations: Value| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "failOnErrors": stop, "Operations": operations });
    let said = |answer: &Value| -> Vec<String> {
        answer["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect()
    };
    let answer = corp.does(
        "POST",
        "/Bulk",
        &bulk(Value::Null, json!([
            { "method": "POST", "path": "/Groups", "bulkId": "g", "data": group("staff", &["bulkId:p", "bulkId:q"]) },
            { "method": "POST", "path": "/Users", "bulkId": "p", "data": user("nia", &json!({})) },
            { "method": "POST", "path": "/Users", "bulkId": "q", "data": user("omar", &json!({ ENTERPRISE: { "manager": { "value": "bulkId:p" } } })) },
            { "method": "POST", "path": "/Users", "bulkId": "bad", "data": user("No Name", &json!({})) },
            { "method": "PATCH", "path": "Users/bulkId:never", "data": {} },
        ])),
        200,
    );
    assert_eq!(said(&answer.body), ["201", "201", "201", "400", "400"], "{answer:?}");
    let group = wane.ada.json(&["group", "show", "corp.staff"]).unwrap();
    assert_eq!((&group["members"], &person(&wane, "omar")["manager"]), (&json!(["nia", "omar"]), &json!("nia")));
    let answer = corp.does(
        "POST",
        "/Bulk",
        &bulk(
            json!(1),
            json!([
                { "method": "POST", "path": "/Users", "bulkId": "a", "data": user("nia", &json!({})) },
                { "method": "POST", "path": "/Users", "bulkId": "b", "data": user("lee", &json!({})) },
            ]),
        ),
        200,
    );
    assert_eq!(said(&answer.body), ["409"], "after one error no more is done: {answer:?}");
    assert!(!wane.ada.run(&["person", "show", "lee"]).unwrap().success());
    let many: Vec<Value> = vec![json!({ "method": "DELETE", "path": "Users/x" }); 1001];
    corp.does("POST", "/Bulk", &bulk(Value::Null, json!(many)), 413);
}

#[test]
fn a_token_is_shown_once_rotated_and_taken_away() {
    let (wane, corp) = deployed(&[]);
    let shown = wane.ada.json(&["directory", "show", "corp"]).unwrap().to_string();
    assert!(
        !shown.contains(&corp.token)
            && !wane.ada.json(&["directory", "list"]).unwrap().to_string().contains(&corp.token)
    );
    let database = std::fs::read(wane.server.data().join("wane.db")).unwrap();
    assert!(!database.windows(corp.token.len()).any(|part| part == corp.token.as_bytes()), "only a verifier is kept");
    assert!(!wane.server.log().contains(&corp.token));
    let with = |token: &Value| Corp { token: token.as_str().unwrap().to_owned(), ..corp.clone() };
    let second = with(&wane.ada.json(&["directory", "rotate", "corp"]).unwrap()["token"]);
    for one in [&corp, &second] {
        one.does("GET", "/Users", &Value::Null, 200);
    }
    let third = with(&wane.ada.json(&["directory", "rotate", "corp", "--overlap", "0s"]).unwrap()["token"]);
    for one in [&corp, &second] {
        let out = one.does("GET", "/Users", &Value::Null, 401);
        assert_eq!(out.header("www-authenticate").as_deref(), Some("Bearer"));
    }
    third.does("POST", "/Users", &user("nia", &json!({})), 201);

    // A token of another kind is none, and this one opens nothing else.
    let ada = Corp { token: wane.ada.token().unwrap(), ..corp.clone() };
    ada.does("GET", "/Users", &Value::Null, 401);
    let elsewhere = Corp { url: wane.server.url(), ..third.clone() };
    elsewhere.does("GET", "/v1/people", &Value::Null, 401);

    // Only those who may manage the directory may do any of this.
    for words in [
        &["directory", "add", "x"][..],
        &["directory", "list"],
        &["directory", "rotate", "corp"],
        &["directory", "remove", "corp"],
    ] {
        assert!(!wane.maya.run(words).unwrap().success(), "{words:?}");
    }
    refused(&wane.ada, &["directory", "add", "corp"], 5);

    // Removed, it says no more; what it made stays if it is to, and is anybody's to change. Back, it keeps it again.
    let removed = wane.ada.json(&["directory", "remove", "corp", "--keep-people"]).unwrap();
    assert_eq!((&removed["people"], &removed["disabled"]), (&json!(1), &json!(0)));
    third.does("GET", "/Users", &Value::Null, 401);
    wane.ada.json(&["person", "change", "nia", "--display", "by hand"]).unwrap();
    let back = Corp::added(&wane.ada, "corp", &[]);
    third.does("GET", "/Users", &Value::Null, 401);
    assert_eq!(back.does("GET", "/Users", &Value::Null, 200).body["totalResults"], 1);
    refused(&wane.ada, &["person", "change", "nia", "--display", "by hand"], 5);
    assert_eq!(wane.ada.json(&["directory", "show", "corp"]).unwrap()["people"], 1);
}

/// BUG-14: who came with a directory does not stay without it.
#[test]
fn the_people_of_a_directory_that_is_removed_may_do_nothing() {
    let (wane, corp) = deployed(&[]);
    wane.paper_host("web-1", "gate=open");
    wane.deploy_role();
    let (nia, omar) = (corp.person("nia", &json!({})), corp.person("omar", &json!({})));
    corp.group("staff", &[&nia, &omar]);
    corp.disables(&omar);
    wane.load(&policy("corp.staff"));
    let nia = arrives(&wane.server, &wane.ada, "nia");
    let grant = granted(&nia, "deploy@web-1", "30m");
    // Somebody whom it keeps would shut themselves out.
    wane.ada.json(&["group", "join", "admins", "nia"]).unwrap();
    let own = nia.run(&["directory", "remove", "corp"]).unwrap();
    assert!(own.ended == wane_testkit::Ended::Code(5) && own.stderr.contains("keeps you as well"), "{own:?}");

    let removed = wane.ada.json(&["directory", "remove", "corp"]).unwrap();
    assert_eq!((&removed["people"], &removed["disabled"]), (&json!(2), &json!(1)));
    wane.wait_closed(&grant);
    for name in ["nia", "omar"] {
        assert_eq!(wane.ada.json(&["person", "show", name]).unwrap()["standing"], "disabled", "{name}");
    }
    assert_eq!(wane.ada.json(&["person", "show", "maya"]).unwrap()["standing"], "active");
    assert!(!nia.run(&["whoami"]).unwrap().success(), "she is signed in still");
    corp.does("GET", "/Users", &Value::Null, 401);
    let log = wane.ada.json(&["log", "--event", "directory.removed"]).unwrap();
    let detail = &items(&log)[0]["detail"];
    assert_eq!((&detail["people"], &detail["of"]), (&json!("disabled"), &json!(2)), "{log:#}");
    // They are the administrators' now, and the directory's again once it is back and says so.
    wane.ada.json(&["person", "enable", "nia"]).unwrap();
    let back = Corp::added(&wane.ada, "corp", &[]);
    let found = back.does("GET", "Users?filter=userName eq \"omar\"", &Value::Null, 200).body;
    let id = found["Resources"][0]["id"].as_str().unwrap();
    back.does("PUT", &format!("Users/{id}"), &user("omar", &json!({ "active": true })), 200);
    assert_eq!(wane.ada.json(&["person", "show", "omar"]).unwrap()["standing"], "active");
}
