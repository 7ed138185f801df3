//! A directory's call: who it is, and what it sent.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;
use wane_app::{AppError, DirectoryCaller, IfMatch};
use wane_scim::{Kind, Refused};

use super::answer::Refusal;
use crate::rim::input::no_twins;
use crate::shared::{Shared, bearer};

/// Versions that are named in one header.
const MOST_VERSIONS: usize = 32;

/// A directory is calling.
#[derive(Debug)]
pub(crate) struct Pushing(pub(crate) DirectoryCaller);

/// A body of JSON.
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Value);

/// The versions it must be at, or not be at.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    pub(crate) matching: IfMatch,
    none_matching: IfMatch,
    any_or_none: bool,
}

/// Lets nobody on but a directory, before anything of what it sent is read.
pub(crate) async fn known(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let token = bearer(request.headers()).ok_or(AppError::SignedOut)?;
    let caller = shared.app.authenticate_directory(token).await?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

impl FromRequestParts<Arc<Shared>> for Pushing {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        // Whoever let the body be read knows already who it is.
        if let Some(caller) = parts.extensions.get::<DirectoryCaller>() {
            return Ok(Self(caller.clone()));
        }
        let token = bearer(&parts.headers).ok_or(AppError::SignedOut)?;
        Ok(Self(shared.app.authenticate_directory(token).await?))
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !["", "application/scim+json", "application/json"].contains(&essence.as_str()) {
            return Err(Refusal::status(415, "send `Content-Type: application/scim+json`"));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Refusal::status(413, "the body is longer than is taken, or broke off"))?;
        no_twins(&body).map(Self).map_err(|why| Refused::new(Kind::InvalidSyntax, why).into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Versions {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let (matching, _) = versions(&parts.headers, IF_MATCH)?;
        let (none_matching, any_or_none) = versions(&parts.headers, IF_NONE_MATCH)?;
        Ok(Self { matching, none_matching, any_or_none })
    }
}

impl Versions {
    /// Whether whoever asks has it already as it is.
    pub(crate) fn has(&self, version: &str) -> bool {
        let named = |versions: &Vec<String>| versions.iter().any(|one| one == version);
        self.any_or_none || self.none_matching.as_ref().is_some_and(named)
    }
}

/// Versions of a header, weak as ours are (RFC 9110 section 8.8.3.2), and whether it says `*`.
fn versions(headers: &HeaderMap, name: axum::http::HeaderName) -> Result<(IfMatch, bool), Refusal> {
    let mut found: Option<Vec<String>> = None;
    let mut any = false;
    for value in headers.get_all(&name) {
        let text = value.to_str().map_err(|_| Refusal::status(400, format!("`{name}` is not text")))?;
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            if one == "*" {
                any = true;
                continue;
            }
            let all = found.get_or_insert_default();
            if all.len() >= MOST_VERSIONS {
                return Err(Refusal::status(400, format!("`{name}` names too many versions")));
            }
            let bare = one.strip_prefix("W/").unwrap_or(one).trim_matches('"');
            all.push(format!("W/\"{bare}\""));
        }
    }
    // Whatever is there is any of them.
    Ok(if any { (None, true) } else { (found, false) })
}
