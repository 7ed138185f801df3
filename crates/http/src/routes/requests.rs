//! Requests: asked, decided, taken back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::Page;
use wane_api::query::Requests;
use wane_api::request::{Approve, AskItem, Deny, NewRequest, RequestView, Withdraw};
use wane_app::listing::{Cursor, RequestFilter, Slice};
use wane_app::{Answered, AppError, AskInput, Caller, ItemInput, Narrower};
use wane_domain::approval::Signature;
use wane_domain::request::AccessRequest;
use wane_domain::world::World;
use wane_policy::schema::Action;

use super::made;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{Names, request as view};

/// How many requests one call looks at, so that a filter that fits few does not read them all.
const MOST_LOOKED_AT: usize = 2_000;

/// Asks for access. An item that policy denies is part of the answer.
#[utoipa::path(post, path = "/v1/requests", tag = "requests", request_body = NewRequest, responses((status = 201, body = RequestView), Problems))]
pub(crate) async fn ask(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewRequest>,
) -> Answer<(StatusCode, Json<RequestView>)> {
    let asked = AskInput {
        items: input.items.into_iter().map(wanted_item).collect::<Answer<_>>()?,
        for_person: input.for_person,
        duration: read::duration("duration", &input.duration)?,
        start: input.start.map(read::time),
        reason: read::maybe("reason", input.reason.as_deref())?,
        ticket: read::maybe("ticket", input.ticket.as_deref())?,
    };
    let request = shared.app.request_access(&caller, asked).await?;
    Ok(made(shown(&shared, &request).await?))
}

fn wanted_item(item: AskItem) -> Answer<ItemInput> {
    let task = read::maybe("task", item.task.as_deref())?;
    Ok(ItemInput { resource: item.resource, role: item.role, task })
}

/// Requests the caller may see, newest first.
#[utoipa::path(get, path = "/v1/requests", tag = "requests", params(Requests), responses((status = 200, body = Page<RequestView>), Problems))]
pub(crate) async fn requests(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Requests>,
) -> Answer<Json<Page<RequestView>>> {
    let limit = usize::try_from(read::limit(query.limit)?).unwrap_or(usize::MAX);
    let mut slice = Slice { limit: 200, ..read::slice(query.cursor.as_deref(), query.limit)? };
    let world = shared.app.world().await?;
    let person = match (&query.person, query.mine) {
        (Some(name), true) if *name != caller.name.as_str() => {
            return Err(Failure::field("person", "`mine` and somebody else's name exclude each other; give one"));
        }
        (Some(name), _) => match world.person(name) {
            Some(person) => Some(person.id),
            None if shared.app.allows(&caller, &world, Action::ReadDirectory)? => {
                return Err(AppError::missing("person", name).into());
            }
            // To others a name that nobody has looks like one that asked for nothing they may see.
            None => return Ok(Json(Page { items: Vec::new(), next: None })),
        },
        (None, true) => Some(caller.person),
        (None, false) => None,
    };
    let waiting = (query.waiting || query.waiting_for_me).then_some(true);
    let filter = RequestFilter { person, waiting };
    let (mut items, mut looked_at) = (Vec::new(), 0usize);
    loop {
        let page = shared.app.store().requests(filter.clone(), slice.clone()).await.map_err(AppError::from)?;
        for request in page.items {
            let request = request.value;
            looked_at = looked_at.saturating_add(1);
            if wanted(&shared, &caller, &world, &request, query.waiting_for_me)? {
                items.push(view::request(&shared.app, Names(&world), &request)?);
            }
            if items.len() >= limit || looked_at >= MOST_LOOKED_AT {
                return Ok(Json(Page { items, next: Some(request.id.to_string()) }));
            }
        }
        match page.next {
            Some(Cursor(next)) => slice.after = Some(Cursor(next)),
            None => return Ok(Json(Page { items, next: None })),
        }
    }
}

fn wanted(shared: &Shared, caller: &Caller, world: &World, request: &AccessRequest, for_me: bool) -> Answer<bool> {
    if !for_me {
        return Ok(shared.app.may_see_request(caller, world, request)?);
    }
    for index in 0..request.items.len() {
        if shared.app.who_could(world, request, index)?.people.contains_key(&caller.person) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One request.
#[utoipa::path(get, path = "/v1/requests/{id}", tag = "requests", params(("id" = String, Path)), responses((status = 200, body = RequestView), Problems))]
pub(crate) async fn request(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
) -> Answer<Json<RequestView>> {
    let world = shared.app.world().await?;
    let seen = shared.app.request_for(&caller, &world, read::id("request", &id)?).await?;
    Ok(Json(view::request(&shared.app, Names(&world), &seen.value)?))
}

/// Takes a request back, or one item of it.
#[utoipa::path(post, path = "/v1/requests/{id}/withdraw", tag = "requests", params(("id" = String, Path)), request_body = Withdraw, responses((status = 200, body = RequestView), Problems))]
pub(crate) async fn withdraw(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<Withdraw>,
) -> Answer<Json<RequestView>> {
    let request = shared.app.withdraw(&caller, read::id("request", &id)?, index(input.item)).await?;
    Ok(Json(shown(&shared, &request).await?))
}

/// Approves a request or one item of it. Approving less answers with the narrower request that carries on.
#[utoipa::path(post, path = "/v1/requests/{id}/approve", tag = "requests", params(("id" = String, Path)), request_body = Approve, responses((status = 200, body = RequestView), Problems))]
pub(crate) async fn approve(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<Approve>,
) -> Answer<Json<RequestView>> {
    let duration = input.duration.map(|d| read::duration("duration", &d)).transpose()?;
    if let Some(signature) = input.signature {
        if input.item.is_some() || duration.is_some() || input.role.is_some() {
            return Err(Failure::field(
                "signature",
                "what is approved stands in what was signed; say nothing beside it",
            ));
        }
        let signed = match (signature.ssh, signature.passkey) {
            (Some(ssh), None) => Signature::Ssh(ssh),
            (None, Some(assertion)) => Signature::Passkey(assertion),
            (Some(_), Some(_)) | (None, None) => {
                return Err(Failure::field("signature", "give either `ssh` or `passkey`"));
            }
        };
        let answered = Answered { reference: signature.reference, signature: signed };
        let request = shared.app.approve_signed(&caller, read::id("request", &id)?, &answered).await?;
        return Ok(Json(shown(&shared, &request).await?));
    }
    let less = Narrower { duration, role: input.role };
    let request = shared.app.approve(&caller, read::id("request", &id)?, index(input.item), &less).await?;
    Ok(Json(shown(&shared, &request).await?))
}

/// Denies a request or one item of it.
#[utoipa::path(post, path = "/v1/requests/{id}/deny", tag = "requests", params(("id" = String, Path)), request_body = Deny, responses((status = 200, body = RequestView), Problems))]
pub(crate) async fn deny(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<Deny>,
) -> Answer<Json<RequestView>> {
    let reason = read::text("reason", &input.reason)?;
    let request = shared.app.deny(&caller, read::id("request", &id)?, index(input.item), &reason).await?;
    Ok(Json(shown(&shared, &request).await?))
}

pub(super) fn index(item: Option<u32>) -> Option<usize> {
    item.map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

pub(super) async fn shown(shared: &Shared, request: &AccessRequest) -> Answer<RequestView> {
    let world = shared.app.world().await?;
    Ok(view::request(&shared.app, Names(&world), request)?)
}
