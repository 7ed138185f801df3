//! Where people sign in: with a password, or at a provider and back.
//!
//! Owns: the cookie that ties an answer of a provider to the browser it was asked for in, and the page that
//! comes after it. Refuses to know: whether an answer is believed.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use wane_app::{AppError, Freshness, ProviderAnswer, SignedIn};
use wane_domain::canonical::Digest;
use wane_domain::secret::Secret;

use super::form::{Form, is_from_own_page};
use super::html::{self, Ways};
use super::visitor::{self, Visitor};
use super::whither::Whither;
use super::{failed, status};
use crate::addresses::Peer;
use crate::shared::Shared;

/// Where providers send people back to and say that somebody signed out; ends with one of the two below.
const PROVIDERS: &str = "/sign-in/oidc/";
const CALLBACK: &str = "/callback";

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/sign-in", get(front).post(with_password))
        .route("/sign-in/out", post(out))
        .route("/sign-in/session", get(session))
        .route("/sign-in/oidc/{provider}", get(at_provider))
        .route("/sign-in/oidc/{provider}/callback", get(back))
        .route("/sign-in/oidc/{provider}/logout", post(signed_out))
}

/// Whether somebody brings an answer of a provider there.
pub(super) fn is_answer(path: &str) -> bool {
    path.starts_with(PROVIDERS) && path.ends_with(CALLBACK)
}

/// Who somebody is, or the ways to say so.
async fn front(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let then = Whither::read(&said_once(query.as_deref(), "then").unwrap_or_default());
    match Visitor::of(&shared, &headers).await {
        Some(visitor) if then == Whither::Home => {
            html::home(visitor.caller.name.as_str(), &visitor.token(HOME), &Ways::of(&shared.app)).page(StatusCode::OK)
        }
        Some(_) | None => html::sign_in(&then, &Ways::of(&shared.app), None).page(StatusCode::OK),
    }
}

/// The word by which calls of our own pages speak in the session of this browser, to such a page; none, if nobody is
/// signed in. The session itself stays in the cookie, which no script reads. And where such pages are.
async fn session(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let visitor = match is_from_own_page(&headers, shared.app.public_url()) {
        true => Visitor::of(&shared, &headers).await,
        false => None,
    };
    let own = shared.app.public_url();
    axum::Json(serde_json::json!({ "page": visitor.map(|visitor| visitor.page()), "own": own })).into_response()
}

/// What the forms of the first page are about.
pub(super) const HOME: &str = "home";

async fn with_password(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    sign_in(&shared, &Whither::Home, &headers, &body).await
}

/// Signs somebody in with a password and leads them on.
pub(super) async fn sign_in(shared: &Shared, then: &Whither, headers: &HeaderMap, body: &Bytes) -> Response {
    let form = match Form::read(headers, body, shared.app.public_url()) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    let again = |why: &str, status: StatusCode| html::sign_in(then, &Ways::of(&shared.app), Some(why)).page(status);
    let (Some(person), Some(password)) = (form.get("person"), form.get("password")) else {
        return again("Name and password are needed.", StatusCode::UNPROCESSABLE_ENTITY);
    };
    let password = Secret::new(password.as_bytes().to_vec());
    let code = form.get("totp").map(str::trim).filter(|code| !code.is_empty());
    match shared.app.sign_in(person, password, code).await {
        Ok(signed_in) => come_in(shared, signed_in, then),
        Err(error) => {
            let status = match error {
                // Counted against the address.
                AppError::BadSignIn | AppError::SignedOut => StatusCode::UNAUTHORIZED,
                ref error => status(error),
            };
            again(&html::sentence(&error.to_string()), status)
        }
    }
}

/// Gives a browser its session and leads it on.
pub(super) fn come_in(shared: &Shared, signed_in: SignedIn, then: &Whither) -> Response {
    let cookie = visitor::cookie(shared.app.public_url(), &signed_in.token.reveal());
    let (Ok(cookie), Ok(then)) = (HeaderValue::from_str(&cookie), HeaderValue::from_str(&then.path())) else {
        return failed(&AppError::Fault("a token is no cookie".to_owned()));
    };
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, then)], ()).into_response()
}

