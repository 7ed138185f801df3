//! Notices and the channels they go over.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::Page;
use wane_api::notice::{ChannelView, Channels, NoticeState, NoticeView};
use wane_api::query::Notices;
use wane_app::listing::DeliveryFilter;
use wane_app::{AppError, ChannelShown, NoticeShown};
use wane_notice::DeliveryState;
use wane_policy::schema::Action;

use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::at;

/// Notices and where they stand, newest first: all for those who may read the log, else those to oneself.
#[utoipa::path(get, path = "/v1/notices", tag = "boards", params(Notices), responses((status = 200, body = Page<NoticeView>), Problems))]
pub(crate) async fn notices(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Notices>,
) -> Answer<Json<Page<NoticeView>>> {
    let known = [NoticeState::Waiting, NoticeState::Delivered, NoticeState::GivenUp, NoticeState::Dropped];
    if query.state.as_ref().is_some_and(|state| !known.iter().any(|known| known.name() == state)) {
        return Err(Failure::field("state", "say `waiting`, `delivered`, `given_up` or `dropped`"));
    }
    let slice = read::slice(query.cursor.as_deref(), query.limit)?;
    let world = shared.app.world().await?;
    let to = match &query.person {
        Some(name) if *name != caller.name.as_str() && !shared.app.allows(&caller, &world, Action::ReadLog)? => {
            return Err(AppError::NotAllowed { what: Action::ReadLog.name() }.into());
        }
        Some(name) => Some(world.person(name).ok_or_else(|| AppError::missing("person", name))?.id),
        None => None,
    };
    let filter = DeliveryFilter { to, channel: query.channel, state: query.state };
    let page = shared.app.list_notices(&caller, filter, slice).await?;
    Ok(Json(Page { items: page.items.into_iter().map(view).collect(), next: page.next.map(|c| c.0) }))
}

/// Has a notice tried again at once, that waits or was given up.
#[utoipa::path(post, path = "/v1/notices/{id}/retry", tag = "boards", params(("id" = String, Path, description = "A notice")), responses((status = 200, body = NoticeView), Problems))]
pub(crate) async fn retry_notice(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<Json<NoticeView>> {
    Ok(Json(view(shared.app.retry_notice(&caller, read::id("notice", &id)?).await?)))
}

/// The channels that notices go over, and how they stand; for those who may read the log.
#[utoipa::path(get, path = "/v1/notices/channels", tag = "boards", responses((status = 200, body = Channels), Problems))]
pub(crate) async fn channels(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<Channels>> {
    let items = shared.app.list_channels(&caller).await?;
    Ok(Json(Channels { items: items.into_iter().map(channel).collect() }))
}

/// Sends a notice over a channel now: to the caller, if it goes to people. One that arrives opens a closed channel.
#[utoipa::path(post, path = "/v1/notices/channels/{name}/test", tag = "boards", params(("name" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn test_channel(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.test_channel(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(shown: NoticeShown) -> NoticeView {
    let NoticeShown { delivery, to } = shown;
    let (state, why) = match &delivery.state {
        DeliveryState::Waiting(waits) => (NoticeState::Waiting, waits.last.clone()),
        DeliveryState::Delivered { .. } => (NoticeState::Delivered, None),
        DeliveryState::GivenUp { why, .. } => (NoticeState::GivenUp, Some(why.clone())),
        DeliveryState::Dropped { why, .. } => (NoticeState::Dropped, Some(why.clone())),
    };
    NoticeView {
        id: delivery.id.to_string(),
        to: to.or(delivery.to.map(|id| id.to_string())),
        kind: delivery.notice.kind.word().to_owned(),
        at: at(delivery.notice.at),
        state,
        tries: delivery.tries,
        next: delivery.due().map(at),
        why,
        expires: at(delivery.expires),
        request: delivery.notice.about.request.map(|id| id.to_string()),
        grant: delivery.notice.about.grant.map(|id| id.to_string()),
        text: delivery.notice.subject,
        channel: delivery.channel,
    }
}

fn channel(shown: ChannelShown) -> ChannelView {
    let (since, why) = shown.closed.unzip();
    ChannelView {
        name: shown.name,
        set: shown.set,
        waiting: shown.waiting,
        next: shown.next.map(at),
        given_up: shown.given_up,
        closed: why,
        closed_since: since.map(at),
    }
}
