//! Passkeys on pages: setting one up, with a one-time code or signed in; signing in with one; recovery codes.
//!
//! The little script that the ceremonies need is a file of ours, and these pages alone may run it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use wane_app::{AppError, Ceremony, PasskeyMade, SignedIn};
use wane_domain::text::Line;

use super::form::Form;
use super::html::{self, Html, escaped};
use super::theirs::theirs;
use super::visitor::{self, Visitor};
use super::whither::Whither;
use super::{entrance, failed, status};
use crate::shared::Shared;

const SCRIPT: &str = include_str!("passkey.js");
/// What the forms of the first page are about.
const HOME: &str = entrance::HOME;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/passkey.js", get(script))
        .route("/sign-in/passkey", post(begin))
        .route("/sign-in/passkey/answer", post(finish))
        .route("/sign-in/recovery", post(recover))
        .route("/sign-in/recovery-codes", post(new_codes))
        .route("/sign-in/passkeys", post(add))
        .route("/sign-in/passkeys/answer", post(added))
        .route("/enrol", get(enrol).post(enrol_begin))
        .route("/enrol/answer", post(enrol_finish))
}

/// Whether somebody tries something there that could be guessed.
pub(super) fn is_try(path: &str) -> bool {
    ["/sign-in/passkey/answer", "/sign-in/recovery", "/enrol", "/enrol/answer"].contains(&path)
}

async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")], SCRIPT).into_response()
}

/// A form of ours.
fn read<'b>(shared: &Shared, headers: &HeaderMap, body: &'b Bytes) -> Result<Form<'b>, Html> {
    Form::read(headers, body, shared.app.public_url())
}

/// A form of the first page that whoever is signed in was given, and who that is.
async fn given<'b>(shared: &Shared, headers: &HeaderMap, body: &'b Bytes) -> Result<(Form<'b>, Visitor), Response> {
    theirs(shared, headers, body, HOME, &Whither::Home).await
}

async fn begin(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match read(&shared, &headers, &body) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    let then = Whither::read(form.get("then").unwrap_or_default());
    match shared.app.begin_passkey_sign_in() {
        Ok(ceremony) => {
            let more = [("then", then.word())];
            ceremony_page("Sign in with a passkey", ("get", "/sign-in/passkey/answer"), &ceremony, &more)
        }
        Err(error) => failed(&error),
    }
}

async fn finish(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match read(&shared, &headers, &body) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    let then = Whither::read(form.get("then").unwrap_or_default());
    match shared.app.finish_passkey_sign_in(field(&form, "reference"), field(&form, "answer")).await {
        Ok(signed_in) => entrance::come_in(&shared, signed_in, &then),
        Err(error) => not_in(&then, &error),
    }
}

async fn recover(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match read(&shared, &headers, &body) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    match shared.app.redeem_recovery(field(&form, "code").trim()).await {
        Ok(signed_in) => entrance::come_in(&shared, signed_in, &Whither::Home),
        Err(error) => not_in(&Whither::Home, &error),
    }
}

async fn new_codes(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let visitor = match given(&shared, &headers, &body).await {
        Ok((_, visitor)) => visitor,
        Err(refused) => return refused,
    };
    match shared.app.new_recovery_codes(&visitor.caller).await {
        Ok(codes) => {
            let codes: Vec<String> = codes.into_iter().map(|code| code.reveal().to_string()).collect();
            html::page("Recovery codes", &shown_codes(&codes)).page(StatusCode::OK)
        }
        Err(error) => failed(&error),
    }
}

async fn add(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let (form, visitor) = match given(&shared, &headers, &body).await {
        Ok(theirs) => theirs,
        Err(refused) => return refused,
    };
    let begun = match name_of(&form) {
        Ok(name) => shared.app.begin_passkey(&visitor.caller, name).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(ceremony) => {
            let more = [("token", visitor.token(HOME))];
            ceremony_page("Set up a passkey", ("create", "/sign-in/passkeys/answer"), &ceremony, &more)
        }
        Err(error) => failed(&error),
    }
}

async fn added(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let (form, visitor) = match given(&shared, &headers, &body).await {
        Ok(theirs) => theirs,
        Err(refused) => return refused,
    };
    match shared.app.finish_passkey(&visitor.caller, field(&form, "reference"), field(&form, "answer")).await {
        Ok(made) => made_page(made).page(StatusCode::OK),
        Err(error) => not_in(&Whither::Home, &error),
    }
}

async fn enrol(State(shared): State<Arc<Shared>>) -> Response {
    if shared.app.serves_passkeys() {
        enrol_page(None).page(StatusCode::OK)
    } else {
        let text = "Passkeys are not served here. Set your sign-in up with `wane enrol CODE`.";
        html::notice("Set up your sign-in", text).page(StatusCode::OK)
    }
}

async fn enrol_begin(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match read(&shared, &headers, &body) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    let begun = match name_of(&form) {
        Ok(name) => shared.app.begin_passkey_with_code(field(&form, "code").trim(), name).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(ceremony) => ceremony_page("Set up a passkey", ("create", "/enrol/answer"), &ceremony, &[]),
        Err(AppError::SignedOut) => enrol_page(Some("That code is no good: it was used, is too old, or was mistyped."))
            .page(StatusCode::UNAUTHORIZED),
        Err(error) => enrol_page(Some(&html::sentence(&error.to_string()))).page(status(&error)),
    }
}

