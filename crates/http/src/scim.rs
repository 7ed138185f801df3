//! SCIM 2.0 (RFC 7644) under `/scim/v2`: what directories push to. Not part of the API that people and programs of
//! ours use, and described by itself, as the standard has it.
//!
//! Owns: who is calling, reading and writing `application/scim+json`, errors as the standard shapes them. What a
//! push means is the use-cases' business.

mod answer;
mod bulk;
mod call;
mod described;
mod query;
mod routes;

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use wane_scim::schema::ResourceKind;

use crate::shared::Shared;
use answer::Refusal;
pub(crate) use call::known;

/// The longest body, in bytes.
pub(crate) const LONGEST_BODY: usize = wane_scim::bulk::LONGEST_BODY;

/// Where all of it is.
pub(crate) const ROOT: &str = "/scim/v2";

pub(crate) fn router() -> Router<Arc<Shared>> {
    let inner = Router::new()
        .route("/Users", get(routes::users).post(routes::new_user))
        .route(&of(ResourceKind::User, ".search"), post(routes::search_users))
        .route(
            &of(ResourceKind::User, "{id}"),
            get(routes::user).put(routes::put_user).patch(routes::patch_user).delete(routes::delete_user),
        )
        .route("/Groups", get(routes::groups).post(routes::new_group))
        .route(&of(ResourceKind::Group, ".search"), post(routes::search_groups))
        .route(
            &of(ResourceKind::Group, "{id}"),
            get(routes::group).put(routes::put_group).patch(routes::patch_group).delete(routes::delete_group),
        )
        .route("/.search", post(routes::search))
        .route("/Bulk", post(bulk::bulk))
        .route("/ServiceProviderConfig", get(described::server))
        .route("/ResourceTypes", get(described::resource_types))
        .route("/ResourceTypes/{id}", get(described::resource_type))
        .route("/Schemas", get(described::schemas))
        .route("/Schemas/{id}", get(described::schema))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed);
    Router::new().nest(ROOT, inner)
}

/// A path below that of a kind.
fn of(kind: ResourceKind, rest: &str) -> String {
    format!("/{}/{rest}", kind.endpoint())
}

async fn not_found(uri: Uri) -> Refusal {
    let shown: String = uri.path().chars().take(128).collect();
    Refusal::status(404, format!("there is nothing at `{shown}`"))
}

async fn not_allowed(method: Method) -> Refusal {
    Refusal::status(405, format!("this does not take {method}"))
}