/// Signs out, and forgets the cookie.
async fn out(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match Form::read(&headers, &body, shared.app.public_url()) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    if let Some(visitor) = Visitor::of(&shared, &headers).await {
        if !visitor.wrote(HOME, form.get("token").unwrap_or_default()) {
            return html::foreign().page(StatusCode::FORBIDDEN);
        }
        if let Err(error) = shared.app.sign_out(&visitor.caller).await {
            return failed(&error);
        }
    }
    let cookie = visitor::forget(shared.app.public_url());
    with_cookie(html::notice("Signed out", "You are signed out here."), StatusCode::OK, &cookie)
}

/// Sends a browser to a provider.
async fn at_provider(
    State(shared): State<Arc<Shared>>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let then = Whither::read(&said_once(query.as_deref(), "then").unwrap_or_default());
    let fresh = match said_once(query.as_deref(), "fresh").as_deref() {
        Some("yes") => Freshness::Again,
        Some(_) | None => Freshness::AsItIs,
    };
    // A browser that is at a provider in two of its windows is one browser.
    let browser = visitor::begun(shared.app.public_url(), &headers).unwrap_or_else(|| shared.app.browser_mark());
    let from = peer.map(|Extension(Peer(address))| address);
    match shared.app.begin_at_provider(&provider, fresh, (&mark(&browser), from), then.word()).await {
        Ok(url) => {
            let cookie = visitor::begun_cookie(shared.app.public_url(), &browser);
            match (HeaderValue::from_str(&url), HeaderValue::from_str(&cookie)) {
                (Ok(url), Ok(cookie)) => {
                    (StatusCode::SEE_OTHER, [(LOCATION, url), (SET_COOKIE, cookie)], ()).into_response()
                }
                (_, _) => failed(&AppError::Fault("the provider's address is no header".to_owned())),
            }
        }
        Err(error) => html::came_to_nothing(&then, &html::sentence(&error.to_string())).page(status(&error)),
    }
}

/// A browser that comes back from a provider.
async fn back(
    State(shared): State<Arc<Shared>>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let said = |name: &str| said_once(query.as_deref(), name);
    let answer = ProviderAnswer { state: said("state"), code: said("code"), issuer: said("iss"), error: said("error") };
    let browser = visitor::begun(shared.app.public_url(), &headers).map(|browser| mark(&browser)).unwrap_or_default();
    match shared.app.finish_at_provider(&provider, &answer, &browser).await {
        Ok(returned) => {
            let cookie = visitor::cookie(shared.app.public_url(), &returned.signed_in.token.reveal());
            // Not a redirect: the cookie is only sent with what a page of ours leads to.
            with_cookie(html::onward(&Whither::read(&returned.then)), StatusCode::OK, &cookie)
        }
        Err(error) => {
            let status = match error {
                // Counted against the address.
                AppError::NotSignedIn(_) => StatusCode::UNAUTHORIZED,
                ref error => status(error),
            };
            html::came_to_nothing(&Whither::Home, &html::sentence(&error.to_string())).page(status)
        }
    }
}

/// A provider says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0 section 2.5).
async fn signed_out(State(shared): State<Arc<Shared>>, Path(provider): Path<String>, body: Bytes) -> Response {
    let mut tokens = form_urlencoded::parse(&body).filter(|(name, _)| name == "logout_token").map(|(_, value)| value);
    let done = match (tokens.next(), tokens.next()) {
        (Some(token), None) => shared.app.signed_out_at_provider(&provider, &token).await,
        (_, _) => Err(AppError::invalid("logout_token", "it is to be sent once")),
    };
    let code = match done {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            tracing::warn!(%provider, %error, "a provider's word that somebody signed out was not taken");
            match status(&error) {
                code if code.is_client_error() => StatusCode::BAD_REQUEST,
                code => code,
            }
        }
    };
    (code, [(CACHE_CONTROL, "no-store")], ()).into_response()
}

/// The one value of a name in a query; nothing if it is said twice.
fn said_once(query: Option<&str>, name: &str) -> Option<String> {
    let mut said = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).filter(|(key, _)| key == name);
    match (said.next(), said.next()) {
        (Some((_, value)), None) if value.len() <= 16 * 1024 => Some(value.into_owned()),
        (_, _) => None,
    }
}

/// What is kept here of a browser: whoever reads it has not its cookie.
fn mark(browser: &str) -> String {
    Digest::of_bytes("wane.browser.v1", browser.as_bytes()).to_string()
}

pub(super) fn with_cookie(page: html::Html, status: StatusCode, cookie: &str) -> Response {
    let mut response = page.page(status);
    match HeaderValue::from_str(cookie) {
        Ok(cookie) => {
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Err(_) => failed(&AppError::Fault("a token is no cookie".to_owned())),
    }
}
