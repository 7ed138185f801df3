//! The pages on which somebody confirms a login at the gateway: signing in, the question, the answer.
//!
//! Owns: who looks at them (a cookie that only these pages take), and that a form comes from the page it
//! was shown on. Refuses to know: what a login is for; every page asks one use-case.
//!
//! INVARIANT: a page is no way into the API, and nothing is answered but by the person in whose browser the
//! question was shown (held by `a_form_is_good_only_from_its_own_page` and `the_cookie_opens_pages_only`).

mod form;
mod html;
mod visitor;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use wane_app::{AppError, Class};
use wane_domain::secret::Secret;

use crate::addresses::Peer;
use crate::shared::Shared;
use form::Form;
use html::Html;
use visitor::Visitor;

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
}

/// Whether somebody tries a password there.
pub(crate) fn is_sign_in(path: &str) -> bool {
    path.starts_with("/login/") && path.ends_with(SIGN_IN)
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
        return html::sign_in(&reference, None).page(StatusCode::OK);
    };
    match shared.app.arrival(&visitor.caller, &reference) {
        Ok(arrival) => {
            let here = peer.map(|Extension(Peer(address))| address);
            let token = visitor.token(&reference);
            html::question(&reference, &arrival, visitor.caller.name.as_str(), here, &token, None).page(StatusCode::OK)
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
    let form = match Form::read(&headers, &body, shared.app.public_url()) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    let (Some(person), Some(password)) = (form.get("person"), form.get("password")) else {
        return html::sign_in(&reference, Some("Name and password are needed.")).page(StatusCode::UNPROCESSABLE_ENTITY);
    };
    let password = Secret::new(password.as_bytes().to_vec());
    let code = form.get("totp").map(str::trim).filter(|code| !code.is_empty());
    match shared.app.sign_in(person, password, code).await {
        Ok(signed_in) => {
            let cookie = visitor::cookie(shared.app.public_url(), &signed_in.token.reveal());
            let Ok(cookie) = HeaderValue::from_str(&cookie) else {
                return failed(&AppError::Fault("a token is no cookie".to_owned()));
            };
            let back = format!("/login/{}", html::in_path(&reference));
            let back = HeaderValue::from_str(&back).unwrap_or_else(|_| HeaderValue::from_static("/"));
            (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, back)], ()).into_response()
        }
        Err(error) => {
            let status = match error {
                // Counted against the address.
                AppError::BadSignIn | AppError::SignedOut => StatusCode::UNAUTHORIZED,
                ref error => status(error),
            };
            html::sign_in(&reference, Some(&html::sentence(&error.to_string()))).page(status)
        }
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = match Form::read(&headers, &body, shared.app.public_url()) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    let Some(visitor) = Visitor::of(&shared, &headers).await else {
        return html::sign_in(&reference, Some("You are not signed in any more.")).page(StatusCode::UNAUTHORIZED);
    };
    if !visitor.wrote(&reference, form.get("token").unwrap_or_default()) {
        return html::foreign().page(StatusCode::FORBIDDEN);
    }
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
            let why = html::sentence(&error.to_string());
            html::question(&reference, &arrival, name, here, &token, Some(&why)).page(StatusCode::UNPROCESSABLE_ENTITY)
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
        const POLICY: &str =
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        let headers = [
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", POLICY),
            // With less than this a browser does not say where a form comes from.
            ("referrer-policy", "same-origin"),
        ];
        (status, headers, self.into_text()).into_response()
    }
}
