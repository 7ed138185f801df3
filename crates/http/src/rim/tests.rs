//! The rim without any use-case behind it.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};
use tower::ServiceExt;
use wane_api::query::{Requests, Under};
use wane_api::request::NewRequest;

use super::{Answer, Input, Named, Nothing, Of, Query, layers};

fn router() -> Router {
    Router::new()
        .route("/ask", post(|Input(input): Input<NewRequest>| async move { Json(json!(input.duration)) }))
        .route("/nothing", post(|Input(_): Input<Nothing>| async { Json(json!("done")) }))
        .route("/list", get(|Query(query): Query<Requests>| async move { Json(json!(query)) }))
        .route("/one/{name}", get(|Of(name): Of<String>| async move { Json(json!(name)) }))
        .route(
            "/of/{name}",
            get(|Named(name): Named<String>, Query(under): Query<Under>| async move { Json(json!([name, under])) }),
        )
        .route("/slow", get(|| async { std::future::pending::<Answer<()>>().await }))
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::not_allowed)
        .layer(middleware::from_fn_with_state(1024usize, layers::whole_body))
        .layer(middleware::from_fn_with_state(Duration::from_millis(50), layers::in_time))
        .layer(middleware::map_response(layers::headers))
}

async fn send(
    method: &str,
    path: &str,
    kind: &str,
    body: impl Into<Body>,
) -> (StatusCode, axum::http::HeaderMap, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", kind).body(body.into()).unwrap();
    let response = router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 65536).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn input_is_taken_strictly() {
    let json = "application/json";
    let good = r#"{"items":[{"resource":"db","role":"r"}],"duration":"2h"}"#;
    for (method, path, kind, body, status, code, field) in [
        ("POST", "/ask", json, good, 200, "", ""),
        ("POST", "/ask", "application/json; charset=utf-8", good, 200, "", ""),
        ("POST", "/ask", "text/plain", good, 415, "not-json", ""),
        ("POST", "/ask", "", good, 415, "not-json", ""),
        ("POST", "/ask", json, "{\"items\":[}", 400, "not-json", "items[0]"),
        ("POST", "/ask", json, "{} {}", 400, "not-json", ""),
        ("POST", "/nothing", json, "[]", 422, "invalid", ""),
        ("POST", "/ask", json, r#"[[{"resource":"db","role":"r"}],null,"2h"]"#, 422, "invalid", ""),
        ("POST", "/ask", json, r#"{"items":[["db","r"]],"duration":"2h"}"#, 422, "invalid", "items[0]"),
        ("POST", "/nothing", json, r#"{"x":{"y":[{"z":1,"z":2}]}}"#, 422, "invalid", "x.y[0]"),
        ("POST", "/ask", json, &format!("{good}x"), 400, "not-json", ""),
        ("POST", "/ask", json, "", 422, "invalid", ""),
        ("POST", "/ask", json, r#"{"items":[{"resource":"db"}],"duration":"2h"}"#, 422, "invalid", "items[0]"),
        (
            "POST",
            "/ask",
            json,
            r#"{"items":[{"resource":"db","role":7}],"duration":"2h"}"#,
            422,
            "invalid",
            "items[0].role",
        ),
        ("POST", "/ask", json, r#"{"items":[],"duration":"2h","admin":true}"#, 422, "invalid", "admin"),
        ("POST", "/ask", json, r#"{"items":[],"duration":"2h","duration":"9h"}"#, 422, "invalid", ""),
        ("POST", "/ask?x=1", json, good, 422, "invalid", "x"),
        ("POST", "/nothing", "", "", 200, "", ""),
        ("POST", "/nothing", json, "{}", 200, "", ""),
        ("POST", "/nothing", json, r#"{"x":1}"#, 422, "invalid", "x"),
        ("GET", "/list", "", "", 200, "", ""),
        ("GET", "/list?waiting&limit=5", "", "", 200, "", ""),
        ("GET", "/list?limit=many", "", "", 422, "invalid", "limit"),
        ("GET", "/list?waiting=maybe", "", "", 422, "invalid", "waiting"),
        ("GET", "/list?person=a&person=b", "", "", 422, "invalid", ""),
        ("GET", "/list?everything=1", "", "", 422, "invalid", "everything"),
        ("GET", "/one/db", "", "", 200, "", ""),
        ("GET", "/one/db?x", "", "", 422, "invalid", "x"),
        ("GET", "/of/db", "", "", 200, "", ""),
        ("GET", "/of/db?version=3", "", "", 200, "", ""),
        ("GET", "/of/db?version=three", "", "", 422, "invalid", "version"),
        ("GET", "/of/db?x", "", "", 422, "invalid", "x"),
        ("GET", "/one/%ff", "", "", 404, "missing", ""),
        ("GET", "/two", "", "", 404, "no-such-route", ""),
        ("DELETE", "/one/db", "", "", 405, "no-such-method", ""),
        ("GET", "/slow", "", "", 503, "too-slow", ""),
    ] {
        let (got, headers, body) = send(method, path, kind, body.to_owned()).await;
        assert_eq!(got.as_u16(), status, "{method} {path} {body}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(headers[name], value, "{method} {path}");
        }
        if status != 200 {
            assert_eq!(headers["content-type"], "application/problem+json", "{method} {path}");
            assert_eq!(
                (body["code"].as_str(), body["status"].as_u64()),
                (Some(code), Some(status.into())),
                "{method} {path} {body}"
            );
            let named = body["fields"].get(0).map_or("", |f| f["field"].as_str().unwrap());
            assert_eq!(named, field, "{method} {path} {body}");
        }
    }
}

#[tokio::test]
async fn too_much_is_refused_whether_said_or_not() {
    let (status, _, body) = send("POST", "/nothing", "application/json", vec![b' '; 1025]).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (413, Some("too-large")));
    let chunks = futures::stream::iter((0..5).map(|_| Ok::<_, std::io::Error>(vec![b' '; 300])));
    let (status, _, body) = send("POST", "/nothing", "application/json", Body::from_stream(chunks)).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (413, Some("too-large")));
}

#[tokio::test]
async fn a_method_that_is_not_there_says_which_are() {
    let (_, headers, _) = send("DELETE", "/one/db", "", "").await;
    assert_eq!(headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn a_broken_body_says_where() {
    let (_, _, body) = send("POST", "/ask", "application/json", "{\n  \"items\": [}").await;
    assert_eq!(body["fields"][0]["problem"], "line 2, column 13");
    let (_, _, body) =
        send("POST", "/ask", "application/json", r#"{"items":[{"resource":"db","role":7}],"duration":"2h"}"#).await;
    assert_eq!(body["detail"], "`items[0].role` is off: invalid type: integer `7`, expected a string");
}
