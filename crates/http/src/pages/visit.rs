//! The pages between an application and its sign-in: who somebody is, what they hold there, and back.
//!
//! INVARIANT: a browser is led back to the origin it came from, which its application was registered with, and to no
//! other (held by `a_code_is_good_once_where_it_was_begun`).

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use wane_app::{AppError, Class, VisitShown};

use super::html::{self, Html, Ways, escaped};
use super::theirs::theirs;
use super::visitor::Visitor;
use super::whither::{Whither, plain};
use super::{entrance, failed};
use crate::shared::Shared;

/// What the page that is shown to whoever is signed in ends with.
pub(super) const GO: &str = "/go";

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/app/{reference}", get(arrived))
        .route("/app/{reference}/go", get(shown).post(chosen))
        .route("/app/{reference}/sign-in", post(sign_in))
}

/// A browser that comes from an application. Its session here is only sent with what a page of ours leads to, so this
/// one leads there.
async fn arrived(Path(reference): Path<String>) -> Response {
    html::leads("One moment", &Whither::App(reference).path()).page(StatusCode::OK)
}

async fn sign_in(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    entrance::sign_in(&shared, &Whither::App(reference), &headers, &body).await
}

/// Leads whoever holds one grant there back at once; others choose, or are told what to ask for.
async fn shown(State(shared): State<Arc<Shared>>, Path(reference): Path<String>, headers: HeaderMap) -> Response {
    let Some(visitor) = Visitor::of(&shared, &headers).await else {
        return html::sign_in(&Whither::App(reference), &Ways::of(&shared.app), None).page(StatusCode::OK);
    };
    let shown = match shared.app.visit_shown(&visitor.caller, &reference).await {
        Ok(shown) => shown,
        Err(error) => return gone(&error),
    };
    match shown.grants.as_slice() {
        [one] => back(shared.app.admit_visit(&visitor.caller, &reference, one.grant).await),
        [] => nothing_held(visitor.caller.name.as_str(), &shown).page(StatusCode::FORBIDDEN),
        _ => choice(&reference, &visitor.token(&reference), &shown).page(StatusCode::OK),
    }
}

async fn chosen(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let then = Whither::App(reference.clone());
    let (form, visitor) = match theirs(&shared, &headers, &body, &reference, &then).await {
        Ok(theirs) => theirs,
        Err(refused) => return refused,
    };
    match form.get("grant").unwrap_or_default().parse() {
        Ok(grant) => back(shared.app.admit_visit(&visitor.caller, &reference, grant).await),
        Err(_) => html::foreign().page(StatusCode::UNPROCESSABLE_ENTITY),
    }
}

/// Back to the application. Not a redirect: browsers hold what a form leads to against where it may lead.
fn back(to: Result<String, AppError>) -> Response {
    match to {
        Ok(to) => html::leads("One moment", &to).page(StatusCode::OK),
        Err(error) => gone(&error),
    }
}

fn gone(error: &AppError) -> Response {
    match error.class() {
        Class::Missing => {
            let text = "There is no such sign-in, or it is over. Open the application again.";
            html::notice("Wane", text).page(StatusCode::NOT_FOUND)
        }
        _ => failed(error),
    }
}

/// That somebody holds nothing there, and what they could ask for.
fn nothing_held(name: &str, shown: &VisitShown) -> Html {
    let resource = escaped(&shown.resource);
    let asks: String = shown
        .roles
        .iter()
        .map(|role| {
            let line = escaped(&format!("wane request {role}@{} --for 1h", shown.resource));
            format!("<li><b>{}</b>, in a terminal: <code>{line}</code>\n", escaped(role))
        })
        .collect();
    let could = if asks.is_empty() {
        "<p>There is nothing there that you may ask for.</p>\n".to_owned()
    } else {
        format!(
            "<p>You may ask for:</p>\n<ul>\n{asks}</ul>\n<p><a class=\"way\" href=\"/ui/ask\">Ask for access</a></p>\n"
        )
    };
    let again = escaped(&shown.origin);
    let body = format!(
        "<p>You are signed in as <b>{}</b>, and hold no access to <b>{resource}</b>.</p>\n{could}\
         <p>Once you hold it: <a href=\"{again}/\">{again}</a></p>\n",
        escaped(name)
    );
    html::page("No access", &body)
}

/// Which of several grants.
fn choice(reference: &str, token: &str, shown: &VisitShown) -> Html {
    let buttons: String = shown
        .grants
        .iter()
        .map(|held| {
            let until = held.until.map_or_else(|| "not begun".to_owned(), |until| format!("until {until}"));
            let (grant, role) = (escaped(&held.grant.to_string()), escaped(&held.role));
            format!("<p><button name=\"grant\" value=\"{grant}\">As {role}, {}</button></p>\n", escaped(&until))
        })
        .collect();
    let body = format!(
        "<p>You hold several grants for <b>{}</b>. Under which do you open it?</p>\n\
         <form method=\"post\" action=\"/app/{}{GO}\">\n<input type=\"hidden\" name=\"token\" value=\"{}\">\n{buttons}</form>\n",
        escaped(&shown.resource),
        plain(reference),
        escaped(token),
    );
    html::page("Which access?", &body)
}

#[cfg(test)]
mod tests {
    use wane_app::VisitGrant;
    use wane_domain::id::{GrantId, TypedId as _};
    use wane_domain::time::Time;

    use super::*;

    #[test]
    fn what_others_say_is_never_markup() {
        let evil = "'\"><script>alert(1)</script>".to_owned();
        let grant = GrantId::mint(Time::from_micros(1), &[1; 10]);
        let shown = VisitShown {
            resource: evil.clone(),
            origin: evil.clone(),
            grants: vec![VisitGrant { grant, role: evil.clone(), until: None }],
            roles: vec![evil.clone()],
        };
        for page in [nothing_held(&evil, &shown), choice(&evil, &evil, &shown), html::leads(&evil, &evil)] {
            let text = page.into_text();
            assert!(!text.contains("<script") && !text.contains("'\""), "{text}");
        }
    }
}
