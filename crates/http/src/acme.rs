//! ACME under `/acme` (RFC 8555, and RFC 9773 for when to renew). Not part of the API that people and programs of ours use,
//! and described by its directory.
//!
//! Owns: addresses, bodies as they come in, answers and refusals as the standards shape them. What is believed of a call
//! and what follows from it is the use-cases' business.

mod answer;
mod routes;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::shared::Shared;

pub(crate) use answer::in_its_words;

/// The longest body, in bytes.
pub(crate) const LONGEST_BODY: usize = wane_acme::LONGEST;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/acme/directory", get(routes::directory))
        .route("/acme/new-nonce", get(routes::nonce))
        .route("/acme/new-account", post(routes::new_account))
        .route("/acme/account/{id}", post(routes::account))
        .route("/acme/account/{id}/orders", post(routes::orders))
        .route("/acme/key-change", post(routes::change_key))
        .route("/acme/new-order", post(routes::new_order))
        .route("/acme/order/{id}", post(routes::order))
        .route("/acme/order/{id}/finalize", post(routes::finalize))
        .route("/acme/authz/{id}/{at}", post(routes::authorization))
        .route("/acme/cert/{id}", post(routes::certificate))
        .route("/acme/revoke-cert", post(routes::revoke))
        .route("/acme/renewal-info/{certificate}", get(routes::renewal))
        .method_not_allowed_fallback(routes::not_allowed)
}
