//! The routes: each reads, calls one use-case, and answers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use wane_acme::{Refused, Sort};
use wane_app::{AcmeOrderShown, App};
use wane_domain::id::AcmeAccountId;
use wane_failpoint::point;

use super::answer::{Sent, answer, refusal, refusal_as, ways};
use crate::shared::Shared;
use crate::view::at;

const CHAIN: &str = "application/pem-certificate-chain";

/// The answer to a call that may have been refused.
fn told<T>(shared: &Shared, done: Result<T, Refused>, then: impl FnOnce(&App, T) -> Response) -> Response {
    match done {
        Ok(done) => then(&shared.app, done),
        Err(refused) => refusal(&shared.app, &refused),
    }
}

/// Where everything is (section 7.1.1).
pub(crate) async fn directory(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let at = |path: &str| shared.app.acme_url(path);
    Json(json!({
        "newNonce": at("/acme/new-nonce"),
        "newAccount": at("/acme/new-account"),
        "newOrder": at("/acme/new-order"),
        "revokeCert": at("/acme/revoke-cert"),
        "keyChange": at("/acme/key-change"),
        "renewalInfo": at("/acme/renewal-info"),
        "meta": { "externalAccountRequired": true },
    }))
}

/// A nonce (section 7.2).
pub(crate) async fn nonce(State(shared): State<Arc<Shared>>, method: Method) -> Response {
    let status = if method == Method::HEAD { StatusCode::OK } else { StatusCode::NO_CONTENT };
    let mut response = status.into_response();
    ways(&shared.app, response.headers_mut());
    response
}

/// An account for a key, or the one it has (section 7.3).
pub(crate) async fn new_account(State(shared): State<Arc<Shared>>, Sent(body): Sent) -> Response {
    let done = shared.app.acme_new_account(&body).await;
    told(&shared, done, |app, (id, made)| {
        let status = if made { StatusCode::CREATED } else { StatusCode::OK };
        answer(app, status, Some(&of(id)), described(app, &id.to_string(), "valid"))
    })
}

/// An account, or giving it up (sections 7.3.2 and 7.3.6).
pub(crate) async fn account(State(shared): State<Arc<Shared>>, Path(id): Path<String>, Sent(body): Sent) -> Response {
    let done = shared.app.acme_account(&body, &id).await;
    told(&shared, done, |app, stands| {
        let status = if stands { "valid" } else { "deactivated" };
        answer(app, StatusCode::OK, None, described(app, &id, status))
    })
}

/// The orders of an account (section 7.1.2.1).
pub(crate) async fn orders(State(shared): State<Arc<Shared>>, Path(id): Path<String>, Sent(body): Sent) -> Response {
    let done = shared.app.acme_orders(&body, &id).await;
    told(&shared, done, |app, all| {
        let all: Vec<String> = all.iter().map(|id| app.acme_url(&format!("/acme/order/{id}"))).collect();
        answer(app, StatusCode::OK, None, json!({ "orders": all }))
    })
}

/// Another key for an account (section 7.3.5).
pub(crate) async fn change_key(State(shared): State<Arc<Shared>>, Sent(body): Sent) -> Response {
    let done = shared.app.acme_change_key(&body).await;
    told(&shared, done, |app, id| answer(app, StatusCode::OK, Some(&of(id)), described(app, &id.to_string(), "valid")))
}

/// Ordering a certificate (section 7.4).
pub(crate) async fn new_order(State(shared): State<Arc<Shared>>, Sent(body): Sent) -> Response {
    let done = shared.app.acme_new_order(&body).await;
    told(&shared, done, |app, order| {
        answer(app, StatusCode::CREATED, Some(&format!("/acme/order/{}", order.id)), shown(app, &order))
    })
}

/// An order (section 7.1.3).
pub(crate) async fn order(State(shared): State<Arc<Shared>>, Path(id): Path<String>, Sent(body): Sent) -> Response {
    let done = shared.app.acme_order(&body, &id).await;
    told(&shared, done, |app, order| answer(app, StatusCode::OK, None, shown(app, &order)))
}

