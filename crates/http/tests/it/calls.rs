//! Calls: who may, once, and what is said.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wane_app::CallKept;
use wane_domain::canonical::Digest;
use wane_domain::time::Span;

use crate::house::{House, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_session() {
    let house = House::built().await;
    let document = serde_json::to_value(wane_http::document()).unwrap();
    let mut looked_at = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, op) in item.as_object().unwrap() {
            let open = op.get("security").is_some_and(|s| *s == json!([{}]));
            if open || !["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                continue;
            }
            let path = path.replace(['{', '}'], "");
            for token in [None, Some("nonsense"), Some(house.token.replace("_s_", "_h_")).as_deref()] {
                let said = house.call(&method.to_uppercase(), &path, token, Some("k"), json!({})).await;
                assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{method} {path} {token:?}: {said:?}");
                assert_eq!(said.headers["www-authenticate"], "Bearer");
                assert_eq!(said.body["code"], "signed-out");
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 45, "{looked_at}");
}

/// Truncated, padded or changed anywhere, a token that lives is nobody's; also if its checksum was made to fit.
#[tokio::test(flavor = "multi_thread")]
async fn no_variant_of_a_living_token_gets_in() {
    let house = House::built().await;
    let token = &house.token;
    let summed = |body: &str| format!("{body}_{:08x}", crc32fast::hash(body.as_bytes()));
    let mut variants: Vec<String> = Vec::new();
    for at in 0..token.len() {
        variants.extend([token[..at].to_owned(), token[at + 1..].to_owned()]);
        let other = if token.as_bytes()[at] == b'0' { "1" } else { "0" };
        let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        variants.extend(changed.rsplit_once('_').map(|(body, _)| summed(body)));
        variants.push(changed);
    }
    for pad in ["=", "==", "0", "_", ".", "%00", ",x", ";", "/"] {
        variants.extend([format!("{token}{pad}"), format!("{pad}{token}")]);
    }
    variants.push(token.to_uppercase());
    variants.retain(|variant| variant != token);
    for variant in &variants {
        let said = house.call("GET", "/v1/me", Some(variant), None, Value::Null).await;
        assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{variant}");
        assert!(!said.body.to_string().contains(&token[34..60]), "{said:?}");
    }
    assert_eq!(house.get("/v1/me").await.status, StatusCode::OK, "the token itself is good all the while");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_and_ends() {
    let house = House::built().await;
    let said = house.get("/v1/me").await;
    assert_eq!(
        (said.status, &said.body["person"], &said.body["groups"]),
        (StatusCode::OK, &json!("ada"), &json!(["admins"]))
    );
    let wrong = json!({ "person": "ada", "password": format!("{PASSWORD}!"), "totp": "000000" });
    let said = house.call("POST", "/v1/sessions", None, None, wrong).await;
    assert_eq!((said.status, &said.body["code"]), (StatusCode::UNAUTHORIZED, &json!("bad-sign-in")));
    let said = house.call("DELETE", "/v1/sessions/current", Some(&house.token), None, Value::Null).await;
    assert_eq!(said.status, StatusCode::NO_CONTENT);
    assert_eq!(house.get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_under_a_key_is_done_once() {
    let house = House::built().await;
    let token = Some(house.token.as_str());
    let new = json!({ "name": "bo", "attributes": { "team": "db" } });
    let first = house.call("POST", "/v1/people", token, Some("k1"), new.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    assert!(!first.headers.contains_key("idempotency-replayed"));

    let again = house.call("POST", "/v1/people", token, Some("k1"), new.clone()).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");

    for (path, body) in [("/v1/people", json!({ "name": "cy" })), ("/v1/groups", new.clone())] {
        let other = house.call("POST", path, token, Some("k1"), body).await;
        assert_eq!((other.status, &other.body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("key-reused")));
    }
    let said = house.call("POST", "/v1/people", token, Some("k2"), new.clone()).await;
    assert_eq!(said.status, StatusCode::CONFLICT, "the name is taken, whatever the key: {said:?}");
    // A refusal is not kept: it changed nothing.
    let other = house.call("POST", "/v1/people", token, Some("k2"), json!({ "name": "cy" })).await;
    assert_eq!(other.status, StatusCode::CREATED, "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_handed_out_once() {
    let house = House::built().await;
    let token = Some(house.token.as_str());
    house.call("POST", "/v1/people", token, None, json!({ "name": "bo" })).await;
    let first = house.call("POST", "/v1/people/bo/enrolment", token, Some("k1"), Value::Null).await;
    let code = first.body["code"].as_str().unwrap().to_owned();
    let again = house.call("POST", "/v1/people/bo/enrolment", token, Some("k1"), Value::Null).await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("handed-out")), "{again:?}");
    assert!(!again.body.to_string().contains(&code));
    // Somebody else's key of the same name is another key.
    let bo = house.enrolled("bo", &code).await;
    let said = house.call("POST", "/v1/people/bo/enrolment", Some(&bo), Some("k1"), Value::Null).await;
    assert_eq!(said.status, StatusCode::FORBIDDEN, "{said:?}");
    let log = house.get("/v1/log?limit=1000").await;
    assert!(!log.body.to_string().contains(&code), "the trail holds a secret");
    assert!(!log.body.to_string().contains(PASSWORD), "the trail holds a password");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_may_not_know_is_not_there() {
    let house = House::built().await;
    let token = Some(house.token.as_str());
    house.call("POST", "/v1/people", token, None, json!({ "name": "bo" })).await;
    let code = house.call("POST", "/v1/people/bo/enrolment", token, None, Value::Null).await.body["code"].clone();
    let bo = house.enrolled("bo", code.as_str().unwrap()).await;
    let bo = Some(bo.as_str());
    for (method, path, status) in [
        ("GET", "/v1/people/bo", 200),
        ("GET", "/v1/people/ada", 403),
        ("GET", "/v1/people", 403),
        ("GET", "/v1/policy", 403),
        ("GET", "/v1/locks", 403),
        ("GET", "/v1/log?person=ada", 403),
        ("GET", "/v1/log", 200),
        ("GET", "/v1/live", 200),
        ("GET", "/v1/debts", 200),
        ("GET", "/v1/grants", 200),
        ("GET", "/v1/requests", 200),
        ("GET", "/v1/grants/grt_00000000000000000000000000", 404),
        ("GET", "/v1/grants/nonsense", 404),
        ("GET", "/v1/requests/nonsense/", 404),
        ("POST", "/v1/revoke", 422),
    ] {
        let said = house.call(method, path, bo, None, Value::Null).await;
        assert_eq!(said.status.as_u16(), status, "{method} {path}: {said:?}");
    }
    let said = house.call("POST", "/v1/locks", bo, None, json!({ "person": "ada", "reason": "no" })).await;
    assert_eq!(said.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_come_in_pages() {
    let house = House::built().await;
    for name in ["cy", "bo", "di"] {
        let said = house.call("POST", "/v1/people", Some(&house.token), None, json!({ "name": name })).await;
        assert_eq!(said.status, StatusCode::CREATED);
    }
    let first = house.get("/v1/people?limit=3").await.body;
    let next = first["next"].as_str().unwrap();
    let second = house.get(&format!("/v1/people?limit=3&cursor={next}")).await.body;
    let names: Vec<_> =
        [&first, &second].iter().flat_map(|p| p["items"].as_array().unwrap()).map(|p| &p["name"]).collect();
    assert_eq!(names, ["ada", "bo", "cy", "di"]);
    assert_eq!(second["next"], Value::Null);
    let (mut seqs, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("/v1/log?limit=2{cursor}")).await.body;
        seqs.extend(page["items"].as_array().unwrap().iter().map(|r| r["seq"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seqs.len() > 8 && seqs.is_sorted_by(|a, b| a > b), "newest first, each once: {seqs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_imposed_and_lifted() {
    let house = House::built().await;
    let token = Some(house.token.as_str());
    house.call("POST", "/v1/people", token, None, json!({ "name": "bo" })).await;
    let two = json!({ "person": "bo", "grant": "grt_x", "reason": "r" });
    assert_eq!(house.call("POST", "/v1/locks", token, None, two).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let lock = house.call("POST", "/v1/locks", token, None, json!({ "person": "bo", "reason": "lost laptop" })).await;
    assert_eq!(
        (lock.status, &lock.body["person"], &lock.body["by"]),
        (StatusCode::CREATED, &json!("bo"), &json!("ada"))
    );
    assert_eq!(house.get("/v1/locks").await.body["items"], json!([lock.body]));
    let path = format!("/v1/locks/{}", lock.body["id"].as_str().unwrap());
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        assert_eq!(house.call("DELETE", &path, token, None, Value::Null).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_a_bound() {
    let house = House::built().await;
    let long = json!({ "text": "x".repeat(5000) });
    let said = house.call("POST", "/v1/policy/check", Some(&house.token), Some("k"), long).await;
    assert_eq!((said.status, &said.body["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too-large")));
    let said = house.call("POST", "/v1/policy/check", Some(&house.token), None, json!({ "text": "permit(" })).await;
    assert_eq!((said.status, &said.body["ok"]), (StatusCode::OK, &json!(false)), "{said:?}");
    assert_eq!(house.call("GET", "/v1/nothing", None, None, Value::Null).await.body["code"], "no-such-route");
    assert_eq!(house.call("PUT", "/v1/me", None, None, Value::Null).await.body["code"], "no-such-method");
}

/// The server died, or the line broke, after the call had changed something and before its answer was kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_answer_was_lost_is_not_done_again() {
    let house = House::built().await;
    let caller = house.app.authenticate(&house.token).await.unwrap();
    let token = Some(house.token.as_str());
    let print = |path: &str, body: &Value| {
        Digest::of_bytes("wane.call.v1", format!("POST\n{path}\n{body}").as_bytes()).to_string()
    };
    let code_for = |name: &'static str| {
        let (house, caller) = (&house, &caller);
        async move { house.app.enrolment_code(caller, name).await.map(drop) }
    };

    let path = "/v1/people/ada/enrolment";
    let (done, kept) = house.app.keyed(&caller, "lost", &print(path, &json!({})), code_for("ada")).await;
    assert!(done.is_ok() && kept == CallKept::Begun, "{done:?} {kept:?}");
    let before = house.get("/v1/log?event=token.made").await.body["items"].as_array().unwrap().len();
    let again = house.call("POST", path, token, Some("lost"), json!({})).await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("answer-lost")), "{again:?}");
    assert_eq!(house.get("/v1/log?event=token.made").await.body["items"].as_array().unwrap().len(), before);
    let other = house.call("POST", "/v1/groups", token, Some("lost"), json!({ "name": "g" })).await;
    assert_eq!(other.body["code"], "key-reused", "{other:?}");

    // What changed nothing left nothing behind, and its key is free.
    let path = "/v1/people/nobody/enrolment";
    let (done, kept) = house.app.keyed(&caller, "free", &print(path, &json!({})), code_for("nobody")).await;
    assert!(done.is_err() && kept == CallKept::Nothing, "{done:?} {kept:?}");
    let again = house.call("POST", path, token, Some("free"), json!({})).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND, "{again:?}");
}

/// Sixty tries from one address may fail, whatever they try and under whichever name; then it waits, and
/// it alone. What does not fail is not counted.
#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_by_address_too() {
    let house = House::built().await;
    let from = async |address: &str, path: &str, body: Value| {
        let peer = wane_http::Peer(address.parse().unwrap());
        let router = house.router.clone().layer(axum::Extension(peer));
        let request = Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string()));
        router.oneshot(request.unwrap()).await.unwrap()
    };
    for n in 0..70 {
        // Unusable, and so no try at all.
        let said = from("192.0.2.1", "/v1/sessions", json!({ "name": format!("p{n}") })).await;
        assert_eq!(said.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    for n in 0..60 {
        let (path, body) = match n % 3 {
            0 => ("/v1/sessions", json!({ "person": format!("p{n}"), "password": PASSWORD })),
            1 => ("/v1/enrolments", json!({ "code": "wane_e_x", "password": PASSWORD })),
            _ => ("/v1/hosts/join", json!({ "code": "wane_j_x" })),
        };
        assert_eq!(from("192.0.2.1", path, body).await.status(), StatusCode::UNAUTHORIZED, "{n}");
    }
    let code = || json!({ "code": "wane_j_x" });
    for path in ["/v1/hosts/join", "/v1/sessions", "/v1/sessions/proof", "/v1/enrolments"] {
        let closed = from("192.0.2.1", path, code()).await;
        assert_eq!(closed.status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert!(closed.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    }
    for other in ["192.0.2.2", "2001:db8::1", "127.0.0.1"] {
        assert_eq!(from(other, "/v1/hosts/join", code()).await.status(), StatusCode::UNAUTHORIZED, "{other}");
    }
    house.clock.advance(Span::from_secs(5));
    assert_eq!(from("192.0.2.1", "/v1/hosts/join", code()).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(from("192.0.2.1", "/v1/hosts/join", code()).await.status(), StatusCode::TOO_MANY_REQUESTS);
}
