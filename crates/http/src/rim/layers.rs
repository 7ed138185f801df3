//! What lies around every route: headers, time, size, and words for what is not there.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use wane_api::Class;

use super::failure::Failure;
use super::input::body_failure;

/// Headers that keep answers out of caches and from being taken for anything but data. A page says for
/// itself what it may load and where it may lead.
pub(crate) async fn headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Gives up on an answer that takes too long. What was begun at a target is swept by name.
pub(crate) async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Result<Response, Failure> {
    tokio::time::timeout(limit, next.run(request)).await.map_err(|_| {
        let detail = format!("no answer within {} s; look at how things stand before trying again", limit.as_secs());
        Failure::new(Class::Busy, "too-slow", detail)
    })
}

/// Reads the body whole, within a bound, before anything is decided.
pub(crate) async fn whole_body(State(limit): State<usize>, request: Request, next: Next) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let declared = parts.headers.get("content-length").and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > limit) {
        return Err(body_failure(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let bytes = to_bytes(body, limit).await.map_err(|e| {
        let too_large = std::error::Error::source(&e).is_some_and(|s| s.is::<http_body_util::LengthLimitError>());
        body_failure(if too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST })
    })?;
    Ok(next.run(Request::from_parts(parts, Body::from(bytes))).await)
}

/// No such route.
pub(crate) async fn not_found(uri: Uri) -> Failure {
    let path = uri.path().chars().take(128).collect::<String>();
    Failure::new(
        Class::Missing,
        "no-such-route",
        format!("there is nothing at `{path}`; the routes are in `/v1/openapi.json`"),
    )
}

/// A route, but not with this method.
pub(crate) async fn not_allowed(method: Method, uri: Uri) -> Failure {
    let detail = format!("`{}` does not take {method}; the routes are in `/v1/openapi.json`", uri.path());
    Failure::status(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", detail)
}
