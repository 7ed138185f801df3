//! Answers and refusals: each with a nonce for the next call, and the way to the directory.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CONTENT_TYPE, LINK, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
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
        let refused =
            |status: StatusCode, why: &str| refusal_as(&shared.app, status, &Refused::new(Sort::Malformed, why));
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
    refusal_as(app, status, refused)
}

/// The same with a more precise status.
pub(crate) fn refusal_as(app: &App, status: StatusCode, refused: &Refused) -> Response {
    let mut body = refused.json();
    if let Some(map) = body.as_object_mut() {
        map.insert("status".to_owned(), json!(status.as_u16()));
    }
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if refused.sort == Sort::Busy {
        headers.insert(RETRY_AFTER, HeaderValue::from(1));
    } else if refused.sort == Sort::RateLimited {
        headers.insert(RETRY_AFTER, HeaderValue::from(3600));
    }
    if let Some(at) = &refused.at {
        put(headers, LOCATION, at);
    }
    ways(app, headers);
    response
}

/// What lies around the routes refuses in words of its own: clients of ACME are told in theirs, with a nonce to go on with.
pub(crate) async fn in_its_words(State(shared): State<Arc<Shared>>, response: Response) -> Response {
    let status = response.status();
    if response.headers().contains_key(NONCE) || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let refused = match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refused::new(Sort::Malformed, format!("a call has {} bytes at the most", wane_acme::LONGEST))
        }
        _ if status.is_client_error() => Refused::new(Sort::Malformed, "the call could not be read"),
        _ => Refused::new(Sort::Busy, "there was no answer in time; look at how things stand, and send it again"),
    };
    refusal_as(&shared.app, status, &refused)
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
