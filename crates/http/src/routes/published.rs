//! What anybody may fetch: certificates of authorities, and what of theirs is revoked. Public by its nature, and signed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use wane_app::AppError;

use crate::openapi::Problems;
use crate::rim::{Answer, Nothing, Of, Query};
use crate::shared::Shared;

/// A paper that a kind publishes, such as an authority's revocation list.
#[utoipa::path(get, path = "/v1/published/{kind}/{name}", tag = "published", security(()), params(("kind" = String, Path), ("name" = String, Path)), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), Problems))]
pub(crate) async fn published(
    State(shared): State<Arc<Shared>>,
    Of((kind, name)): Of<(String, String)>,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Response> {
    let kind = kind.parse().map_err(|_| AppError::missing("paper", &name))?;
    let paper = shared.app.published(&kind, &name).await?;
    let mut response = Response::new(Body::from(paper.bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(paper.media));
    Ok(response)
}
