//! Resources.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use wane_api::Page;
use wane_api::query::Listing;
use wane_api::resource::{EditResource, Inventory, NewResource, Owner, Probe, ResourceView, SetCredential};
use wane_api::session::OneTimeCode;
use wane_app::{AppError, OwnerName, ResourceChange};
use wane_policy::schema::Action;

use super::made;
use crate::once::HandsOut;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{Names, at, catalogue};

fn owner(owner: Owner) -> OwnerName {
    match owner {
        Owner::Person(name) => OwnerName::Person(name),
        Owner::Group(name) => OwnerName::Group(name),
    }
}

/// Resources, by name.
#[utoipa::path(get, path = "/v1/resources", tag = "catalogue", params(Listing), responses((status = 200, body = Page<ResourceView>), Problems))]
pub(crate) async fn resources(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<ResourceView>>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadCatalogue)?;
    let view = |r| catalogue::resource(&shared.app, Names(&world), r);
    let mut resources: Vec<_> = world.resources.values().map(view).collect();
    resources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(read::page(resources, query.cursor.as_deref(), query.limit, |r| r.name.clone())?))
}

/// Registers a resource: it is reached and the kind's roles are checked there.
#[utoipa::path(post, path = "/v1/resources", tag = "catalogue", request_body = NewResource, responses((status = 201, body = ResourceView), Problems))]
pub(crate) async fn new_resource(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewResource>,
) -> Answer<(StatusCode, Json<ResourceView>)> {
    let new = wane_app::NewResource {
        name: read::text("name", &input.name)?,
        kind: read::text("kind", &input.kind)?,
        labels: read::facts("labels", &input.labels)?,
        owner: input.owner.map(owner),
        settings: input.settings,
        credential: input.credential.map(read::secret),
    };
    let resource = shared.app.add_resource(&caller, new).await?;
    let world = shared.app.world().await?;
    Ok(made(catalogue::resource(&shared.app, Names(&world), &resource)))
}

/// One resource.
#[utoipa::path(get, path = "/v1/resources/{name}", tag = "catalogue", params(("name" = String, Path)), responses((status = 200, body = ResourceView), Problems))]
pub(crate) async fn resource(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
) -> Answer<Json<ResourceView>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadCatalogue)?;
    let resource = world.resource(&name).ok_or_else(|| AppError::missing("resource", &name))?;
    Ok(Json(catalogue::resource(&shared.app, Names(&world), resource)))
}

/// Changes a resource.
#[utoipa::path(patch, path = "/v1/resources/{name}", tag = "catalogue", params(("name" = String, Path)), request_body = EditResource, responses((status = 200, body = ResourceView), Problems))]
pub(crate) async fn edit_resource(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<EditResource>,
) -> Answer<Json<ResourceView>> {
    let wanted = ResourceChange {
        labels: input.labels.as_ref().map(|l| read::facts("labels", l)).transpose()?,
        owner: read::edit(input.owner).map(|o| o.map(owner)),
        settings: input.settings,
    };
    let resource = shared.app.change_resource(&caller, &name, &wanted).await?;
    let world = shared.app.world().await?;
    Ok(Json(catalogue::resource(&shared.app, Names(&world), &resource)))
}

/// Takes a resource out.
#[utoipa::path(delete, path = "/v1/resources/{name}", tag = "catalogue", params(("name" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn remove_resource(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.remove_resource(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the connector's own credential at a resource. It is never shown again.
#[utoipa::path(put, path = "/v1/resources/{name}/credential", tag = "catalogue", params(("name" = String, Path)), request_body = SetCredential, responses((status = 204), Problems))]
pub(crate) async fn set_credential(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<SetCredential>,
) -> Answer<StatusCode> {
    shared.app.set_credential(&caller, &name, read::secret(input.credential)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks the kind's roles at the resource itself.
#[utoipa::path(post, path = "/v1/resources/{name}/probe", tag = "catalogue", params(("name" = String, Path)), responses((status = 200, body = Probe), Problems))]
pub(crate) async fn probe(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<Json<Probe>> {
    Ok(Json(catalogue::probe(shared.app.probe_resource(&caller, &name).await?)))
}

/// What stands at a resource, as it says itself.
#[utoipa::path(get, path = "/v1/resources/{name}/inventory", tag = "catalogue", params(("name" = String, Path)), responses((status = 200, body = Inventory), Problems))]
pub(crate) async fn inventory(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
) -> Answer<Json<Inventory>> {
    Ok(Json(catalogue::inventory(shared.app.inventory(&caller, &name).await?)))
}

/// A one-time code with which a host joins as this resource.
#[utoipa::path(post, path = "/v1/resources/{name}/join-code", tag = "catalogue", params(("name" = String, Path)), responses((status = 201, body = OneTimeCode), Problems))]
pub(crate) async fn join_code(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<(Extension<HandsOut>, (StatusCode, Json<OneTimeCode>))> {
    let (code, expires) = shared.app.join_code(&caller, &name).await?;
    let view = OneTimeCode { code: read::reveal(code), expires: at(expires) };
    Ok((Extension(HandsOut(None)), made(view)))
}
