//! The ways somebody comes in besides a password.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::ways_in::{NewIdentity, WayInKind, WayInView, WaysIn};
use wane_app::{AppError, WayKind, WayShown};

use super::made;
use crate::openapi::Problems;
use crate::rim::{Answer, Input, Nothing, Of};
use crate::shared::{Shared, Signed};
use crate::view::at;

/// Identities at providers and passkeys of a person, oldest first; one's own without leave.
#[utoipa::path(get, path = "/v1/people/{name}/ways-in", tag = "directory", params(("name" = String, Path)), responses((status = 200, body = WaysIn), Problems))]
pub(crate) async fn ways_in(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
) -> Answer<Json<WaysIn>> {
    let ways = shared.app.ways_in(&caller, &name).await?;
    Ok(Json(WaysIn { items: ways.into_iter().map(view).collect() }))
}

/// Says that an identity at a provider is this person.
#[utoipa::path(post, path = "/v1/people/{name}/identities", tag = "directory", params(("name" = String, Path)), request_body = NewIdentity, responses((status = 201, body = WayInView), Problems))]
pub(crate) async fn new_identity(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<NewIdentity>,
) -> Answer<(StatusCode, Json<WayInView>)> {
    let way = shared.app.link_identity(&caller, &name, &input.provider, &input.subject).await?;
    Ok(made(view(way)))
}

/// Takes a way in away, with the sessions that were begun by it.
#[utoipa::path(delete, path = "/v1/people/{name}/ways-in/{id}", tag = "directory", params(("name" = String, Path), ("id" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn remove_way_in(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of((name, id)): Of<(String, String)>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    let id = id.parse().map_err(|_| AppError::missing("way to sign in", &id))?;
    shared.app.remove_way_in(&caller, &name, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(way: WayShown) -> WayInView {
    let (kind, provider, subject) = match way.what {
        WayKind::Identity { provider, subject } => (WayInKind::Identity, Some(provider), Some(subject)),
        WayKind::Passkey => (WayInKind::Passkey, None, None),
    };
    WayInView {
        id: way.id.to_string(),
        kind,
        name: way.name,
        provider,
        subject,
        since: at(way.since),
        used: way.used.map(at),
    }
}
