//! OAuth 2 under `/oauth2`: introspection (RFC 7662), revocation (RFC 7009), token exchange (RFC 8693), a check for
//! servers in front of servers, and the feed of ends. Not part of the API that people and programs of ours use, and
//! described by itself (RFC 8414).
//!
//! Owns: forms, who is calling, answers and refusals as the standards shape them. What a token is good for is the
//! use-cases' business.

mod answer;
mod call;
mod feed;
mod form;
mod routes;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::shared::Shared;
#[doc(hidden)]
pub use form::fuzzed as fuzzed_form;

/// The longest body, in bytes: tokens and a proof.
pub(crate) const LONGEST_BODY: usize = 64 * 1024;
/// What is guarded like a sign-in: whoever fails here too often has to wait.
pub(crate) const GUARDED: [&str; 1] = ["/oauth2/introspect"];

pub(crate) fn calls() -> Router<Arc<Shared>> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(routes::metadata))
        .route("/.well-known/openid-configuration", get(routes::discovery))
        .route("/oauth2/token", post(routes::token))
        .route("/oauth2/introspect", post(routes::introspect))
        .route("/oauth2/revoke", post(routes::revoke))
        .route("/oauth2/check", get(routes::check))
}

/// What has no end.
pub(crate) fn streams() -> Router<Arc<Shared>> {
    Router::new().route("/oauth2/feed", get(feed::feed))
}
