//! Sending people away, and the report of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wane_api::leaving::{LeavingQuery, LeavingView, Offboard};
use wane_app::Look;

use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Input, Named, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{self, Names};

/// Sends a person away: they are disabled, how they sign in and their groups are taken away, and everything they hold
/// ends. Doing it again changes nothing more.
#[utoipa::path(post, path = "/v1/people/{name}/offboard", tag = "directory", params(("name" = String, Path)), request_body = Offboard, responses((status = 200, body = LeavingView), Problems))]
pub(crate) async fn offboard(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<Offboard>,
) -> Answer<Json<LeavingView>> {
    let why = read::maybe("reason", input.reason.as_deref())?;
    shared.app.offboard(&caller, &name, why.as_ref()).await?;
    let report = shared.app.left(&caller, &name, Look::No).await?;
    let world = shared.app.world().await?;
    Ok(Json(view::leaving::report(&shared.app, Names(&world), &report)))
}

/// What came of somebody's leaving: each thing they held, how it ended, and what is still owed.
#[utoipa::path(get, path = "/v1/people/{name}/leaving", tag = "directory", params(("name" = String, Path), LeavingQuery), responses((status = 200, body = LeavingView), Problems))]
pub(crate) async fn leaving(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Named(name): Named<String>,
    Query(query): Query<LeavingQuery>,
) -> Answer<Json<LeavingView>> {
    let look = if query.accounts == Some(true) { Look::AtTargets } else { Look::No };
    let report = shared.app.leaving(&caller, &name, look).await?;
    let world = shared.app.world().await?;
    Ok(Json(view::leaving::report(&shared.app, Names(&world), &report)))
}
