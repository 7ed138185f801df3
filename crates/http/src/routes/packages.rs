//! Access packages.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::Page;
use wane_api::package::{NewPackage, PackageView};
use wane_api::query::Listing;
use wane_app::AppError;
use wane_policy::schema::Action;

use super::made;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{self, Names};

/// Packages, by name. They say who is in them, so it takes the right to read who is here.
#[utoipa::path(get, path = "/v1/packages", tag = "catalogue", params(Listing), responses((status = 200, body = Page<PackageView>), Problems))]
pub(crate) async fn packages(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<PackageView>>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadDirectory)?;
    let mut packages: Vec<_> = world.packages.values().map(|p| view::package::package(Names(&world), p)).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(read::page(packages, query.cursor.as_deref(), query.limit, |p| p.name.clone())?))
}

/// Enters a package. Whoever it is for is asked for at once, and policy answers as if they had asked.
#[utoipa::path(post, path = "/v1/packages", tag = "catalogue", request_body = NewPackage, responses((status = 201, body = PackageView), Problems))]
pub(crate) async fn new_package(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewPackage>,
) -> Answer<(StatusCode, Json<PackageView>)> {
    let new = wane_app::NewPackage {
        name: read::text("name", &input.name)?,
        description: read::text("description", input.description.as_deref().unwrap_or_default())?,
        items: input.items.into_iter().map(|item| (item.role, item.resource)).collect(),
        groups: input.groups.iter().map(|group| read::text("groups", group)).collect::<Result<_, _>>()?,
        attributes: read::facts("attributes", &input.attributes)?,
        at_most: read::maybe("at_most", input.at_most.as_deref())?,
    };
    let package = shared.app.add_package(&caller, &new).await?;
    let world = shared.app.world().await?;
    Ok(made(view::package::package(Names(&world), &package)))
}

/// One package.
#[utoipa::path(get, path = "/v1/packages/{name}", tag = "catalogue", params(("name" = String, Path)), responses((status = 200, body = PackageView), Problems))]
pub(crate) async fn package(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
) -> Answer<Json<PackageView>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadDirectory)?;
    let package = world.package(&name).ok_or_else(|| AppError::missing("package", &name))?;
    Ok(Json(view::package::package(Names(&world), package)))
}

/// Takes a package out. What was granted out of it ends.
#[utoipa::path(delete, path = "/v1/packages/{name}", tag = "catalogue", params(("name" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn remove_package(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.remove_package(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
