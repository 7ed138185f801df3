//! What comes in: body, query and path, strictly. What a route does not know it refuses.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wane_api::{Class, Problem};

use super::failure::Failure;
use super::named::ByName;
use super::twins::NoTwins;

/// A JSON body. An empty one reads as `{}`; the route has no query.
#[derive(Debug)]
pub(crate) struct Input<T>(pub(crate) T);

/// A body that says nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// The query of a listing.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// What the path names; the route has no query.
#[derive(Debug)]
pub(crate) struct Of<T>(pub(crate) T);

/// What the path names, where the route has a query as well and takes it as [`Query`].
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        no_query(request.uri().query())?;
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await.map_err(|e| body_failure(e.status()))?;
        read_json(&headers, &body).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Of<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        no_query(parts.uri.query())?;
        Named::from_request_parts(parts, state).await.map(|Named(named)| Self(named))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(named) = Path::<T>::from_request_parts(parts, state).await.map_err(|_| {
            Failure::new(Class::Missing, "missing", format!("there is nothing at `{}`", parts.uri.path()))
        })?;
        Ok(Self(named))
    }
}

/// A body that could not be read whole.
pub(crate) fn body_failure(status: StatusCode) -> Failure {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Failure::status(status, "too-large", "the body is longer than this server takes; send less")
    } else {
        Failure::status(StatusCode::BAD_REQUEST, "broken-off", "the body broke off; send it again")
    }
}

fn no_query(query: Option<&str>) -> Result<(), Failure> {
    read_query::<Nothing>(query.unwrap_or_default()).map(drop)
}

fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Failure> {
    let pairs = serde_urlencoded::Deserializer::new(query_pairs(query));
    serde_path_to_error::deserialize(pairs).map_err(|e| {
        let field = path_of(e.path());
        Failure::field(field, e.into_inner().to_string())
    })
}

fn query_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Failure> {
    if body.is_empty() {
        return from_json(b"{}");
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let shown = essence.chars().take(64).collect::<String>();
        let detail = format!("`{shown}` is not read here; send `Content-Type: application/json`");
        return Err(Failure::status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
    }
    from_json(body)
}

/// Whether it is JSON is settled before it is read: after that, whatever is off is off in meaning.
fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let NoTwins(value) =
        serde_path_to_error::deserialize(&mut reader).map_err(|e| json_failure(&path_of(e.path()), e.inner()))?;
    reader.end().map_err(|e| json_failure("", &e))?;
    serde_path_to_error::deserialize(ByName(value)).map_err(|e| {
        let field = path_of(e.path());
        Failure::field(field, e.inner().to_string())
    })
}

/// JSON of any shape, in which nothing is said twice; or why it is none.
pub(crate) fn no_twins(body: &[u8]) -> Result<serde_json::Value, String> {
    let NoTwins(value) = serde_json::from_slice(body).map_err(|e| format!("the body is not JSON: {e}"))?;
    Ok(value)
}

/// Unparsable is 400 with the position; parsed but off is 422 with the field.
fn json_failure(field: &str, error: &serde_json::Error) -> Failure {
    if error.is_data() {
        return Failure::field(field, without_position(&error.to_string()));
    }
    let detail = format!("the body is not JSON: {error}");
    let position = format!("line {}, column {}", error.line(), error.column());
    Problem::with_status(400, "not-json", detail).field(field, position).into()
}

/// A position in a body that parses says less than the field does.
fn without_position(text: &str) -> &str {
    text.rfind(" at line ").map_or(text, |at| text.get(..at).unwrap_or(text))
}

fn path_of(path: &serde_path_to_error::Path) -> String {
    let path = path.to_string();
    if path == "." { String::new() } else { path }
}
