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
use wane_api::query::{Grants, Listing, Records, Requests};
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

    let story = house.get(&format!("/v1/grants/{grant}/story")).await.body;
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
    assert_eq!(client.policy().await.unwrap().version, 1);
    assert!(!client.check_policy(&CheckPolicy { text: "permit(".to_owned() }).await.unwrap().ok);
    assert_eq!(client.requests(&Requests::default()).await.unwrap().items.len(), 2);
    assert_eq!(client.request(request).await.unwrap().id, request);
    let one = Grants { state: Some("ending,closed".to_owned()), ..Grants::default() };
    assert_eq!(client.grants(&one).await.unwrap().items, [client.grant(grant).await.unwrap()]);
    assert_eq!(client.why_grant(grant).await.unwrap().resource, "ledger");
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
