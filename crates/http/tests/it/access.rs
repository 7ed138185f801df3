//! The main job over the routes: asked, approved for less, handed out once, given back, told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use futures::StreamExt;
use serde_json::{Value, json};
use wane_api::directory::EditPerson;
use wane_api::lock::{NewLock, Revoke};
use wane_api::policy::CheckPolicy;
use wane_api::query::{Grants, Listing, Records, Requests, Under};
use wane_api::{Class, Edit, SecretText};
use wane_client::{Bearer, Client, Connect};

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn from_ask_to_story() {
    let house = House::built().await;
    let ada = Some(house.token.as_str());
    for (method, path, body) in [
        ("POST", "/v1/people", json!({ "name": "bo" })),
        ("POST", "/v1/groups", json!({ "name": "staff" })),
        ("PUT", "/v1/groups/staff/members/bo", Value::Null),
        (
            "POST",
            "/v1/resources",
            json!({ "name": "ledger", "kind": "paper", "owner": { "person": "ada" }, "settings": {} }),
        ),
        ("POST", "/v1/roles", json!({ "name": "read", "kind": "paper", "definition": {} })),
    ] {
        let said = house.call(method, path, ada, None, body).await;
        assert!(said.status.is_success(), "{method} {path}: {said:?}");
    }
    let code = house.call("POST", "/v1/people/bo/enrolment", ada, None, Value::Null).await.body["code"].clone();
    let bo = house.enrolled("bo", code.as_str().unwrap()).await;
    let bo = Some(bo.as_str());

    let askable = house.call("GET", "/v1/askable", bo, None, Value::Null).await.body;
    assert_eq!(
        (&askable["items"][0]["resource"], &askable["items"][0]["outcome"]),
        (&json!("ledger"), &json!("approval"))
    );
    let why = house.call("POST", "/v1/why", bo, None, json!({ "resource": "ledger" })).await.body;
    assert_eq!(
        (&why["role"], &why["outcome"], &why["who_could_approve"]),
        (&json!("read"), &json!("approval"), &json!(["ada"])),
        "{why}"
    );

    let ask = json!({ "items": [{ "resource": "ledger", "role": "read" }], "duration": "30m" });
    let asked = house.call("POST", "/v1/requests", bo, Some("ask"), ask).await;
    assert_eq!((asked.status, &asked.body["state"]), (StatusCode::CREATED, &json!("waiting")), "{asked:?}");
    assert_eq!(
        asked.body["items"][0]["stages"],
        json!([{ "needs": 1, "have": 0, "who_could": ["ada"], "text": "1 of group:admins" }])
    );
    let id = asked.body["id"].as_str().unwrap();

    let own = house.call("POST", &format!("/v1/requests/{id}/approve"), bo, None, json!({})).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "{own:?}");
    let mine = house.get("/v1/requests?waiting_for_me").await.body;
    assert_eq!((&mine["items"][0]["id"], mine["items"].as_array().unwrap().len()), (&asked.body["id"], 1));

    let narrower =
        house.call("POST", &format!("/v1/requests/{id}/approve"), ada, None, json!({ "duration": "10m" })).await;
    assert_eq!(narrower.status, StatusCode::OK, "{narrower:?}");
    assert_eq!(
        (&narrower.body["duration"], &narrower.body["parent"]["request"]),
        (&json!({ "text": "10m", "secs": 600 }), &asked.body["id"])
    );
    let wide = house.call("GET", &format!("/v1/requests/{id}"), bo, None, Value::Null).await.body;
    assert_eq!((&wide["items"][0]["state"], &wide["items"][0]["child"]), (&json!("narrowed"), &narrower.body["id"]));
    let grant = narrower.body["items"][0]["grant"].as_str().unwrap();

    let path = format!("/v1/grants/{grant}/credential");
    let first = house.call("POST", &path, bo, Some("c1"), json!({})).await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    assert!(first.body["secret"].as_str().unwrap().starts_with("canary-wane_"));
    let board = house.get("/v1/live").await.body;
    assert_eq!(
        (&board["items"][0]["person"], &board["items"][0]["leases"], &board["items"][0]["left_secs"]),
        (&json!("bo"), &json!(1), &json!(600))
    );

    // The answer was lost on its way: asking again under the same key ends what it handed out.
    let again = house.call("POST", &path, bo, Some("c1"), json!({})).await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("handed-out")));
    let shown = house.call("GET", &format!("/v1/grants/{grant}"), bo, None, Value::Null).await.body;
    assert_eq!((&shown["state"], &shown["leases"][0]["state"]), (&json!("active"), &json!("revoking")), "{shown}");
    assert_eq!(shown["leases"][0]["id"], first.body["lease"]);
    let debts = house.call("GET", "/v1/debts", bo, None, Value::Null).await.body;
    assert_eq!(
        (&debts["items"][0]["lease"], &debts["items"][0]["owner"]),
        (&first.body["lease"], &json!("person:ada"))
    );

    let given = house.call("POST", &format!("/v1/grants/{grant}/return"), bo, None, Value::Null).await;
    assert_eq!((given.status, &given.body["ending"]["cause"]), (StatusCode::OK, &json!("returned")), "{given:?}");
    let late = house.call("POST", &path, bo, Some("c2"), json!({})).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{late:?}");

    the_past_is_told(&house, id, grant).await;
    let story = house.get(&format!("/v1/grants/{grant}/story")).await.body;
    let texts: Vec<_> = story["lines"].as_array().unwrap().iter().map(|l| l["text"].as_str().unwrap()).collect();
    for (n, begins) in [
        (0, "bo asked for read on ledger for 30m; needs approval by policy `"),
        (1, "ada approved less than was asked: read on ledger for 10m"),
        (2, "ada settled the wider ask by that"),
        (3, "ada approved it"),
        (4, "granted by policy `"),
        (5, "bo activated it, until "),
        (6, "an account is to be made on ledger: wane_"),
        (texts.len() - 1, "it ends because bo gave it back"),
    ] {
        assert!(texts[n].starts_with(begins), "{n}: {texts:#?}");
    }
    assert!(texts.iter().all(|t| !t.contains("per_") && !t.contains("res_") && !t.contains("rol_")), "{texts:#?}");
    assert_eq!((&story["requests"][0]["id"], &story["decision"]["policy_version"]), (&json!(id), &json!(1)));
    let events: Vec<_> = story["lines"].as_array().unwrap().iter().map(|l| l["event"].as_str().unwrap()).collect();
    let order = [
        "request.opened",
        "request.item.approved",
        "grant.minted",
        "grant.activated",
        "lease.intended",
        "grant.ending",
    ];
    let places: Vec<_> = order.iter().map(|e| events.iter().position(|seen| seen == e)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{events:?}");
    for everything in [story, house.get("/v1/log?limit=1000").await.body] {
        assert!(!everything.to_string().contains("canary"), "a secret was written down");
    }
    the_typed_client_reads_all_of_it(&house, id, grant).await;
}

