//! Who stands in for an approver who is away.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::Page;
use wane_api::delegation::{DelegationView, NewDelegation};
use wane_api::query::Delegations;
use wane_app::WhichDelegations;
use wane_domain::text::Name;

use super::made;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{Names, delegation as view};

/// Who stands in for somebody, and for whom they do, newest first; one's own without leave.
#[utoipa::path(get, path = "/v1/delegations", tag = "requests", params(Delegations), responses((status = 200, body = Page<DelegationView>), Problems))]
pub(crate) async fn delegations(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Delegations>,
) -> Answer<Json<Page<DelegationView>>> {
    let which = if query.past { WhichDelegations::All } else { WhichDelegations::Open };
    let found = shared.app.delegations(&caller, query.person.as_deref(), which).await?;
    let (world, now) = (shared.app.world().await?, shared.app.now());
    let shown = found.iter().map(|one| view::delegation(Names(&world), one, now)).collect();
    Ok(Json(read::page(shown, query.cursor.as_deref(), query.limit, |one| one.id.clone())?))
}

/// Has somebody stand in for the caller while they are away. Nobody says it for somebody else.
#[utoipa::path(post, path = "/v1/delegations", tag = "requests", request_body = NewDelegation, responses((status = 201, body = DelegationView), Problems))]
pub(crate) async fn new_delegation(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewDelegation>,
) -> Answer<(StatusCode, Json<DelegationView>)> {
    let new = wane_app::NewDelegation {
        to: named("to", &input.to)?,
        from: input.from.map(read::time),
        until: read::time(input.until),
        resources: input.resources.iter().map(|name| named("resources", name)).collect::<Answer<_>>()?,
        policies: input.policies.iter().map(|policy| read::text("policies", policy)).collect::<Result<_, _>>()?,
        reason: read::maybe("reason", input.reason.as_deref())?,
    };
    let one = shared.app.delegate(&caller, &new).await?;
    let world = shared.app.world().await?;
    Ok(made(view::delegation(Names(&world), &one, shared.app.now())))
}

/// A name that is one, whether it is anybody's or not.
fn named(field: &str, given: &str) -> Answer<String> {
    Ok(read::text::<Name>(field, given)?.to_string())
}

/// Takes it back: by whoever is away, or whoever stands in. What was approved under it and not begun is void.
#[utoipa::path(delete, path = "/v1/delegations/{id}", tag = "requests", params(("id" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn end_delegation(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.end_delegation(&caller, read::id("delegation", &id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
