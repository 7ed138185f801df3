//! The pages on which somebody signs in and confirms a login at the gateway: the question, the answer.
//!
//! Owns: who looks at them (a cookie that only these pages take), and that a form comes from the page it
//! was shown on. Refuses to know: what a login is for; every page asks one use-case.
//!
//! INVARIANT: nothing is answered but by the person in whose browser the question was shown, and the cookie alone is no
//! way into the API (held by `a_form_is_good_only_from_its_own_page`, `the_cookie_opens_pages_only` and
//! `a_session_is_spoken_in_by_our_own_pages_only`).

mod approve;
mod approver_keys;
mod device;
mod entrance;
mod form;
mod html;
mod passkeys;
mod theirs;
mod ui;
mod visit;
mod visitor;
mod waiting;
mod whither;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use wane_app::{AppError, Class};

use crate::addresses::Peer;
use crate::shared::Shared;
use html::{Html, Ways};
use theirs::theirs;
use visitor::Visitor;
pub(crate) use visitor::{of_page, of_socket};
use whither::Whither;

/// The longest form that is read.
pub(crate) const LONGEST_FORM: usize = 16 * 1024;
const STYLE: &str = include_str!("pages/style.css");
const SIGN_IN: &str = "/sign-in";

/// The pages.
pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/login.css", get(style))
        .route("/login/{reference}", get(question).post(answer))
        .route("/login/{reference}/sign-in", post(sign_in))
        .merge(entrance::router())
        .merge(approve::router())
        .merge(approver_keys::router())
        .merge(device::router())
        .merge(passkeys::router())
        .merge(ui::router())
        .merge(visit::router())
        .merge(waiting::router())
}

/// Whether somebody tries a password there.
pub(crate) fn is_sign_in(path: &str) -> bool {
    let of_page = |page: &str| path.starts_with(page) && path.ends_with(SIGN_IN);
    path == SIGN_IN
        || path == ui::SIGN_IN
        || passkeys::is_try(path)
        || of_page("/login/")
        || of_page("/device/")
        || of_page("/approve/")
        || of_page("/app/")
}

/// Whether somebody brings an answer of a provider there.
pub(crate) fn is_answer(path: &str) -> bool {
    entrance::is_answer(path)
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")], STYLE).into_response()
}

/// The question, to whoever is signed in; else the way to sign in, which says nothing about it.
async fn question(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let Some(visitor) = Visitor::of(&shared, &headers).await else {
        let ways = Ways::of(&shared.app);
        return html::sign_in(&Whither::Login(reference), &ways, None).page(StatusCode::OK);
    };
    match shared.app.arrival(&visitor.caller, &reference) {
        Ok(arrival) => {
            let here = peer.map(|Extension(Peer(address))| address);
            let token = visitor.token(&reference);
            let (name, ways) = (visitor.caller.name.as_str(), Ways::of(&shared.app));
            html::question(&reference, &arrival, (name, &ways), here, &token, None).page(StatusCode::OK)
        }
        Err(error) => failed(&error),
    }
}

async fn sign_in(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    entrance::sign_in(&shared, &Whither::Login(reference), &headers, &body).await
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let then = Whither::Login(reference.clone());
    let (form, visitor) = match theirs(&shared, &headers, &body, &reference, &then).await {
        Ok(theirs) => theirs,
        Err(refused) => return refused,
    };
    // Read before it is answered: afterwards it is nobody's to read.
    let arrival = match shared.app.arrival(&visitor.caller, &reference) {
        Ok(arrival) => arrival,
        Err(error) => return failed(&error),
    };
    let code = form.get("code").unwrap_or_default();
    let done = match form.get("answer") {
        Some("yes") => shared.app.confirm_arrival(&visitor.caller, &reference, code).await,
        Some("no") => shared.app.refuse_arrival(&visitor.caller, &reference).await,
        Some(_) | None => return html::foreign().page(StatusCode::UNPROCESSABLE_ENTITY),
    };
    match done {
        Ok(()) if form.get("answer") == Some("yes") => html::confirmed(&arrival, code).page(StatusCode::OK),
        Ok(()) => html::refused(&arrival).page(StatusCode::OK),
        Err(error @ AppError::Invalid { .. }) => {
            let here = peer.map(|Extension(Peer(address))| address);
            let (token, name) = (visitor.token(&reference), visitor.caller.name.as_str());
            let (why, ways) = (html::sentence(&error.to_string()), Ways::of(&shared.app));
            html::question(&reference, &arrival, (name, &ways), here, &token, Some(&why))
                .page(StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &AppError) -> Response {
    let text = match error.class() {
        Class::Missing => "There is no such login, or it is over. Begin again in your terminal.".to_owned(),
        Class::Fault => {
            tracing::warn!(%error, "a page could not be served");
            "Something failed here; the server's log says what.".to_owned()
        }
        Class::Denied | Class::Invalid | Class::Conflict | Class::Busy => html::sentence(&error.to_string()),
    };
    html::notice("Wane", &text).page(status(error))
}

fn status(error: &AppError) -> StatusCode {
    match error.class() {
        Class::Denied => StatusCode::FORBIDDEN,
        Class::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Class::Missing => StatusCode::NOT_FOUND,
        Class::Conflict => StatusCode::CONFLICT,
        Class::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Class::Fault => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Html {
    fn page(self, status: StatusCode) -> Response {
        self.under(
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            status,
        )
    }

    /// A page that runs a script of this server, and reaches nothing by it.
    fn page_with_script(self, status: StatusCode) -> Response {
        self.under(
            "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            status,
        )
    }

    fn under(self, policy: &'static str, status: StatusCode) -> Response {
        let headers = [
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", policy),
            // With less than this a browser does not say where a form comes from.
            ("referrer-policy", "same-origin"),
        ];
        (status, headers, self.into_text()).into_response()
    }
}
