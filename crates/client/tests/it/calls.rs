//! Calls: what is sent, and how answers, errors and silence are read.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use serde_json::json;
use wane_api::query::{Listing, Requests};
use wane_api::session::SignIn;
use wane_api::{Class, SecretText};
use wane_client::ClientError;

use crate::served::{client_to, serve};

#[tokio::test]
async fn a_call_says_who_and_what() {
    let echo = |headers: HeaderMap, uri: Uri| async move {
        assert_eq!(headers["authorization"], "Bearer wns_canary");
        assert!(!headers.contains_key("idempotency-key"), "a read needs no key");
        axum::Json(json!({ "items": [], "next": uri.query().map(str::to_owned) }))
    };
    let served = serve(Router::new().route("/v1/requests", get(echo)).route("/v1/people", get(echo))).await;
    let query = Requests { waiting_for_me: true, person: Some("a&b".to_owned()), limit: Some(5), ..Default::default() };
    let page = served.client.requests(&query).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("waiting_for_me=true&person=a%26b&limit=5"));
    assert_eq!(served.client.people(&Listing::default()).await.unwrap().next, None);
}

#[tokio::test]
async fn each_write_has_a_key_of_its_own() {
    let answer = |headers: HeaderMap| async move {
        (
            StatusCode::CREATED,
            axum::Json(
                json!({ "token": headers["idempotency-key"].to_str().unwrap(), "expires": "2026-11-21T09:00:00Z" }),
            ),
        )
    };
    let served = serve(Router::new().route("/v1/sessions", post(answer))).await;
    for key in ["key-0", "key-1"] {
        let input = SignIn { person: "ada".to_owned(), password: SecretText::new("p".to_owned()), totp: None };
        assert_eq!(served.client.sign_in(&input).await.unwrap().token.expose(), key);
    }
}

#[tokio::test]
async fn errors_are_read_as_what_they_are() {
    let problem = || async {
        let body = r#"{"type":"urn:wane:problem:locked","title":"Not allowed","status":403,"detail":"it is locked","code":"locked","reasons":["lock `lck_1`"]}"#;
        (StatusCode::FORBIDDEN, [("content-type", "application/problem+json")], body)
    };
    let page = || async { (StatusCode::BAD_GATEWAY, "<h1>Bad Gateway</h1>") };
    let strange = || async { axum::Json(json!({ "hello": "world" })) };
    let moved = || async { (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:1/v1/me")]) };
    let router = Router::new()
        .route("/v1/policy", get(problem))
        .route("/v1/health", get(page))
        .route("/v1/me", get(strange))
        .route("/v1/people/{name}", get(moved));
    let served = serve(router).await;

    let error = served.client.policy().await.unwrap_err();
    assert_eq!((error.class(), error.problem().unwrap().code.as_str()), (Class::Denied, "locked"));
    assert_eq!(error.to_string(), "it is locked\n  lock `lck_1`");

    let error = served.client.health().await.unwrap_err();
    assert_eq!(error.class(), Class::Busy);
    assert!(error.to_string().ends_with("which is not an answer of Wane; check the address"), "{error}");

    let error = served.client.me().await.unwrap_err();
    assert!(matches!(error, ClientError::Decode { .. }), "{error}");

    let error = served.client.person("ada").await.unwrap_err();
    assert!(
        error.problem().is_some_and(|p| p.status == 307),
        "a redirect is not followed, and no token goes with it: {error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_so() {
    // Bound, so that it is nobody else's meanwhile, and not listened at.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = format!("http://{}", taken.local_addr().unwrap());
    let error = client_to(&server).health().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{server}` is not reachable: Connection refused (os error 111); check the address and that the server runs there"
        )
    );
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let endless = || async {
        let chunk = || Some((Ok::<_, std::io::Error>(axum::body::Bytes::from_static(&[b' '; 65536])), ()));
        Body::from_stream(futures::stream::unfold((), move |()| async move { chunk() })).into_response()
    };
    let served = serve(Router::new().route("/v1/me", get(endless))).await;
    let error = served.client.me().await.unwrap_err();
    assert!(error.to_string().contains("longer than 16 MiB"), "{error}");
}

#[tokio::test]
async fn any_route_can_be_called_by_its_path() {
    let echo = |request: Request| async move {
        let said =
            format!("{} {} {:?}", request.method(), request.uri(), request.headers().get("authorization").unwrap());
        axum::Json(json!(said))
    };
    let served = serve(Router::new().route("/v1/hosts/revocations", any(echo))).await;
    let host = wane_client::Bearer::new(SecretText::new("wnh_x".to_owned()));
    let said = served.client.call("GET", "/v1/hosts/revocations", Some(&host), None).await.unwrap();
    assert_eq!(said, "GET /v1/hosts/revocations Sensitive".replace("Sensitive", "\"Bearer wnh_x\""));
    let said = served.client.call("POST", "/v1/hosts/revocations", None, Some(&json!({}))).await.unwrap();
    assert_eq!(said, "POST /v1/hosts/revocations \"Bearer wns_canary\"");
    assert!(served.client.call("GET", "/v1/../etc", None, None).await.is_err());
}
