//! People and groups.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use wane_api::Page;
use wane_api::directory::{EditPerson, GroupView, LdapView, NewGroup, NewPerson, PersonView, Standing};
use wane_api::query::Listing;
use wane_api::session::OneTimeCode;
use wane_app::{AppError, Membership, PersonChange};
use wane_domain::directory;
use wane_domain::text::Name;
use wane_policy::schema::Action;

use super::made;
use crate::once::HandsOut;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{self, Names, at};

/// People, by name.
#[utoipa::path(get, path = "/v1/people", tag = "directory", params(Listing), responses((status = 200, body = Page<PersonView>), Problems))]
pub(crate) async fn people(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<PersonView>>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadDirectory)?;
    let mut people: Vec<_> = world.people.values().map(|p| view::directory::person(Names(&world), p)).collect();
    people.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(read::page(people, query.cursor.as_deref(), query.limit, |p| p.name.clone())?))
}

/// The directories of the settings that people and groups come from.
#[utoipa::path(get, path = "/v1/pulled-directories", tag = "directory", params(Listing), responses((status = 200, body = Page<LdapView>), Problems))]
pub(crate) async fn pulled(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<LdapView>>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadDirectory)?;
    let mut all: Vec<_> = shared.app.directory_statuses().into_iter().map(view::directory::directory).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(read::page(all, query.cursor.as_deref(), query.limit, |d| d.name.clone())?))
}

/// Enters a person.
#[utoipa::path(post, path = "/v1/people", tag = "directory", request_body = NewPerson, responses((status = 201, body = PersonView), Problems))]
pub(crate) async fn new_person(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewPerson>,
) -> Answer<(StatusCode, Json<PersonView>)> {
    let new = wane_app::NewPerson {
        name: read::text("name", &input.name)?,
        display: read::text("display", input.display.as_deref().unwrap_or(&input.name))?,
        manager: input.manager,
        attributes: read::facts("attributes", &input.attributes)?,
        stay: wane_app::NewStay { until: input.until.map(read::time), sponsor: input.sponsor },
    };
    let person = shared.app.add_person(&caller, &new).await?;
    let world = shared.app.world().await?;
    Ok(made(view::directory::person(Names(&world), &person)))
}

/// One person; one's own entry without leave.
#[utoipa::path(get, path = "/v1/people/{name}", tag = "directory", params(("name" = String, Path)), responses((status = 200, body = PersonView), Problems))]
pub(crate) async fn person(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
) -> Answer<Json<PersonView>> {
    let world = shared.app.world().await?;
    if name != caller.name.as_str() {
        shared.app.allow(&caller, &world, Action::ReadDirectory)?;
    }
    let person = world.person(&name).ok_or_else(|| AppError::missing("person", &name))?;
    Ok(Json(view::directory::person(Names(&world), person)))
}

/// Changes a person; disabling one ends everything they hold.
#[utoipa::path(patch, path = "/v1/people/{name}", tag = "directory", params(("name" = String, Path)), request_body = EditPerson, responses((status = 200, body = PersonView), Problems))]
pub(crate) async fn edit_person(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<EditPerson>,
) -> Answer<Json<PersonView>> {
    let wanted = PersonChange {
        display: read::maybe("display", input.display.as_deref())?,
        manager: read::edit(input.manager),
        attributes: input.attributes.as_ref().map(|a| read::facts("attributes", a)).transpose()?,
        standing: input.standing.map(|s| match s {
            Standing::Active => directory::Standing::Active,
            Standing::Disabled => directory::Standing::Disabled,
        }),
        until: read::edit(input.until).map(|until| until.map(read::time)),
        sponsor: read::edit(input.sponsor),
    };
    let person = shared.app.change_person(&caller, &name, &wanted).await?;
    let world = shared.app.world().await?;
    Ok(Json(view::directory::person(Names(&world), &person)))
}

/// A one-time code with which a person sets up a local sign-in.
#[utoipa::path(post, path = "/v1/people/{name}/enrolment", tag = "directory", params(("name" = String, Path)), responses((status = 201, body = OneTimeCode), Problems))]
pub(crate) async fn enrolment(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<(Extension<HandsOut>, (StatusCode, Json<OneTimeCode>))> {
    let (code, expires) = shared.app.enrolment_code(&caller, &name).await?;
    let view = OneTimeCode { code: read::reveal(code), expires: at(expires) };
    Ok((Extension(HandsOut(None)), made(view)))
}

/// Groups, by name.
#[utoipa::path(get, path = "/v1/groups", tag = "directory", params(Listing), responses((status = 200, body = Page<GroupView>), Problems))]
pub(crate) async fn groups(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<GroupView>>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadDirectory)?;
    let mut groups: Vec<_> = world.groups.values().map(|g| view::directory::group(Names(&world), g)).collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(read::page(groups, query.cursor.as_deref(), query.limit, |g| g.name.clone())?))
}

/// Makes a group.
#[utoipa::path(post, path = "/v1/groups", tag = "directory", request_body = NewGroup, responses((status = 201, body = GroupView), Problems))]
pub(crate) async fn new_group(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewGroup>,
) -> Answer<(StatusCode, Json<GroupView>)> {
    let name: Name = read::text("name", &input.name)?;
    let description = read::text("description", input.description.as_deref().unwrap_or_default())?;
    let group = shared.app.add_group(&caller, &name, &description).await?;
    let world = shared.app.world().await?;
    Ok(made(view::directory::group(Names(&world), &group)))
}

/// One group.
#[utoipa::path(get, path = "/v1/groups/{name}", tag = "directory", params(("name" = String, Path)), responses((status = 200, body = GroupView), Problems))]
pub(crate) async fn group(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
) -> Answer<Json<GroupView>> {
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::ReadDirectory)?;
    let group = world.group(&name).ok_or_else(|| AppError::missing("group", &name))?;
    Ok(Json(view::directory::group(Names(&world), group)))
}

/// Puts a person into a group.
#[utoipa::path(put, path = "/v1/groups/{name}/members/{person}", tag = "directory", params(("name" = String, Path), ("person" = String, Path)), responses((status = 200, body = GroupView), Problems))]
pub(crate) async fn add_member(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of((name, person)): Of<(String, String)>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<Json<GroupView>> {
    set_member(&shared, &caller, &name, &person, Membership::In).await
}

/// Takes a person out of a group.
#[utoipa::path(delete, path = "/v1/groups/{name}/members/{person}", tag = "directory", params(("name" = String, Path), ("person" = String, Path)), responses((status = 200, body = GroupView), Problems))]
pub(crate) async fn remove_member(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of((name, person)): Of<(String, String)>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<Json<GroupView>> {
    set_member(&shared, &caller, &name, &person, Membership::Out).await
}

async fn set_member(
    shared: &Shared,
    caller: &wane_app::Caller,
    name: &str,
    person: &str,
    member: Membership,
) -> Answer<Json<GroupView>> {
    let name: Name = name.parse().map_err(|_| AppError::missing("group", name))?;
    let group = shared.app.set_member(caller, &name, person, member).await?;
    let world = shared.app.world().await?;
    Ok(Json(view::directory::group(Names(&world), &group)))
}
