//! Ending access at once, and locks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::Page;
use wane_api::lock::{LockView, NewLock, Revoke, Revoked, RoleName};
use wane_api::query::Listing;
use wane_app::{AppError, KeptWhere, LockInput, RevokeWhat};
use wane_domain::id::GrantId;
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::text::Name;
use wane_domain::world::World;
use wane_policy::schema::Action;

use super::made;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::grant::unbooked as unbooked_words;
use crate::view::{Names, at};

/// Ends one grant, everything a person holds, or every grant on a resource.
#[utoipa::path(post, path = "/v1/revoke", tag = "ending", request_body = Revoke, responses((status = 200, body = Revoked), Problems))]
pub(crate) async fn revoke(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<Revoke>,
) -> Answer<Json<Revoked>> {
    let reason = read::text("reason", &input.reason)?;
    let world = shared.app.world().await?;
    // Whoever may not revoke learns nothing about which names there are.
    let missing = |what, name: &String| match shared.app.allow(&caller, &world, Action::Revoke) {
        Ok(()) => AppError::missing(what, name),
        Err(refused) => refused,
    };
    let what = match (&input.grant, &input.person, &input.resource) {
        (Some(id), None, None) => RevokeWhat::Grant(read::id::<GrantId>("grant", id)?),
        (None, Some(name), None) => RevokeWhat::Person(world.person(name).ok_or_else(|| missing("person", name))?.id),
        (None, None, Some(name)) => {
            RevokeWhat::Resource(world.resource(name).ok_or_else(|| missing("resource", name))?.id)
        }
        _ => return Err(one_of("`grant`, `person`, `resource`")),
    };
    let ended = shared.app.revoke(&caller, what, &reason).await?;
    let mut unbooked = None;
    for grant in &ended {
        // One that is in memory only is what has to be told.
        unbooked = shared.app.unbooked(*grant).await.max(unbooked);
    }
    Ok(Json(Revoked {
        ended: ended.iter().map(ToString::to_string).collect(),
        unbooked: unbooked.map(|kept| unbooked_words(kept).to_owned()),
    }))
}

/// Locks that hold, oldest first.
#[utoipa::path(get, path = "/v1/locks", tag = "ending", params(Listing), responses((status = 200, body = Page<LockView>), Problems))]
pub(crate) async fn locks(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<LockView>>> {
    let locks = shared.app.locks(&caller).await?;
    let world = shared.app.world().await?;
    let locks: Vec<_> = locks.iter().map(|l| view(&world, l)).collect();
    Ok(Json(read::page(locks, query.cursor.as_deref(), query.limit, |l| l.id.clone())?))
}

/// Imposes a lock: what it covers ends, and nothing new is granted until it is lifted.
#[utoipa::path(post, path = "/v1/locks", tag = "ending", request_body = NewLock, responses((status = 201, body = LockView), Problems))]
pub(crate) async fn lock(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewLock>,
) -> Answer<(StatusCode, Json<LockView>)> {
    let reason = read::text("reason", &input.reason)?;
    let world = shared.app.world().await?;
    shared.app.allow(&caller, &world, Action::Lock)?;
    let target = match (&input.person, &input.resource, &input.role, &input.grant) {
        (Some(name), None, None, None) => {
            LockTarget::Person(world.person(name).ok_or_else(|| AppError::missing("person", name))?.id)
        }
        (None, Some(name), None, None) => {
            LockTarget::Resource(world.resource(name).ok_or_else(|| AppError::missing("resource", name))?.id)
        }
        (None, None, Some(RoleName { kind, name }), None) => {
            let missing = || AppError::missing("role", name);
            let kind: Name = kind.parse().map_err(|_| missing())?;
            LockTarget::Role(world.role(&kind, name).ok_or_else(missing)?.id)
        }
        (None, None, None, Some(id)) => LockTarget::Grant(read::id("grant", id)?),
        _ => return Err(one_of("`person`, `resource`, `role`, `grant`")),
    };
    let (lock, _) = shared.app.impose_lock(&caller, &LockInput { target, reason }).await?;
    let mut shown = view(&*shared.app.world().await?, &lock);
    shown.unbooked = shared.app.unbooked_lock(lock.id).await.map(|kept| lock_words(kept).to_owned());
    Ok(made(shown))
}

/// Lifts a lock. What it ended stays ended.
#[utoipa::path(delete, path = "/v1/locks/{id}", tag = "ending", params(("id" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn lift(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.lift_lock(&caller, read::id("lock", &id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is said of a lock that is not in the log yet.
const fn lock_words(kept: KeptWhere) -> &'static str {
    match kept {
        KeptWhere::Journal => {
            "it holds and what it covers ends now; that is not in the log yet, because the store cannot be written: it is kept in the journal and booked as soon as it can be"
        }
        KeptWhere::Memory => {
            "it holds and what it covers ends now; that is not in the log yet, because neither the store nor the journal can be written: until one can, only this process knows of it, so look again after a restart"
        }
    }
}

fn one_of(fields: &str) -> Failure {
    Failure::field("", format!("name exactly one of {fields}"))
}

fn view(world: &World, lock: &Lock) -> LockView {
    let names = Names(world);
    let mut view = LockView {
        id: lock.id.to_string(),
        person: None,
        resource: None,
        role: None,
        grant: None,
        reason: lock.reason.to_string(),
        by: names.person(lock.by),
        at: at(lock.at),
        unbooked: None,
    };
    match lock.target {
        LockTarget::Person(id) => view.person = Some(names.person(id)),
        LockTarget::Resource(id) => view.resource = Some(names.resource(id)),
        LockTarget::Role(id) => {
            let kind = world.roles.get(&id).map(|r| r.kind.to_string()).unwrap_or_default();
            view.role = Some(RoleName { kind, name: names.role(id) });
        }
        LockTarget::Grant(id) => view.grant = Some(id.to_string()),
    }
    view
}
