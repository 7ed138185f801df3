//! The page of what waits for somebody's decision: a list that leads to the page of each.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use wane_api::request::{ItemState, RequestView};
use wane_app::AppError;

use super::failed;
use super::html::{self, Html, Ways, escaped};
use super::visitor::Visitor;
use super::whither::Whither;
use crate::shared::Shared;
use crate::view::{Names, request as view};

/// As many as are listed.
const MOST: usize = 100;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route("/waiting", get(listing))
}

async fn listing(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let Some(visitor) = Visitor::of(&shared, &headers).await else {
        return html::sign_in(&Whither::Home, &Ways::of(&shared.app), None).page(StatusCode::OK);
    };
    match listed(&shared, &visitor).await {
        Ok(page) => page.page(StatusCode::OK),
        Err(error) => failed(&error),
    }
}

async fn listed(shared: &Shared, visitor: &Visitor) -> Result<Html, AppError> {
    let waits = shared.app.waiting_for(&visitor.caller, MOST).await?;
    let world = shared.app.world().await?;
    let mut body = String::new();
    for request in &waits.requests {
        let one = view::request(&shared.app, Names(&world), request)?;
        let _ = writeln!(body, "{}", entry(&one, visitor.caller.name.as_str()));
    }
    if waits.requests.is_empty() {
        body.push_str("<p>Nothing waits for you.</p>\n");
    }
    if waits.more {
        body.push_str("<p>There may be more: <code>wane waiting --all</code> lists them.</p>\n");
    }
    Ok(html::page("What waits for you", &body))
}

/// One request, with a link to where it is decided.
fn entry(request: &RequestView, me: &str) -> String {
    let waiting = request.items.iter().filter(|item| item.state == ItemState::Waiting);
    let what: Vec<String> = waiting.clone().map(|item| format!("{} on {}", item.role, item.resource)).collect();
    let instead = waiting.flat_map(|item| &item.stages).find_map(|stage| stage.standing_in.get(me));
    let mut rows = vec![
        ("For", request.beneficiary.clone()),
        ("Access", what.join(", ")),
        ("For as long as", request.duration.text.clone()),
        ("Because", request.reason.clone().unwrap_or_else(|| "no reason was given".to_owned())),
        ("Asked", request.at.to_string()),
        ("It lapses", request.lapses.to_string()),
    ];
    rows.extend(instead.map(|whom| ("In the place of", whom.clone())));
    let path = escaped(request.id.strip_prefix("req_").unwrap_or(&request.id));
    format!("{}<p><a class=\"way\" href=\"/approve/{path}\">Decide</a></p>", html::table(&rows))
}