async fn enrol_finish(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match read(&shared, &headers, &body) {
        Ok(form) => form,
        Err(refused) => return refused.page(StatusCode::FORBIDDEN),
    };
    match shared.app.finish_passkey_with_code(field(&form, "reference"), field(&form, "answer")).await {
        Ok((SignedIn { token, .. }, made)) => {
            let cookie = visitor::cookie(shared.app.public_url(), &token.reveal());
            entrance::with_cookie(made_page(made), StatusCode::OK, &cookie)
        }
        Err(error) => not_in(&Whither::Home, &error),
    }
}

fn field<'f>(form: &'f Form<'_>, name: &str) -> &'f str {
    form.get(name).unwrap_or_default()
}

/// What somebody calls a passkey.
fn name_of(form: &Form<'_>) -> Result<Line, AppError> {
    let said = form.get("name").map(str::trim).filter(|name| !name.is_empty()).unwrap_or("passkey");
    said.parse().map_err(|e: wane_domain::text::TextError| AppError::invalid("name", e))
}

fn not_in(then: &Whither, error: &AppError) -> Response {
    let code = match error {
        // Counted against the address.
        AppError::NotSignedIn(_) | AppError::BadSignIn | AppError::SignedOut => StatusCode::UNAUTHORIZED,
        error => status(error),
    };
    html::came_to_nothing(then, &html::sentence(&error.to_string())).page(code)
}

fn enrol_page(problem: Option<&str>) -> Html {
    let body = format!(
        "{}<p>Enter the one-time code you were given. What you signed in with before, if anything, is void then.</p>\n\
         <form method=\"post\" action=\"/enrol\">\n\
         <label>One-time code <input name=\"code\" autocomplete=\"off\" required></label>\n\
         <label>Name of the passkey <input name=\"name\" placeholder=\"this phone\"></label>\n\
         <button>Set up a passkey</button>\n</form>\n",
        html::problem_text(problem)
    );
    html::page("Set up your sign-in", &body)
}

/// The page that has the browser ask an authenticator.
fn ceremony_page(title: &str, (sort, action): (&str, &str), ceremony: &Ceremony, more: &[(&str, String)]) -> Response {
    html::scripted(title, &ceremony_form((sort, action), ceremony, more)).page_with_script(StatusCode::OK)
}

pub(super) fn ceremony_form((sort, action): (&str, &str), ceremony: &Ceremony, more: &[(&str, String)]) -> String {
    let hidden =
        |name: &str, value: &str| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escaped(value));
    let more: String = more.iter().map(|(name, value)| hidden(name, value)).collect();
    format!(
        "<p class=\"warn\" data-problem hidden></p>\n<noscript><p class=\"warn\">Passkeys need JavaScript.</p></noscript>\n\
         <form method=\"post\" action=\"{action}\" data-ceremony=\"{sort}\" data-options=\"{}\">\n{}{}{more}\
         <button>Go on</button>\n</form>\n",
        escaped(&ceremony.options.to_string()),
        hidden("reference", &ceremony.reference),
        hidden("answer", ""),
    )
}

fn made_page(made: PasskeyMade) -> Html {
    let codes: Vec<String> = made.recovery.into_iter().map(|code| code.reveal().to_string()).collect();
    let codes = if codes.is_empty() { String::new() } else { shown_codes(&codes) };
    let body = format!(
        "<p>The passkey <b>{}</b> lets you in from now on.</p>\n{codes}<p><a class=\"way\" href=\"/sign-in\">Go on</a></p>\n",
        escaped(&made.way.name)
    );
    html::page("Your passkey is set up", &body)
}

fn shown_codes(codes: &[String]) -> String {
    let codes: String = codes.iter().map(|code| format!("<li><code>{}</code>\n", escaped(code))).collect();
    format!(
        "<p>For the day you lose it: each of these codes lets you in once, to set up a new one. They are shown now and \
         never again; codes from before are void. Keep them where you keep such things.</p>\n<ol>\n{codes}</ol>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_asks_for_is_an_attribute_and_nothing_else() {
        let evil = "\"><script>alert(1)</script>&'";
        let ceremony =
            Ceremony { reference: evil.to_owned(), options: serde_json::json!({ "publicKey": { "a": evil } }) };
        let form = ceremony_form(("get", "/x"), &ceremony, &[("then", evil.to_owned())]);
        assert!(!form.contains("<script") && !form.contains("alert(1)</"), "{form}");
        let attribute = form.split_once("data-options=\"").unwrap().1.split('"').next().unwrap();
        assert!(attribute.contains("&quot;publicKey&quot;"), "{attribute}");
    }

    #[test]
    fn the_script_reaches_nothing() {
        for reach in
            ["fetch(", "XMLHttpRequest", "import(", "eval(", "innerHTML", "WebSocket", "localStorage", "cookie"]
        {
            assert!(!SCRIPT.contains(reach), "{reach}");
        }
    }
}
