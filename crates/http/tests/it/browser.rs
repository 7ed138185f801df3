//! Calls of the web UI: in the session of its browser, from a page of this server, and from nowhere else.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::house::{House, PASSWORD};

const OWN: &str = "http://wane.example";

async fn send(
    house: &House,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Value,
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let (parts, body) = house.router.clone().oneshot(request.body(body).unwrap()).await.unwrap().into_parts();
    // A stream has no end; that it began is all there is to see.
    let ends = parts.headers.get("content-type").is_none_or(|kind| kind != "text/event-stream");
    let text = if ends { to_bytes(body, 1 << 20).await.unwrap().to_vec() } else { Vec::new() };
    (parts.status, parts.headers, String::from_utf8(text).unwrap())
}

/// What pages of ours are told to send along.
async fn page(house: &House, headers: &[(&str, &str)]) -> Value {
    let (status, said, text) = send(house, ("GET", "/sign-in/session"), headers, Value::Null).await;
    assert_eq!((status, &said["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    serde_json::from_str::<Value>(&text).unwrap()["page"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_spoken_in_by_our_own_pages_only() {
    let house = House::built().await;
    let token = Some(house.token.as_str());
    house.call("POST", "/v1/people", token, None, json!({ "name": "bo" })).await;
    let code = house.call("POST", "/v1/people/bo/enrolment", token, None, json!({})).await.body["code"].clone();
    let bo = house.enrolled("bo", code.as_str().unwrap()).await;
    let (cookie, foreign) = (format!("wane={}", house.token), format!("wane={bo}"));
    let (me, twice) = (("cookie", cookie.as_str()), format!("{cookie}; {foreign}"));
    let own = page(&house, &[me]).await.as_str().unwrap().to_owned();
    let others = page(&house, &[("cookie", &foreign)]).await.as_str().unwrap().to_owned();
    assert!(own != others && !own.contains(&house.token));
    assert_eq!(page(&house, &[]).await, Value::Null, "nobody is signed in");
    assert_eq!(page(&house, &[me, ("origin", "http://evil.example")]).await, Value::Null);
    assert_eq!(page(&house, &[me, ("sec-fetch-site", "cross-site")]).await, Value::Null);
    let ours = ("wane-page", own.as_str());

    let (bad, good) = (StatusCode::UNAUTHORIZED, StatusCode::OK);
    for (what, headers, status) in [
        ("its own page", vec![me, ours], good),
        ("from there, and said so", vec![me, ours, ("origin", OWN), ("sec-fetch-site", "same-origin")], good),
        ("the cookie alone", vec![me], bad),
        ("the word alone", vec![ours], bad),
        ("no word", vec![me, ("wane-page", "")], bad),
        ("the session itself for a word", vec![me, ("wane-page", house.token.as_str())], bad),
        ("somebody else's word", vec![me, ("wane-page", others.as_str())], bad),
        ("somebody else's cookie", vec![("cookie", foreign.as_str()), ours], bad),
        ("two cookies", vec![("cookie", twice.as_str()), ours], bad),
        ("two words", vec![me, ours, ours], bad),
        ("another site", vec![me, ours, ("origin", "http://evil.example")], bad),
        ("no site", vec![me, ours, ("origin", "null")], bad),
        ("two sites", vec![me, ours, ("origin", OWN), ("origin", "http://evil.example")], bad),
        ("a site beside it", vec![me, ours, ("sec-fetch-site", "same-site")], bad),
        ("a link", vec![me, ours, ("sec-fetch-site", "none")], bad),
        ("a bearer that is none", vec![me, ours, ("authorization", "Bearer x")], bad),
        ("another way to sign in", vec![me, ours, ("authorization", "Basic x")], bad),
    ] {
        for route in ["/v1/me", "/v1/events"] {
            let (said, _, text) = send(&house, ("GET", route), &headers, Value::Null).await;
            assert_eq!(said, status, "{what}: {route}: {text}");
        }
        let (said, _, text) =
            send(&house, ("POST", "/v1/groups"), &headers, json!({ "name": what_as_name(what) })).await;
        assert_eq!(said, if status == good { StatusCode::CREATED } else { bad }, "{what}: {text}");
    }

    // Whoever shows a bearer is that, whatever a browser has.
    let bearer = format!("Bearer {bo}");
    let (_, _, text) = send(&house, ("GET", "/v1/me"), &[me, ours, ("authorization", &bearer)], Value::Null).await;
    assert!(text.contains("\"bo\""), "{text}");

    // Done once, as for everybody else.
    let keyed = [me, ours, ("idempotency-key", "one")];
    for replayed in [false, true] {
        let (status, headers, _) = send(&house, ("POST", "/v1/groups"), &keyed, json!({ "name": "keyed" })).await;
        assert_eq!((status, headers.contains_key("idempotency-replayed")), (StatusCode::CREATED, replayed));
    }

    // A session that is over is over here.
    assert_eq!(
        send(&house, ("DELETE", "/v1/sessions/current"), &[me, ours], Value::Null).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(send(&house, ("GET", "/v1/me"), &[me, ours], Value::Null).await.0, bad);
    assert_eq!(page(&house, &[me]).await, Value::Null);
}

fn what_as_name(what: &str) -> String {
    what.chars().filter(char::is_ascii_lowercase).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_script_is_handed_a_session() {
    let house = House::built().await;
    let cookie = format!("wane={}", house.token);
    let own = page(&house, &[("cookie", &cookie)]).await.as_str().unwrap().to_owned();
    let headers = [("cookie", cookie.as_str()), ("wane-page", own.as_str())];
    let (status, _, text) =
        send(&house, ("POST", "/v1/sessions/proof"), &headers, json!({ "password": PASSWORD })).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    assert!(text.contains("/sign-in") && !text.contains("\"token\""), "{text}");
    // Nothing that was answered ever says what is in the cookie.
    assert_eq!(send(&house, ("GET", "/v1/me"), &headers, Value::Null).await.0, StatusCode::OK, "the session goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_may_says_what_is_worth_showing() {
    let house = House::built().await;
    let token = Some(house.token.as_str());
    house.call("POST", "/v1/people", token, None, json!({ "name": "bo" })).await;
    let code = house.call("POST", "/v1/people/bo/enrolment", token, None, json!({})).await.body["code"].clone();
    let bo = house.enrolled("bo", code.as_str().unwrap()).await;
    let may = house.get("/v1/me").await.body["may"].clone();
    assert_eq!(
        may,
        json!([
            "read_directory",
            "manage_directory",
            "read_catalogue",
            "manage_catalogue",
            "read_policy",
            "manage_policy",
            "read_access",
            "revoke",
            "lock",
            "read_log"
        ])
    );
    let own = house.call("GET", "/v1/me", Some(&bo), None, Value::Null).await;
    assert_eq!(own.body["may"], json!([]), "what is about oneself alone is not of the deployment");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ui_has_an_address_whether_it_was_built_or_not() {
    let house = House::built().await;
    for path in ["/", "/ui"] {
        let (status, headers, _) = send(&house, ("GET", path), &[], Value::Null).await;
        assert_eq!((status, headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/ui/"), "{path}");
    }
    for path in ["/ui/assets/none-1.js", "/ui/none.svg", "/ui/assets/../../etc/passwd"] {
        let (status, _, text) = send(&house, ("GET", path), &[], Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {text}");
    }
    for path in ["/ui/", "/ui/requests/req_1", "/ui/sign-in"] {
        let (_, headers, text) = send(&house, ("GET", path), &[], Value::Null).await;
        assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
        assert!(text.contains("<title>Wane</title>"), "{path}: {text}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    }
    let (status, ..) = send(&house, ("POST", "/ui/"), &[], Value::Null).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}
