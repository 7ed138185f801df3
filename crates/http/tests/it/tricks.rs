//! Headers that others use to say who is calling, and paths that are not what they look like.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::stage::{Stage, ops};

async fn send(stage: &Stage, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = stage.house.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// Nothing that a proxy might say of its caller makes somebody of nobody, or somebody else of anybody.
#[tokio::test(flavor = "multi_thread")]
async fn no_header_but_one_says_who_is_calling() {
    let stage = Stage::set().await;
    let bo = format!("Bearer {}", stage.bo);
    let mine = format!("Bearer {}", stage.house.token);
    let mut tried = 0;
    for name in [
        "remote-user",
        "x-remote-user",
        "x_remote_user",
        "X-Forwarded-User",
        "x_forwarded_user",
        "x-forwarded-email",
        "x-forwarded-preferred-username",
        "x-auth-request-user",
        "x-auth-request-email",
        "x-webauth-user",
        "x-user",
        "x-authenticated-userid",
        "x-wane-user",
        "wane-person",
        "x-original-user",
        "x-client-cert",
        "ssl-client-verify",
        "x-ssl-client-s-dn",
        "x-amzn-oidc-identity",
        "x-goog-authenticated-user-email",
        "cf-access-authenticated-user-email",
        "proxy-authorization",
        "x-authorization",
        "x_authorization",
        "x-access-token",
        "x-api-key",
    ] {
        for value in ["ada", "ada@wane.example", "1", mine.as_str()] {
            let (status, said) = send(&stage, "GET", "/v1/me", &[(name, value)]).await;
            assert_eq!(status, 401, "{name}: {value}: {said}");
            let both = [("authorization", bo.as_str()), (name, value), ("connection", name)];
            let (status, said) = send(&stage, "GET", "/v1/me", &both).await;
            assert_eq!((status, &said["person"]), (200, &json!("bo")), "{name}: {value}");
            tried += 1;
        }
    }
    assert!(tried > 90);
    let (status, said) = send(&stage, "GET", "/v1/me", &[("authorization", &bo), ("authorization", &mine)]).await;
    assert_eq!(status, 401, "two of them: {said}");
    // What would have another path, or another method, be meant.
    for (name, value) in [
        ("x-original-url", "/v1/health"),
        ("x-rewrite-url", "/v1/health"),
        ("x-forwarded-prefix", "/v1/health/.."),
        ("x-forwarded-uri", "/v1/health"),
        ("x-http-method-override", "GET"),
        ("x-forwarded-proto", "https"),
    ] {
        assert_eq!(send(&stage, "GET", "/v1/me", &[(name, value)]).await.0, 401, "{name}");
        let (status, _) = send(&stage, "DELETE", "/v1/me", &[("authorization", &mine), (name, value)]).await;
        assert_eq!(status, 405, "{name}");
    }
}

/// There is no list of paths that need nobody to be signed in: only what the very route says.
#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_path_gets_past_the_sign_in() {
    let stage = Stage::set().await;
    let mut tried = 0;
    for op in ops() {
        let path = stage.fill(&op.path);
        if send(&stage, &op.method, &path, &[]).await.0 != 401 {
            continue;
        }
        let head = stage.head().await;
        let tail = path.strip_prefix("/v1/").unwrap();
        for bent in [
            format!("//v1/{tail}"),
            format!("/v1//{tail}"),
            format!("/v1/./{tail}"),
            format!("/v1/health/../{tail}"),
            format!("/v1/openapi.json/../{tail}"),
            format!("/v1/health/%2e%2e/{tail}"),
            format!("/v1/health/..%2f{tail}"),
            format!("/v1/health;/{tail}"),
            format!("/v1/health/..;/{tail}"),
            format!("/v1/{tail}/"),
            format!("/v1/{tail};.json"),
            format!("/v1/{tail}%00"),
            format!("/v1/{tail}%23"),
            format!("/v1/{tail}%3f/v1/health"),
            format!("/v1/{tail}?/v1/health"),
            format!("/v1%2f{tail}"),
            format!("/V1/{tail}"),
            format!("/ui/../v1/{tail}"),
            format!("/v1/%5c..%5c{tail}"),
            format!("/v1/{}", tail.replacen('e', "%65", 1)),
        ] {
            let (status, said) = send(&stage, &op.method, &bent, &[]).await;
            let page = bent.starts_with("/ui/") && op.method == "GET";
            assert!([400, 401, 404, 405, 415, 422].contains(&status) || page, "{} {bent}: {status} {said}", op.method);
            assert_eq!(stage.head().await, head, "{} {bent}: {status} {said}", op.method);
            tried += 1;
        }
    }
    assert!(tried > 1500, "{tried}");
}

async fn page(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = Request::builder().method("GET").uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = stage.house.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    (status, String::from_utf8_lossy(&to_bytes(answer.into_body(), 1 << 22).await.unwrap()).into_owned())
}

/// What a page of the server shows, it shows to whoever is signed in in that browser: nothing else that is said of who
/// that is counts, and no other spelling of its path is another page.
#[tokio::test(flavor = "multi_thread")]
async fn no_header_and_no_spelling_shows_a_page_to_nobody() {
    let stage = Stage::set().await;
    let (cookie, bearer) = (format!("wane={}", stage.house.token), format!("Bearer {}", stage.house.token));
    for (path, words) in [
        ("/waiting", "What waits for you"),
        ("/approver-keys", "sign approvals"),
        ("/sign-in", "You are signed in as"),
        ("/sign-in/session", "\"page\":\""),
    ] {
        let hers = page(&stage, path, &[("cookie", &cookie)]).await;
        let shown = |said: &str| said.contains(words);
        assert!(hers.0 == 200 && shown(&hers.1), "{path}: {hers:?}");
        for (name, value) in [
            ("authorization", bearer.as_str()),
            ("x-forwarded-user", "ada"),
            ("remote-user", "ada"),
            ("x-original-url", "/v1/health"),
            ("cookie", "wane=ada"),
            ("cookie", "__Host-wane=x; wane="),
            ("x-cookie", cookie.as_str()),
        ] {
            let (status, said) = page(&stage, path, &[(name, value)]).await;
            assert!(!shown(&said), "{path}, {name}: {value}: {status} {said}");
        }
        let tail = path.strip_prefix('/').unwrap();
        for bent in [
            format!("//{tail}"),
            format!("/./{tail}"),
            format!("/ui/../{tail}"),
            format!("/ui/..%2f{tail}"),
            format!("/ui/%2e%2e/{tail}"),
            format!("/login.css/../{tail}"),
            format!("/{tail}/"),
            format!("/{tail};x"),
            format!("/{tail}%00"),
            format!("/{}", tail.to_uppercase()),
            format!("/{}", tail.replacen('i', "%69", 1)),
        ] {
            let (status, said) = page(&stage, &bent, &[]).await;
            assert!(!shown(&said) && [200, 303, 307, 308, 400, 404, 405].contains(&status), "{bent}: {status} {said}");
        }
    }
}
