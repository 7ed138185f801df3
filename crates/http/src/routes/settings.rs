//! Settings of the running server.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wane_api::settings::SettingsView;
use wane_policy::schema::Action;

use crate::openapi::Problems;
use crate::rim::{Answer, Nothing, Query};
use crate::shared::{Shared, Signed};

/// What the running server was started with: each setting, where its value came from, and what it is for. For those
/// who may read policies. Never a secret.
#[utoipa::path(get, path = "/v1/settings", tag = "server", responses((status = 200, body = SettingsView), Problems))]
pub(crate) async fn settings(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<SettingsView>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadPolicy)?;
    Ok(Json(SettingsView { items: shared.settings.clone() }))
}
