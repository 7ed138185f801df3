//! Routes to use-cases.
//!
//! Owns: who is calling, what they sent, what they get back, the OpenAPI document, which is made from the
//! very routes that serve, and the few pages that need no web UI. Refuses to know: how anything is decided or stored. Every route
//! calls one use-case, and that asks policy.

mod acme;
mod addresses;
mod oauth;
mod once;
mod openapi;
mod pages;
mod read;
mod refused;
mod rim;
mod routes;
mod scim;
mod shared;
mod view;

use std::sync::Arc;

use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;
use wane_app::App;

pub use addresses::Peer;
pub use openapi::document;
pub use shared::Limits;

/// A door for a fuzz target, which stands outside this crate: a form as OAuth has it.
#[doc(hidden)]
pub mod fuzzed {
    pub use crate::oauth::fuzzed_form as form;
}

use rim::layers;
use shared::Shared;

/// Everything under `/v1`, and the pages. Once `stop` is cancelled, event streams end, so that the server can.
pub fn router(app: Arc<App>, limits: &Limits, stop: CancellationToken) -> Router {
    let shared = Shared::new(app, limits, stop);
    let (calls, _) = routes::calls().split_for_parts();
    let (streams, _) = routes::streams().split_for_parts();
    let calls = calls
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), once::once))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), addresses::bounded))
        .layer(middleware::from_fn_with_state(limits.body, layers::whole_body))
        .layer(middleware::from_fn_with_state(limits.call, layers::in_time));
    let pages = pages::router()
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), addresses::bounded))
        .layer(middleware::from_fn_with_state(pages::LONGEST_FORM, layers::whole_body))
        .layer(middleware::from_fn_with_state(limits.call, layers::in_time));
    // Bodies are long, so nobody unknown has one read.
    let pushes = scim::router()
        .layer(middleware::from_fn_with_state(scim::LONGEST_BODY, layers::whole_body))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), scim::known))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), addresses::bounded))
        .layer(middleware::from_fn_with_state(limits.call, layers::in_time));
    let oauth = oauth::calls()
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), addresses::bounded))
        .layer(middleware::from_fn_with_state(oauth::LONGEST_BODY, layers::whole_body))
        .layer(middleware::from_fn_with_state(limits.call, layers::in_time));
    let acme = acme::router()
        .layer(middleware::from_fn_with_state(acme::LONGEST_BODY, layers::whole_body))
        .layer(middleware::from_fn_with_state(limits.call, layers::in_time))
        .layer(middleware::map_response_with_state(Arc::clone(&shared), acme::in_its_words));
    calls
        .merge(streams)
        .merge(acme)
        .merge(oauth)
        .merge(oauth::streams())
        .merge(pages)
        .merge(pushes)
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::not_allowed)
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(middleware::map_response(layers::headers))
        .with_state(shared)
}
