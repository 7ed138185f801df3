//! Figures for whoever looks after the deployment.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wane_api::Page;
use wane_api::figures::{
    AgainView, DayView, EndsView, FiguresQuery, FiguresView, InventoryLine, LookedView, SpreadView, StandsView,
};
use wane_api::query::Listing;
use wane_app::listing::InventoryTaken;
use wane_app::{Again, Day, Ends, Figures, MOST_DAYS, Spread, Stands};

use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Query};
use crate::shared::{Shared, Signed};
use crate::view::{Names, at, span};

/// So far back, if nothing is said.
const USUAL: u32 = 30;

/// What was asked, granted and ended of late, counted and timed, for those who may read access.
#[utoipa::path(get, path = "/v1/figures", tag = "boards", params(FiguresQuery), responses((status = 200, body = FiguresView), Problems))]
pub(crate) async fn figures(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<FiguresQuery>,
) -> Answer<Json<FiguresView>> {
    let days = query.days.unwrap_or(USUAL);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Failure::field("days", format!("`{days}` is not between 1 and {MOST_DAYS}")));
    }
    let figures = shared.app.figures(&caller, days).await?;
    let world = shared.app.world().await?;
    Ok(Json(view(Names(&world), figures)))
}

/// What stood at each resource when it was last looked at, by name; for those who may read the catalogue.
#[utoipa::path(get, path = "/v1/inventories", tag = "boards", params(Listing), responses((status = 200, body = Page<InventoryLine>), Problems))]
pub(crate) async fn inventories(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(query): Query<Listing>,
) -> Answer<Json<Page<InventoryLine>>> {
    let world = shared.app.world().await?;
    let mut named: Vec<_> = world.resources.values().map(|one| (one.name.to_string(), one.id)).collect();
    named.sort();
    let page = read::page(named, query.cursor.as_deref(), query.limit, |(name, _)| name.clone())?;
    let ids: Vec<_> = page.items.iter().map(|(_, id)| *id).collect();
    let last = shared.app.last_inventories(&caller, &ids).await?;
    let line = |((resource, _), last): ((String, _), Option<_>)| InventoryLine { resource, last: last.map(looked) };
    Ok(Json(Page { items: page.items.into_iter().zip(last).map(line).collect(), next: page.next }))
}

fn looked(one: InventoryTaken) -> LookedView {
    LookedView { at: at(one.at), made: one.made, standing: one.standing, orphans: one.orphans }
}

fn view(names: Names<'_>, figures: Figures) -> FiguresView {
    let spread = |Spread { count, half, most, longest }: Spread| SpreadView {
        count,
        half: span(half),
        most: span(most),
        longest: span(longest),
    };
    let stands = |Stands { looked, made, standing, orphans }: Stands| StandsView { looked, made, standing, orphans };
    let day = |day: Day| DayView {
        begins: at(day.begins),
        asked: day.asked,
        by_policy: day.by_policy,
        approved: day.approved,
        closed: day.closed,
        just_in_time_percent: day.just_in_time(),
        stands: day.stands.map(stands),
    };
    let ends = |Ends { kind, took, promised, late }: Ends| EndsView {
        kind: kind.to_string(),
        took: spread(took),
        promised: span(promised),
        late,
    };
    let again = |Again { person, resource, role, times, last }: Again| AgainView {
        person: names.person(person),
        resource: names.resource(resource),
        role: names.role(role),
        times,
        last: at(last),
    };
    FiguresView {
        days: figures.days.into_iter().map(day).collect(),
        to_grant: spread(figures.to_grant),
        ends: figures.ends.into_iter().map(ends).collect(),
        again: figures.again.into_iter().map(again).collect(),
        more: figures.more,
    }
}
