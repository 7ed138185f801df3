//! The boards and the trail.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::Page;
use wane_api::board::{DebtView, Kill, LiveSession, LiveView};
use wane_api::query::{Listing, Records};
use wane_api::trail::{BOOKKEEPING, RecordView};
use wane_app::AppError;
use wane_app::listing::RecordFilter;
use wane_domain::id::SessionId;
use wane_policy::schema::Action;

use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::{Names, board, trail};

/// Every end that is owed, oldest first: all for those who may read access, else one's own.
#[utoipa::path(get, path = "/v1/debts", tag = "boards", params(Listing), responses((status = 200, body = Page<DebtView>), Problems))]
pub(crate) async fn debts(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<DebtView>>> {
    let debts = shared.app.debts(&caller).await?;
    let (world, now) = (shared.app.world().await?, shared.app.now());
    let debts: Vec<_> = debts.iter().map(|line| board::debt(Names(&world), line, now)).collect();
    Ok(Json(read::page(debts, query.cursor.as_deref(), query.limit, |d| d.lease.clone())?))
}

/// All live access, what ends soonest first: all for those who may read access, else one's own.
#[utoipa::path(get, path = "/v1/live", tag = "boards", params(Listing), responses((status = 200, body = Page<LiveView>), Problems))]
pub(crate) async fn live(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<LiveView>>> {
    let live = shared.app.live(&caller).await?;
    let (world, now) = (shared.app.world().await?, shared.app.now());
    let live: Vec<_> = live.iter().map(|line| board::live(Names(&world), line, now)).collect();
    Ok(Json(read::page(live, query.cursor.as_deref(), query.limit, |l| l.grant.clone())?))
}

/// The sessions that go through the gateway now, oldest first: all for those who may read access, else one's own.
#[utoipa::path(get, path = "/v1/live/sessions", tag = "boards", params(Listing), responses((status = 200, body = Page<LiveSession>), Problems))]
pub(crate) async fn live_sessions(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<LiveSession>>> {
    let lines = shared.app.sessions(&caller).await?;
    let world = shared.app.world().await?;
    let lines: Vec<_> = lines.iter().map(|line| board::session(Names(&world), line)).collect();
    Ok(Json(read::page(lines, query.cursor.as_deref(), query.limit, |l| l.id.clone())?))
}

/// Ends one session and leaves its grant: one's own, or with leave to revoke.
#[utoipa::path(post, path = "/v1/live/sessions/{id}/kill", tag = "ending", params(("id" = String, Path, description = "A session")), request_body = Kill, responses((status = 204), Problems))]
pub(crate) async fn kill_session(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<Kill>,
) -> Answer<StatusCode> {
    let reason = read::text("reason", &input.reason)?;
    shared.app.kill_session(&caller, read::id::<SessionId>("session", &id)?, &reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The trail, newest first: all for those who may read the log, else what one did or is about oneself.
#[utoipa::path(get, path = "/v1/log", tag = "boards", params(Records), responses((status = 200, body = Page<RecordView>), Problems))]
pub(crate) async fn log(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Records>,
) -> Answer<Json<Page<RecordView>>> {
    if query.event.as_ref().is_some_and(|e| e.len() > 64) {
        return Err(Failure::field("event", "an event's name is at most 64 characters long"));
    }
    let slice = read::slice(query.cursor.as_deref(), query.limit)?;
    let grant = query.grant.as_deref().map(|id| read::id("grant", id)).transpose()?;
    let request = query.request.as_deref().map(|id| read::id("request", id)).transpose()?;
    let world = shared.app.world().await?;
    let all = shared.app.allows(&caller, &world, Action::ReadLog)?;
    let person = match &query.person {
        Some(name) if !all && *name != caller.name.as_str() => {
            return Err(AppError::NotAllowed { what: Action::ReadLog.name() }.into());
        }
        Some(name) => Some(world.person(name).ok_or_else(|| AppError::missing("person", name))?.id),
        None => None,
    };
    let resource = match &query.resource {
        Some(name) => match super::grants::resource_named(&shared, &caller, &world, name)? {
            Some(id) => Some(id),
            None => return Ok(Json(Page { items: Vec::new(), next: None })),
        },
        None => None,
    };
    let filter = RecordFilter {
        person,
        resource,
        grant,
        request,
        event: query.event,
        without: if query.without_bookkeeping { BOOKKEEPING.map(str::to_owned).to_vec() } else { Vec::new() },
        from: query.from.map(read::time),
        until: query.until.map(read::time),
    };
    let page = shared.app.records(&caller, filter, slice).await?;
    let items = page.items.into_iter().map(|entry| trail::record(Names(&world), entry)).collect();
    Ok(Json(Page { items, next: page.next.map(|c| c.0) }))
}
