//! People and groups: one use-case each.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use wane_app::{AppError, DirectoryCaller, IfMatch, Pushed, Sending, Wanted};
use wane_scim::schema::ResourceKind;
use wane_scim::{Page, Projection, list, render};

use super::answer::{Refusal, answer, at};
use super::call::{Body, Pushing, Versions};
use super::query::Asked;
use crate::shared::Shared;

type Answer = Result<Response, Refusal>;
use ResourceKind::{Group, User};

pub(crate) async fn users(State(shared): State<Arc<Shared>>, Pushing(by): Pushing, asked: Asked) -> Answer {
    heard(&shared, &by, listed(&shared, &by, User, &asked).await)
}

pub(crate) async fn groups(State(shared): State<Arc<Shared>>, Pushing(by): Pushing, asked: Asked) -> Answer {
    heard(&shared, &by, listed(&shared, &by, Group, &asked).await)
}

pub(crate) async fn search_users(State(shared): State<Arc<Shared>>, Pushing(by): Pushing, Body(body): Body) -> Answer {
    heard(&shared, &by, listed(&shared, &by, User, &Asked::of(&body)?).await)
}

pub(crate) async fn search_groups(State(shared): State<Arc<Shared>>, Pushing(by): Pushing, Body(body): Body) -> Answer {
    heard(&shared, &by, listed(&shared, &by, Group, &Asked::of(&body)?).await)
}

/// People first, then groups.
pub(crate) async fn search(State(shared): State<Arc<Shared>>, Pushing(by): Pushing, Body(body): Body) -> Answer {
    shared.app.pace_of(&by)?;
    let asked = Asked::of(&body)?;
    let (filter, page) = (asked.filter()?, asked.page());
    let (mut total, mut found) = (0usize, Vec::new());
    for kind in [User, Group] {
        let only = asked.projection(kind)?;
        let rest = Page { skip: page.skip.saturating_sub(total), most: page.most.saturating_sub(found.len()) };
        let some = shared.app.pushed_list(&by, &Wanted { kind, filter: filter.as_ref(), page: rest }).await?;
        found.extend(some.found.iter().map(|one| shown(one, &only)));
        total = total.saturating_add(some.total);
    }
    Ok(answer(200, &list(found, total, page)))
}

pub(crate) async fn user(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Path(id): Path<String>,
    versions: Versions,
    asked: Asked,
) -> Answer {
    read(&shared, &by, (User, &id), &versions, &asked).await
}

pub(crate) async fn group(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Path(id): Path<String>,
    versions: Versions,
    asked: Asked,
) -> Answer {
    read(&shared, &by, (Group, &id), &versions, &asked).await
}

pub(crate) async fn new_user(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    asked: Asked,
    Body(body): Body,
) -> Answer {
    let only = asked.projection(User)?;
    heard(&shared, &by, shared.app.push_person(&by, body).await.map(|one| made(&one, &only)))
}

pub(crate) async fn new_group(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    asked: Asked,
    Body(body): Body,
) -> Answer {
    let only = asked.projection(Group)?;
    heard(&shared, &by, shared.app.push_group(&by, body).await.map(|one| made(&one, &only)))
}

pub(crate) async fn put_user(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Path(id): Path<String>,
    Versions { matching, .. }: Versions,
    asked: Asked,
    Body(body): Body,
) -> Answer {
    changed(&shared, &by, (User, &id), &matching, Sending::Whole(body), &asked).await
}

pub(crate) async fn patch_user(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Path(id): Path<String>,
    Versions { matching, .. }: Versions,
    asked: Asked,
    Body(body): Body,
) -> Answer {
    changed(&shared, &by, (User, &id), &matching, Sending::Patch(body), &asked).await
}

pub(crate) async fn put_group(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Path(id): Path<String>,
    Versions { matching, .. }: Versions,
    asked: Asked,
    Body(body): Body,
) -> Answer {
    changed(&shared, &by, (Group, &id), &matching, Sending::Whole(body), &asked).await
}