/// Versions of the policy set, and decisions explained as they were.
async fn the_past_is_told(house: &House, request: &str, grant: &str) {
    let ada = Some(house.token.as_str());
    let text = house.get("/v1/policy").await.body["text"].as_str().unwrap().to_owned();
    let loaded = house.call("POST", "/v1/policy", ada, None, json!({ "text": format!("{text}\n// again") })).await;
    assert_eq!((loaded.status, &loaded.body["version"]), (StatusCode::OK, &json!(2)), "{loaded:?}");
    let page = house.get("/v1/policy/versions?limit=1").await.body;
    assert_eq!((&page["items"][0]["version"], &page["items"][0]["in_force"]), (&json!(2), &json!(true)), "{page}");
    let rest = house.get(&format!("/v1/policy/versions?cursor={}", page["next"].as_str().unwrap())).await.body;
    assert_eq!(
        (&rest["items"][0]["version"], &rest["items"][0]["in_force"], &rest["next"]),
        (&json!(1), &json!(false), &Value::Null)
    );
    assert!(rest["items"][0].get("text").is_none(), "{rest}");
    assert_eq!(house.get("/v1/policy/versions/1").await.body["text"], json!(text));
    for none in ["/v1/policy/versions/3", "/v1/policy/versions/one"] {
        assert_eq!(house.get(none).await.status, StatusCode::NOT_FOUND, "{none}");
    }

    let why = house.get(&format!("/v1/grants/{grant}/why")).await.body;
    let told = |d: &Value| (d["what"].as_str().unwrap().to_owned(), d["policy_version"].as_u64().unwrap());
    let decisions: Vec<_> = why["recorded"]["decisions"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(decisions, [("granted".to_owned(), 1), ("activated".to_owned(), 1)], "{why}");
    assert_eq!((&why["recorded"]["approvals"][0]["by"], &why["policy_version"]), (&json!("ada"), &json!(2)));
    assert!(why.get("note").is_none(), "{why}");
    let then = house.get(&format!("/v1/grants/{grant}/why?version=1")).await.body;
    assert_eq!(then["policy_version"], 1);
    assert!(then["note"].as_str().unwrap().contains("not in force"), "{then}");
    let supposed = json!({ "resource": "ledger", "role": "read", "policy_version": 1 });
    assert_eq!(house.call("POST", "/v1/why", ada, None, supposed).await.body["policy_version"], 1);

    let why = house.get(&format!("/v1/requests/{request}/why")).await.body;
    let item = &why["items"][0];
    assert_eq!(item["recorded"]["state"], "narrowed", "{why}");
    assert_eq!(item["now"]["policy_version"], 2);

    let all = house.get("/v1/log?limit=1000").await.body.to_string();
    let less = house.get("/v1/log?limit=1000&without_bookkeeping").await.body.to_string();
    assert!(all.contains("answer.kept") && !less.contains("answer.kept") && less.contains("grant.activated"));
}

/// The same deployment over a socket, through the client that the command line uses.
#[expect(clippy::disallowed_methods, reason = "the server of one test")]
async fn the_typed_client_reads_all_of_it(house: &House, request: &str, grant: &str) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let stop = house.stop.clone();
    let serving =
        axum::serve(listener, house.router.clone()).with_graceful_shutdown(async move { stop.cancelled().await });
    let serving = tokio::spawn(async move { serving.await.unwrap() });

    let token = Some(Bearer::new(SecretText::new(house.token.clone())));
    let keys = AtomicU32::new(0);
    let keys = Arc::new(move || format!("typed-{}", keys.fetch_add(1, Ordering::Relaxed)));
    let client = Client::new(Connect { server: &server, token, ca_pem: None, keys }).unwrap();
    let all = Listing::default();
    assert_eq!(client.health().await.unwrap().status, "ok");
    assert_eq!(client.me().await.unwrap().person, "ada");
    assert_eq!(client.people(&all).await.unwrap().items.len(), 2);
    assert_eq!(client.person("bo").await.unwrap().groups, ["staff"]);
    assert_eq!(client.groups(&all).await.unwrap().items.len(), 2);
    assert_eq!(client.group("staff").await.unwrap().members, ["bo"]);
    assert_eq!(client.remove_member("staff", "bo").await.unwrap().members, [""; 0]);
    assert_eq!(client.add_member("staff", "bo").await.unwrap().members, ["bo"]);
    let edit = EditPerson { manager: Edit::Set("ada".to_owned()), ..EditPerson::default() };
    assert_eq!(client.edit_person("bo", &edit).await.unwrap().manager.as_deref(), Some("ada"));
    let edit = EditPerson { manager: Edit::Clear, ..EditPerson::default() };
    assert_eq!(client.edit_person("bo", &edit).await.unwrap().manager, None);
    assert_eq!(client.resources(&all).await.unwrap().items.len(), 1);
    assert!(client.resource("ledger").await.unwrap().residual.unwrap().kills_sessions);
    assert_eq!(client.probe("ledger").await.unwrap().roles[0].problem, None);
    assert_eq!(client.inventory("ledger").await.unwrap().orphans, []);
    assert_eq!(client.roles(&all).await.unwrap().items, [client.role("paper", "read").await.unwrap()]);
    assert_eq!(client.policy().await.unwrap(), client.policy_version(2).await.unwrap());
    assert_eq!(client.policy_versions(&all).await.unwrap().items.len(), 2);
    assert_eq!(client.why_request(request, &Under { version: Some(1) }).await.unwrap().request, request);
    assert!(!client.check_policy(&CheckPolicy { text: "permit(".to_owned() }).await.unwrap().ok);
    assert_eq!(client.requests(&Requests::default()).await.unwrap().items.len(), 2);
    assert_eq!(client.request(request).await.unwrap().id, request);
    let one = Grants { state: Some("ending,closed".to_owned()), ..Grants::default() };
    assert_eq!(client.grants(&one).await.unwrap().items, [client.grant(grant).await.unwrap()]);
    assert_eq!(client.why_grant(grant, &Under::default()).await.unwrap().resource, "ledger");
    assert_eq!(client.story(grant).await.unwrap().grant.id, grant);
    assert_eq!(client.live(&all).await.unwrap().items.len(), 1);
    assert_eq!(client.debts(&all).await.unwrap().items.len(), 1);
    let lock = NewLock { resource: Some("ledger".to_owned()), reason: "audit".to_owned(), ..NewLock::default() };
    let lock = client.lock(&lock).await.unwrap();
    assert_eq!(client.locks(&all).await.unwrap().items, std::slice::from_ref(&lock));
    client.lift(&lock.id).await.unwrap();
    let late =
        client.revoke(&Revoke { person: Some("bo".to_owned()), reason: "r".to_owned(), ..Revoke::default() }).await;
    assert_eq!(late.unwrap().ended, [""; 0]);
    let missing = client.grant("grt_00000000000000000000000000").await.unwrap_err();
    assert_eq!((missing.class(), missing.problem().unwrap().code.as_str()), (Class::Missing, "missing"));

    let newest = client.log(&Records { limit: Some(1), ..Records::default() }).await.unwrap().items.remove(0);
    let mut events = client.events(Some(newest.seq - 1));
    assert_eq!(events.next().await.unwrap().unwrap(), newest);
    drop(events);
    client.sign_out().await.unwrap();
    assert_eq!(client.me().await.unwrap_err().problem().unwrap().status, 401);
    house.stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), serving).await.unwrap().unwrap();
}
