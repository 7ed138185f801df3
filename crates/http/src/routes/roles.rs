//! Roles.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::Page;
use wane_api::query::Listing;
use wane_api::role::{EditRole, NewRole, RoleView};
use wane_app::{AppError, RoleChange};
use wane_domain::text::Name;
use wane_policy::schema::Action;

use super::made;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::catalogue;

/// Roles, by kind and name.
#[utoipa::path(get, path = "/v1/roles", tag = "catalogue", params(Listing), responses((status = 200, body = Page<RoleView>), Problems))]
pub(crate) async fn roles(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<RoleView>>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadCatalogue)?;
    let mut roles = world.roles.values().map(catalogue::role).collect::<Result<Vec<_>, _>>()?;
    roles.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    // A colon is in no name, so that the cursor is plain text and names one role.
    Ok(Json(read::page(roles, query.cursor.as_deref(), query.limit, |r| format!("{}:{}", r.kind, r.name))?))
}

/// Enters a role, after checking it at the resources of its kind that answer.
#[utoipa::path(post, path = "/v1/roles", tag = "catalogue", request_body = NewRole, responses((status = 201, body = RoleView), Problems))]
pub(crate) async fn new_role(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewRole>,
) -> Answer<(StatusCode, Json<RoleView>)> {
    let new = wane_app::NewRole {
        name: read::text("name", &input.name)?,
        kind: read::text("kind", &input.kind)?,
        description: read::text("description", &input.description)?,
        definition: input.definition,
    };
    Ok(made(catalogue::role(&shared.app.add_role(&caller, &new).await?)?))
}

/// One role.
#[utoipa::path(get, path = "/v1/roles/{kind}/{name}", tag = "catalogue", params(("kind" = String, Path), ("name" = String, Path)), responses((status = 200, body = RoleView), Problems))]
pub(crate) async fn role(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of((kind, name)): Of<(String, String)>,
) -> Answer<Json<RoleView>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadCatalogue)?;
    let role = world.role(&kind_of(&kind)?, &name).ok_or_else(|| AppError::missing("role", &name))?;
    Ok(Json(catalogue::role(role)?))
}

/// Changes a role. What was granted under its former definition ends.
#[utoipa::path(patch, path = "/v1/roles/{kind}/{name}", tag = "catalogue", params(("kind" = String, Path), ("name" = String, Path)), request_body = EditRole, responses((status = 200, body = RoleView), Problems))]
pub(crate) async fn edit_role(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of((kind, name)): Of<(String, String)>,
    Input(input): Input<EditRole>,
) -> Answer<Json<RoleView>> {
    let description = read::maybe("description", input.description.as_deref())?;
    let wanted = RoleChange { description, definition: input.definition };
    Ok(Json(catalogue::role(&shared.app.change_role(&caller, &kind_of(&kind)?, &name, &wanted).await?)?))
}

/// Takes a role out.
#[utoipa::path(delete, path = "/v1/roles/{kind}/{name}", tag = "catalogue", params(("kind" = String, Path), ("name" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn remove_role(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of((kind, name)): Of<(String, String)>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.remove_role(&caller, &kind_of(&kind)?, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn kind_of(kind: &str) -> Answer<Name> {
    Ok(kind.parse().map_err(|_| AppError::missing("kind", kind))?)
}
