//! Terminals in pages: who may open one, before anything else is looked at.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::stage::Stage;

const OWN: &str = "http://wane.example";

async fn asks(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let mut request = Request::builder().uri(path);
    let socket = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];
    for (name, value) in socket.iter().chain(&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]).chain(headers) {
        request = request.header(*name, *value);
    }
    let answer = stage.house.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, body) = (answer.status(), to_bytes(answer.into_body(), 1 << 20).await.unwrap());
    let said: Value = serde_json::from_slice(&body).unwrap();
    (status, said["code"].as_str().unwrap().to_owned())
}

/// A page of somebody else can neither read the word nor say another origin than its own.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_page_of_ours_opens_a_terminal() {
    let stage = Stage::set().await;
    let path = format!("/v1/grants/{}/terminal?columns=80&rows=24", stage.grant);
    let head = stage.head().await;
    let word = async |token: &str| {
        let request = Request::builder().uri("/sign-in/session").header("cookie", format!("wane={token}"));
        let answer = stage.house.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let said: Value = serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 16).await.unwrap()).unwrap();
        format!("wane.terminal.v1, wane.page.{}", said["page"].as_str().unwrap())
    };
    let (cookie, foreign) = (format!("wane={}", stage.house.token), format!("wane={}", stage.bo));
    let (mine, theirs) = (word(&stage.house.token).await, word(&stage.bo).await);
    let (me, ours) = (("cookie", cookie.as_str()), ("sec-websocket-protocol", mine.as_str()));
    let bearer = format!("Bearer {}", stage.house.token);
    let protocol = ("sec-websocket-protocol", "wane.terminal.v1");
    let twice = format!("{mine}, {}", mine.split_once(", ").unwrap().1);
    let (denied, unknown) = (StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED);
    // Everything is as it should be, but for a connection that could be more than a call.
    let good = StatusCode::UPGRADE_REQUIRED;
    for (what, headers, status) in [
        ("a page of ours", vec![me, ours, ("origin", OWN)], good),
        ("said so", vec![me, ours, ("origin", OWN), ("sec-fetch-site", "same-origin")], good),
        ("a program with a bearer", vec![("authorization", &bearer), protocol, ("origin", OWN)], good),
        ("a foreign page", vec![me, ours, ("origin", "http://evil.example")], denied),
        ("a page beside ours", vec![me, ours, ("origin", "http://wane.example:8080")], denied),
        ("a page below ours", vec![me, ours, ("origin", "http://x.wane.example")], denied),
        ("no page", vec![me, ours, ("origin", "null")], denied),
        ("nobody says from where", vec![me, ours], denied),
        ("two say from where", vec![me, ours, ("origin", OWN), ("origin", "http://evil.example")], denied),
        ("a foreign page with a bearer", vec![("authorization", &bearer), ("origin", "http://evil.example")], denied),
        ("a bearer from nowhere", vec![("authorization", &bearer)], denied),
        ("another site", vec![me, ours, ("origin", OWN), ("sec-fetch-site", "cross-site")], unknown),
        ("the cookie alone", vec![me, protocol, ("origin", OWN)], unknown),
        ("the word alone", vec![ours, ("origin", OWN)], unknown),
        ("somebody else's word", vec![me, ("sec-websocket-protocol", &theirs), ("origin", OWN)], unknown),
        ("somebody else's cookie", vec![("cookie", &foreign), ours, ("origin", OWN)], unknown),
        ("two words", vec![me, ("sec-websocket-protocol", &twice), ("origin", OWN)], unknown),
        ("the word in the wrong place", vec![me, protocol, ("wane-page", &mine), ("origin", OWN)], unknown),
        ("nobody", vec![], unknown),
    ] {
        let (said, code) = asks(&stage, &path, &headers).await;
        assert_eq!(said, status, "{what}: {code}");
    }
    for (what, path) in [
        ("no size", format!("/v1/grants/{}/terminal", stage.grant)),
        ("no lines", format!("/v1/grants/{}/terminal?columns=80&rows=0", stage.grant)),
        ("too wide", format!("/v1/grants/{}/terminal?columns=1001&rows=24", stage.grant)),
        ("what nobody knows", format!("{path}&token=x")),
    ] {
        let (said, code) = asks(&stage, &path, &[me, ours, ("origin", OWN)]).await;
        assert_eq!((said, code.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid"), "{what}");
    }
    assert_eq!(stage.head().await, head, "something was written");
}
