//! Who is calling: a resource server, by what it was given when it joined.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use data_encoding::BASE64;
use wane_domain::id::ResourceId;

use super::answer::Refusal;
use crate::shared::{Shared, bearer};

/// The credential of a server that has something else in `Authorization`: the call it asks about.
pub(crate) const SERVER: &str = "wane-server";

/// A resource server is calling.
#[derive(Debug)]
pub(crate) struct Server(pub(crate) ResourceId);

impl FromRequestParts<Arc<Shared>> for Server {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let (name, credential) = presented(&parts.headers).ok_or_else(Refusal::client)?;
        known(shared, name.as_deref(), &credential).await.map(Self)
    }
}

/// What a server shows of itself: its name, if it gives one, and its credential.
fn presented(headers: &HeaderMap) -> Option<(Option<String>, String)> {
    match basic(headers) {
        Some((name, credential)) => Some((Some(name), credential)),
        None => bearer(headers).map(|credential| (None, credential.to_owned())),
    }
}

/// The credential that a server shows.
pub(crate) fn credential(headers: &HeaderMap) -> Option<String> {
    presented(headers).map(|(_, credential)| credential)
}

/// The resource server with this credential.
pub(crate) async fn known(shared: &Shared, name: Option<&str>, credential: &str) -> Result<ResourceId, Refusal> {
    match shared.app.resource_server(name, credential).await {
        Ok(id) => Ok(id),
        Err(wane_app::AppError::SignedOut) => Err(Refusal::client()),
        Err(error) => Err(error.into()),
    }
}

/// Name and password of `Authorization: Basic …` (RFC 7617), sent exactly once. Neither of ours has a character that
/// OAuth would have encoded.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// A header that is sent exactly once.
pub(crate) fn once<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok().filter(|text| !text.is_empty())
}

/// The token that a call came with, whichever way it says it is used.
pub(crate) fn token_of(headers: &HeaderMap) -> Option<(Scheme, &str)> {
    let value = once(headers, AUTHORIZATION.as_str())?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "dpop" => Scheme::Dpop,
        _ if bearer(headers).is_some() => Scheme::Bearer,
        _ => return None,
    };
    (!token.is_empty()).then_some((scheme, token))
}

/// How a token is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    Dpop,
}
