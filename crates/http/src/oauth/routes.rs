//! The routes: each reads, calls one use-case, and answers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use wane_app::{AppError, Exchange, ExchangeSubject, GoodToken, NotGood, ShownToken};
use wane_failpoint::point;

use super::answer::Refusal;
use super::call::{SERVER, Scheme, Server, known, once, token_of};
use super::form::Form;
use crate::rim::Answer;
use crate::shared::Shared;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// What somebody who is signed in exchanges.
const SESSION: &str = "urn:wane:token-type:session";

/// What this server says of itself as an issuer (RFC 8414).
pub(crate) async fn metadata(State(shared): State<Arc<Shared>>) -> Answer<Json<Value>> {
    Ok(Json(shared.app.token_metadata()?))
}

/// The same as OpenID Connect has it (Discovery 1.0).
pub(crate) async fn discovery(State(shared): State<Arc<Shared>>) -> Answer<Json<Value>> {
    Ok(Json(shared.app.token_discovery()?))
}

/// Exchanges a session or a token for a token (RFC 8693).
pub(crate) async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    if form.need("grant_type")? != EXCHANGE {
        let detail = format!("send `grant_type={EXCHANGE}`; access is asked for at `/v1/requests`");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", detail));
    }
    if form.get("actor_token").is_some() {
        return Err(Refusal::invalid("nobody acts for another here; leave `actor_token` out"));
    }
    if form.get("requested_token_type").is_some_and(|wanted| ![ACCESS_TOKEN, JWT].contains(&wanted)) {
        return Err(Refusal::invalid(format!("only `{ACCESS_TOKEN}` is given")));
    }
    let subject = form.need("subject_token")?;
    let subject = match form.need("subject_token_type")? {
        ACCESS_TOKEN | JWT => ExchangeSubject::Token(subject),
        SESSION => ExchangeSubject::Session(subject),
        _ => return Err(Refusal::invalid(format!("`subject_token_type` is `{ACCESS_TOKEN}`, `{JWT}` or `{SESSION}`"))),
    };
    let audience = match (form.get("audience"), form.get("resource")) {
        (Some(_), Some(_)) => return Err(Refusal::invalid("send `audience` or `resource`, not both")),
        (one, other) => one.or(other),
    };
    let grant = form.get("wane_grant").map(str::parse).transpose();
    let grant = grant.map_err(|_| Refusal::invalid("`wane_grant` is no id of a grant"))?;
    let proof = once(&headers, "dpop");
    if proof.is_none() && headers.contains_key("dpop") {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_dpop_proof", "send `DPoP` once"));
    }
    let handed = shared.app.exchange(&Exchange { subject, audience, grant, scope: form.get("scope"), proof }).await?;
    wane_failpoint::at(point!("http.token.leaves")).await;
    let fault = || Refusal::from(AppError::Fault("a token has no secret".to_owned()));
    let secret = handed.secret.ok_or_else(fault)?.reveal();
    let now = shared.app.now();
    let expires_in = handed.not_after.unwrap_or(handed.grant_end).since(now).secs();
    let said = |key: &str| handed.public.get(key).cloned().unwrap_or_default();
    let body = json!({
        "access_token": secret.as_str(),
        "issued_token_type": ACCESS_TOKEN,
        "token_type": said("token_type"),
        "expires_in": expires_in,
        "scope": said("scope"),
    });
    Ok(Json(body).into_response())
}

/// Says of a token whether it is good, to the server it is for (RFC 7662).
pub(crate) async fn introspect(
    State(shared): State<Arc<Shared>>,
    Server(server): Server,
    form: Form,
) -> Result<Json<Value>, Refusal> {
    let good = shared.app.introspect(server, form.need("token")?).await?;
    // INVARIANT: of whatever is not good the same is said (held by `nobody_is_told_of_a_token_that_is_for_another`).
    Ok(Json(good.map_or_else(|| json!({ "active": false }), |good| described(&good))))
}