/// Who is in a large group is not said again for each that came or went, unless that is asked for.
pub(crate) async fn patch_group(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Path(id): Path<String>,
    Versions { matching, .. }: Versions,
    asked: Asked,
    Body(body): Body,
) -> Answer {
    let done = change(&shared, &by, (Group, &id), &matching, Sending::Patch(body)).await;
    let only = asked.projection(Group)?;
    let quiet = |one: Pushed| at(StatusCode::NO_CONTENT.into_response(), &one.meta.version, None);
    let full = |one: Pushed| at(answer(200, &shown(&one, &only)), &one.meta.version, None);
    heard(&shared, &by, if asked.names_attributes() { done.map(full) } else { done.map(quiet) })
}

pub(crate) async fn delete_user(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Path(id): Path<String>,
    Versions { matching, .. }: Versions,
) -> Answer {
    heard(&shared, &by, remove(&shared, &by, (User, &id), &matching).await.map(gone))
}

pub(crate) async fn delete_group(
    State(shared): State<Arc<Shared>>,
    Pushing(by): Pushing,
    Path(id): Path<String>,
    Versions { matching, .. }: Versions,
) -> Answer {
    heard(&shared, &by, remove(&shared, &by, (Group, &id), &matching).await.map(gone))
}

fn gone((): ()) -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Counts what was refused, for whoever looks at the directory.
pub(super) fn heard<T, E: Into<Refusal>>(
    shared: &Shared,
    by: &DirectoryCaller,
    done: Result<T, E>,
) -> Result<T, Refusal> {
    done.map_err(|error| {
        let refusal: Refusal = error.into();
        if refusal.status != 404 {
            shared.app.note_refused_push(by, &refusal.detail);
        }
        refusal
    })
}

async fn listed(shared: &Shared, by: &DirectoryCaller, kind: ResourceKind, asked: &Asked) -> Answer {
    shared.app.pace_of(by)?;
    let (filter, page, only) = (asked.filter()?, asked.page(), asked.projection(kind)?);
    let some = shared.app.pushed_list(by, &Wanted { kind, filter: filter.as_ref(), page }).await?;
    let found = some.found.iter().map(|one| shown(one, &only)).collect();
    Ok(answer(200, &list(found, some.total, page)))
}

async fn read(
    shared: &Shared,
    by: &DirectoryCaller,
    (kind, id): (ResourceKind, &str),
    versions: &Versions,
    asked: &Asked,
) -> Answer {
    shared.app.pace_of(by)?;
    let only = asked.projection(kind)?;
    let one = shared.app.pushed_one(by, kind, id).await?;
    if versions.has(&one.meta.version) {
        return Ok(at(StatusCode::NOT_MODIFIED.into_response(), &one.meta.version, None));
    }
    Ok(at(answer(200, &shown(&one, &only)), &one.meta.version, None))
}

async fn changed(
    shared: &Shared,
    by: &DirectoryCaller,
    what: (ResourceKind, &str),
    matching: &IfMatch,
    sending: Sending,
    asked: &Asked,
) -> Answer {
    let only = asked.projection(what.0)?;
    let done = change(shared, by, what, matching, sending).await;
    heard(shared, by, done.map(|one| at(answer(200, &shown(&one, &only)), &one.meta.version, None)))
}

pub(super) async fn change(
    shared: &Shared,
    by: &DirectoryCaller,
    (kind, id): (ResourceKind, &str),
    matching: &IfMatch,
    sending: Sending,
) -> Result<Pushed, AppError> {
    match kind {
        User => shared.app.change_pushed_person(by, id, matching, sending).await,
        Group => shared.app.change_pushed_group(by, id, matching, sending).await,
    }
}

pub(super) async fn remove(
    shared: &Shared,
    by: &DirectoryCaller,
    (kind, id): (ResourceKind, &str),
    matching: &IfMatch,
) -> Result<(), AppError> {
    match kind {
        User => shared.app.remove_pushed_person(by, id, matching).await,
        Group => shared.app.remove_pushed_group(by, id, matching).await,
    }
}

fn made(one: &Pushed, only: &Projection) -> Response {
    at(answer(201, &shown(one, only)), &one.meta.version, Some(&location(one)))
}

/// Where it is.
pub(super) fn location(one: &Pushed) -> String {
    format!("{}/{}/{}", one.meta.base, one.kind.endpoint(), one.meta.id)
}

fn shown(one: &Pushed, only: &Projection) -> Value {
    let mut lean = one.clone();
    if !only.wants("members") {
        lean.sent.members.clear();
    }
    only.of(render(lean.kind, &lean.sent, &lean.meta, &lean.groups))
}
