//! Figures for whoever looks after the deployment.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wane_api::figures::{AgainView, DayView, EndsView, FiguresQuery, FiguresView, SpreadView};
use wane_app::{Again, Day, Ends, Figures, MOST_DAYS, Spread};

use crate::openapi::Problems;
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

fn view(names: Names<'_>, figures: Figures) -> FiguresView {
    let spread = |Spread { count, half, most, longest }: Spread| SpreadView {
        count,
        half: span(half),
        most: span(most),
        longest: span(longest),
    };
    let day = |Day { begins, asked, by_policy, approved, closed }: Day| DayView {
        begins: at(begins),
        asked,
        by_policy,
        approved,
        closed,
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