fn described(good: &GoodToken) -> Value {
    let mut said = good.read.said.clone();
    if let Some(said) = said.as_object_mut() {
        said.insert("active".to_owned(), json!(true));
        said.insert("username".to_owned(), json!(good.holder));
        let sort = if good.read.key.is_some() { "DPoP" } else { "Bearer" };
        said.insert("token_type".to_owned(), json!(sort));
    }
    said
}

/// Ends a token (RFC 7009). Whoever has it may: the answer is the same whatever it was.
pub(crate) async fn revoke(State(shared): State<Arc<Shared>>, form: Form) -> Result<StatusCode, Refusal> {
    shared.app.end_token(form.need("token")?).await?;
    Ok(StatusCode::OK)
}

/// Lets a call pass or not, for a server in front of others (nginx's `auth_request`): everything that a call came with is in
/// the headers, and which of them the server itself sets is in the query.
pub(crate) async fn check(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let credential = once(&headers, SERVER).ok_or_else(Refusal::client)?;
    let server = known(&shared, None, credential).await?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes()).map_err(Refusal::invalid)?;
    // INVARIANT: nothing that the caller of the server could have set counts as the server's word (held by
    // `a_bound_token_opens_nothing_without_what_it_is_bound_to`).
    let sets = |name: &str| query.get("sets").is_some_and(|sets| sets.split(',').any(|set| set == name));
    let word = |name: &str, header: &str| if sets(name) { once(&headers, header) } else { None };
    let Some((scheme, token)) = token_of(&headers) else { return Ok(unauthorized("")) };
    let certificate = word("certificate", "wane-certificate").map(unescaped);
    let call = ShownToken {
        token,
        proof: once(&headers, "dpop"),
        method: word("method", "wane-method"),
        url: word("url", "wane-url"),
        certificate: certificate.as_deref(),
    };
    let good = match shared.app.check_call(server, &call).await? {
        // A token that is bound to a key is used as one, and no other is (RFC 9449, section 7.1).
        Ok(good) if good.read.key.is_some() == (scheme == Scheme::Dpop) => good,
        Ok(_) | Err(NotGood::Token) => return Ok(unauthorized("invalid_token")),
        Err(NotGood::Unproved) => return Ok(unauthorized("invalid_dpop_proof")),
    };
    let has = |scope: &str| good.read.scope.split(' ').any(|had| had == scope);
    if !query.get("scope").unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).all(has) {
        let said = challenge(StatusCode::FORBIDDEN, "insufficient_scope");
        return Ok(said);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in [
        ("wane-holder", good.holder.to_string()),
        ("wane-subject", good.read.holder.to_string()),
        ("wane-scope", good.read.scope.clone()),
        ("wane-grant", good.read.grant.to_string()),
        ("wane-token", good.read.id.clone()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}

fn unauthorized(word: &str) -> Response {
    challenge(StatusCode::UNAUTHORIZED, word)
}

fn challenge(status: StatusCode, word: &str) -> Response {
    let mut response = status.into_response();
    let scheme = if word == "invalid_dpop_proof" { "DPoP" } else { "Bearer" };
    let said = if word.is_empty() { scheme.to_owned() } else { format!("{scheme} error=\"{word}\"") };
    if let Ok(value) = HeaderValue::from_str(&said) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// A text of which bytes are written as `%41`, as nginx has it of a certificate.
fn unescaped(text: &str) -> String {
    // In a form a plus is a space; here it is itself.
    let pair = format!("x={}", text.replace('+', "%2B"));
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read_as_nginx_writes_it() {
        assert_eq!(unescaped("-----BEGIN%20X-----%0Aa+b/c%3D%0A"), "-----BEGIN X-----\na+b/c=\n");
        assert_eq!(unescaped("a&b"), "a", "what would be another parameter is left out");
    }
}