/// Having the certificate issued (section 7.4).
pub(crate) async fn finalize(State(shared): State<Arc<Shared>>, Path(id): Path<String>, Sent(body): Sent) -> Response {
    let done = shared.app.acme_finalize(&body, &id).await;
    wane_failpoint::at(point!("http.acme.leaves")).await;
    told(&shared, done, |app, order| {
        answer(app, StatusCode::OK, Some(&format!("/acme/order/{}", order.id)), shown(app, &order))
    })
}

/// An authorization, which is there with its order (section 7.1.4).
pub(crate) async fn authorization(
    State(shared): State<Arc<Shared>>,
    Path((id, which)): Path<(String, String)>,
    Sent(body): Sent,
) -> Response {
    let done = shared.app.acme_authorization(&body, &id, &which).await;
    told(&shared, done, |app, (name, order)| {
        let status = if order.status == "invalid" { "expired" } else { "valid" };
        let body = json!({
            "status": status, "expires": at(order.expires), "identifier": name.json(), "challenges": [],
        });
        answer(app, StatusCode::OK, None, body)
    })
}

/// The certificate (section 7.4.2).
pub(crate) async fn certificate(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Sent(body): Sent,
) -> Response {
    let done = shared.app.acme_certificate(&body, &id).await;
    told(&shared, done, |app, chain| {
        let mut response = chain.into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CHAIN));
        ways(app, response.headers_mut());
        response
    })
}

/// Revoking a certificate (section 7.6).
pub(crate) async fn revoke(State(shared): State<Arc<Shared>>, Sent(body): Sent) -> Response {
    let done = shared.app.acme_revoke(&body).await;
    told(&shared, done, |app, ()| {
        let mut response = StatusCode::OK.into_response();
        ways(app, response.headers_mut());
        response
    })
}

/// An address that does not take this method. What is asked for by a call is asked for by `POST` (section 6.3).
pub(crate) async fn not_allowed(State(shared): State<Arc<Shared>>, method: Method) -> Response {
    let why = format!("this address does not take {method}; what is asked for by an account is asked for by POST");
    refusal_as(&shared.app, StatusCode::METHOD_NOT_ALLOWED, &Refused::new(Sort::Malformed, why))
}

/// When to renew a certificate (RFC 9773).
pub(crate) async fn renewal(State(shared): State<Arc<Shared>>, Path(certificate): Path<String>) -> Response {
    let done = shared.app.acme_renewal(&certificate).await;
    told(&shared, done, |_, renewal| {
        let window = json!({ "suggestedWindow": { "start": at(renewal.start), "end": at(renewal.end) } });
        let mut response = Json(window).into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(renewal.ask_again.secs()));
        response
    })
}

fn of(id: AcmeAccountId) -> String {
    format!("/acme/account/{id}")
}

fn described(app: &App, id: &str, status: &str) -> Value {
    json!({ "status": status, "orders": app.acme_url(&format!("/acme/account/{id}/orders")) })
}

fn shown(app: &App, order: &AcmeOrderShown) -> Value {
    let id = order.id;
    let authorization = |which: usize| app.acme_url(&format!("/acme/authz/{id}/{which}"));
    let mut body = json!({
        "status": order.status,
        "expires": at(order.expires),
        "identifiers": order.names.iter().map(wane_acme::Identifier::json).collect::<Vec<_>>(),
        "authorizations": (0..order.names.len()).map(authorization).collect::<Vec<_>>(),
        "finalize": app.acme_url(&format!("/acme/order/{id}/finalize")),
    });
    if let (Some(map), "valid") = (body.as_object_mut(), order.status) {
        map.insert("certificate".to_owned(), json!(app.acme_url(&format!("/acme/cert/{id}"))));
    }
    if let (Some(map), Some(replaces)) = (body.as_object_mut(), &order.replaces) {
        map.insert("replaces".to_owned(), json!(replaces));
    }
    body
}
