//! Answers and refusals: each with a nonce for the next call, and the way to the directory.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, LINK, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use wane_acme::{Refused, Sort};
use wane_api::problem::PROBLEM_JSON;
use wane_app::App;

use crate::shared::Shared;

const NONCE: HeaderName = HeaderName::from_static("replay-nonce");
const JOSE: &str = "application/jose+json";

/// The body of a call.
#[derive(Debug)]
pub(crate) struct Sent(pub(crate) Bytes);

impl FromRequest<Arc<Shared>> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Response> {
        let refused = |status: StatusCode, why: &str| {
            let mut response = refusal(&shared.app, &Refused::new(Sort::Malformed, why));
            *response.status_mut() = status;
            response
        };
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JOSE) {
            return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send `Content-Type: application/jose+json`"));
        }
        if request.uri().query().is_some() {
            return Err(refused(StatusCode::BAD_REQUEST, "addresses here have no query"));
        }
        let broken = |_| refused(StatusCode::BAD_REQUEST, "the body broke off");
        Bytes::from_request(request, shared).await.map(Self).map_err(broken)
    }
}

/// A refusal on its way out.
pub(crate) fn refusal(app: &App, refused: &Refused) -> Response {
    let status = StatusCode::from_u16(refused.sort.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(refused.json())).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if refused.sort == Sort::Busy {
        headers.insert(RETRY_AFTER, HeaderValue::from(1));
    } else if refused.sort == Sort::RateLimited {
        headers.insert(RETRY_AFTER, HeaderValue::from(3600));
    }
    ways(app, headers);
    response
}

/// An answer in JSON; `at` is where that is found again.
pub(crate) fn answer(app: &App, status: StatusCode, at: Option<&str>, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    if let Some(at) = at {
        put(headers, LOCATION, &app.acme_url(at));
    }
    ways(app, headers);
    response
}

/// What every answer to a call has (RFC 8555, sections 6.5 and 7.1).
pub(crate) fn ways(app: &App, headers: &mut HeaderMap) {
    put(headers, NONCE, &app.acme_nonce());
    put(headers, LINK, &format!("<{}>;rel=\"index\"", app.acme_url("/acme/directory")));
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
