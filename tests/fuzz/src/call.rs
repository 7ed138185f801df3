//! Calls of the API: every route, with hostile paths, queries, headers and bodies.

use std::cell::RefCell;

use serde_json::Value;

use crate::house::{House, LONGEST_BODY};

pub(crate) mod seeds {
    //! A call of every route that takes a body, and of those with a query.

    use serde_json::{Value, json};

    pub(crate) fn call() -> Vec<Vec<u8>> {
        let at = "2026-11-21T10:00:00Z";
        let item = json!([{ "resource": "web", "role": "deploy" }]);
        let calls = [
            ("POST", "enrolments", json!({ "code": "wane_e_0", "password": "a long enough passphrase" })),
            ("POST", "sessions", json!({ "person": "ada", "password": "x", "totp": "000000" })),
            ("POST", "sessions/proof", json!({ "password": "x", "totp": "000000" })),
            (
                "POST",
                "people",
                json!({ "name": "maya", "display": "Maya", "manager": "ada", "attributes": { "team": "red" } }),
            ),
            ("PATCH", "people/ada", json!({ "display": "A", "manager": null, "attributes": {} })),
            ("POST", "people/ada/enrolment", Value::Null),
            ("POST", "groups", json!({ "name": "staff", "description": "all" })),
            ("PUT", "groups/admins/members/ada", Value::Null),
            (
                "POST",
                "resources",
                json!({ "name": "www", "kind": "ssh", "labels": { "env": "prod" }, "owner": { "person": "ada" }, "settings": { "address": "127.0.0.1:1", "read_back": "none" } }),
            ),
            (
                "PATCH",
                "resources/web",
                json!({ "labels": {}, "owner": null, "settings": { "address": "127.0.0.1:1", "read_back": "none" } }),
            ),
            ("PUT", "resources/web/credential", json!({ "credential": "x" })),
            ("POST", "resources/web/join-code", Value::Null),
            (
                "POST",
                "roles",
                json!({ "kind": "ssh", "name": "www", "description": "", "definition": { "principals": ["www"] } }),
            ),
            ("PATCH", "roles/ssh/deploy", json!({ "description": "d", "definition": { "principals": ["deploy"] } })),
            (
                "POST",
                "requests",
                json!({ "items": item, "duration": "30m", "reason": "to see", "ticket": "INC-1", "start": at }),
            ),
            ("POST", "why", json!({ "items": item, "duration": "30m", "resource": "web", "role": "deploy" })),
            ("POST", "policy/check", json!({ "text": "@id(\"a\") permit (principal, action, resource);" })),
            ("POST", "policy", json!({ "text": "permit", "replaces": 1 })),
            ("POST", "locks", json!({ "person": "ada", "reason": "x" })),
            ("POST", "revoke", json!({ "person": "ada", "reason": "x" })),
            ("POST", "hosts/join", json!({ "code": "wane_j_0", "input": {} })),
            ("POST", "requests/req_0/approve", json!({ "duration": "1m", "items": item, "reason": "x" })),
            ("POST", "grants/grt_0/extend", json!({ "duration": "1m", "reason": "x" })),
            ("POST", "grants/grt_0/credential", json!({ "input": {} })),
        ];
        let mut all: Vec<Value> = calls
            .into_iter()
            .map(|(method, path, body)| json!({ "method": method, "path": path, "key": "k", "who": "ada", "body": body }))
            .collect();
        for path in [
            "log?from=2026-11-21T10:00:00Z&event=a&limit=3&cursor=9",
            "people?cursor=per_0&limit=1",
            "grants?mine=true&state=active",
            "requests?waiting=true",
        ] {
            all.push(json!({ "method": "GET", "path": path, "who": "ada" }));
        }
        all.push(json!({ "method": "GET", "path": "me", "who": "", "authorization": "Bearer wane_s_x", "raw": "{", "type": "text/plain" }));
        all.into_iter().map(|call| call.to_string().into_bytes()).collect()
    }
}

/// Calls after which a deployment is built anew, so that it does not grow.
const MOST_CALLS: u32 = 2000;

thread_local! {
    static HOUSE: RefCell<Option<(House, u32)>> = const { RefCell::new(None) };
}

/// What anybody may ask.
const OPEN: &[&str] = &["/v1/health", "/v1/openapi.json"];

pub(crate) fn call(data: &[u8]) {
    let Ok(call) = serde_json::from_slice::<Value>(data) else { return };
    let text = |key: &str| call[key].as_str().unwrap_or_default();
    let path = format!("/v1/{}", text("path"));
    // These go out to the address that was registered, and events have no end.
    if ["inventory", "probe", "events"].iter().any(|outward| path.contains(outward)) || path.contains('%') {
        return;
    }
    HOUSE.with_borrow_mut(|slot| {
        let (house, calls) = slot.get_or_insert_with(|| (House::built(), 0));
        *calls += 1;
        tried(house, &call, text("method"), &path);
        // What signs the administrator out, disables or locks them ends the use of this one.
        let alive = house.asked("GET", "/v1/me", Some(&house.token), &[], Vec::new()).status.is_success();
        if *calls >= MOST_CALLS || !alive {
            *slot = None;
        }
    });
}

fn tried(house: &House, call: &Value, method: &str, path: &str) {
    let text = |key: &str| call.get(key).and_then(Value::as_str);
    let mut headers = Vec::new();
    for (key, name) in [("key", "idempotency-key"), ("type", "content-type"), ("authorization", "authorization")] {
        headers.extend(text(key).map(|value| (name, value)));
    }
    let body = match (text("raw"), call.get("body")) {
        (Some(raw), _) => raw.as_bytes().to_vec(),
        (None, Some(body)) if !body.is_null() => body.to_string().into_bytes(),
        (None, _) => Vec::new(),
    };
    let long = body.len() > LONGEST_BODY;
    let signed_in = text("who") == Some("ada") && text("authorization").is_none();
    let token = signed_in.then_some(house.token.as_str());
    let Some(said) = house.tried(method, path, token, &headers, body) else { return };
    let shown = || String::from_utf8_lossy(&said.body).into_owned();

    assert!(!said.status.is_server_error(), "{method} {path}: {} {}", said.status, shown());
    assert_eq!(said.headers["cache-control"], "no-store");
    assert_eq!(said.headers["x-content-type-options"], "nosniff");
    assert!(!shown().contains(&house.token), "the session's token is in an answer");
    if !signed_in && said.status.is_success() {
        assert!(OPEN.contains(&path.split('?').next().unwrap()), "{method} {path} was done for nobody: {}", shown());
    }
    assert!(!long || !said.status.is_success(), "a body over the bound was read");
    if said.status.is_client_error() && method != "HEAD" {
        assert_eq!(said.headers["content-type"], "application/problem+json", "{method} {path}: {}", shown());
        let problem: Value = serde_json::from_slice(&said.body).unwrap();
        assert_eq!(problem["status"], said.status.as_u16());
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
}
