//! Idempotency keys: the same call under the same key is done once and answered alike.
//!
//! INVARIANT: an answer that handed out a secret is never kept. What is kept in its place says only
//! which lease it was, and a call under its key again ends that lease and is refused.
//!
//! A key is its person's own. A refusal that changed nothing is not kept and may be tried again. That a call
//! began is kept with its first change, so that a lost answer is no reason to act twice.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use wane_api::problem::PROBLEM_JSON;
use wane_api::{Class, IDEMPOTENCY_KEY, LONGEST_KEY};
use wane_app::listing::Answer as Kept;
use wane_app::{AppError, BEGUN, CallKept};
use wane_domain::canonical::Digest;
use wane_domain::id::LeaseId;

use crate::rim::{Answer, Failure};
use crate::shared::{Shared, presented};

/// Marks an answer that hands out a secret, with the lease it stands under, if it stands under one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandsOut(pub(crate) Option<LeaseId>);

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The status under which it is kept that a secret was handed out.
pub(crate) const HANDED_OUT: u16 = 409;

/// Does a write under an idempotency key once.
pub(crate) async fn once(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Answer<Response> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(next.run(request).await);
    }
    let (Some(key), Some(token)) = (key_of(&request)?, presented(request.headers(), &shared).map(str::to_owned)) else {
        return Ok(next.run(request).await);
    };
    // A token that is no good is for the route to judge: signing in does not look at it.
    let Ok(caller) = shared.app.authenticate_any(&token).await else { return Ok(next.run(request).await) };
    let (mut parts, body) = request.into_parts();
    let body =
        to_bytes(body, usize::MAX).await.map_err(|_| crate::rim::input::body_failure(StatusCode::BAD_REQUEST))?;
    let fingerprint = fingerprint(&parts.method, parts.uri.path(), &body);
    let Some(_in_use) = shared.take_key(caller.person, &key) else {
        return Err(Failure::new(
            Class::Conflict,
            "under-way",
            "a call under this idempotency key is under way; wait for it",
        ));
    };
    let kept = match shared.app.store().answer(caller.person, &key).await.map_err(AppError::from) {
        // An end may be done twice, and must not fail for the sake of a store that cannot be read.
        Err(AppError::Store(why)) if ends(&parts.method, parts.uri.path()) => {
            shared.app.store_failed(&why);
            None
        }
        kept => kept?,
    };
    if let Some(kept) = kept {
        if kept.fingerprint != fingerprint {
            let detail = "this idempotency key was used for another call; make a new one";
            return Err(Failure::new(Class::Invalid, "key-reused", detail));
        }
        return match kept_lease(&kept) {
            None if kept.status == BEGUN => Err(AppError::AnswerLost.into()),
            None => replay(&kept),
            Some(lease) => {
                if let Some(lease) = lease {
                    shared.app.end_handed_out(&caller, lease).await?;
                }
                Err(AppError::HandedOut.into())
            }
        };
    }
    parts.extensions.insert(caller.clone());
    let work = next.run(Request::from_parts(parts, Body::from(body)));
    let (response, kept) = shared.app.keyed(&caller, &key, &fingerprint, work).await;
    match kept {
        // What was refused before it changed anything may be tried again under the same key.
        CallKept::Nothing if !response.status().is_success() => return Ok(response),
        // What it rests on was committed together with it.
        CallKept::Answer if response.status().is_success() => return Ok(response),
        CallKept::Nothing | CallKept::Begun | CallKept::Answer => {}
    }
    if shared.app.is_storeless() {
        return Ok(response);
    }
    let (status, body, response) = take(response).await?;
    // The write is done; that its answer could not be kept is no reason to hide it.
    if let Err(error) = shared.app.keep_answer(&caller, &key, &fingerprint, status, body).await {
        tracing::warn!(%error, "an answer could not be kept under its idempotency key");
    }
    Ok(response)
}

/// Whether a call only ends access: it may be made again at any time.
fn ends(method: &Method, path: &str) -> bool {
    let of_grant = || path.starts_with("/v1/grants/") && (path.ends_with("/return") || path.ends_with("/deny"));
    *method == Method::POST && (path == "/v1/revoke" || of_grant())
}

/// What is to be kept of an answer, and the answer itself.
async fn take(response: Response) -> Answer<(u16, Value, Response)> {
    if let Some(HandsOut(lease)) = response.extensions().get() {
        return Ok((HANDED_OUT, json!({ "lease": lease.map(|id| id.to_string()) }), response));
    }
    let (parts, body) = response.into_parts();
    let broken = || Failure::from(AppError::Fault("an answer is not JSON".to_owned()));
    let bytes = to_bytes(body, usize::MAX).await.map_err(|_| broken())?;
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).map_err(|_| broken())? };
    Ok((parts.status.as_u16(), body, Response::from_parts(parts, Body::from(bytes))))
}

/// Whether a secret was handed out, or may have been, and under which lease.
fn kept_lease(kept: &Kept) -> Option<Option<LeaseId>> {
    let lease: Option<LeaseId> = kept.body.get("lease").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let handed_out = kept.status == HANDED_OUT && kept.body.get("code").is_none();
    (handed_out || (kept.status == BEGUN && lease.is_some())).then_some(lease)
}

fn replay(kept: &Kept) -> Answer<Response> {
    let status = StatusCode::from_u16(kept.status)
        .map_err(|_| Failure::from(AppError::Fault("a kept answer has no status".to_owned())))?;
    let mut response = match &kept.body {
        Value::Null => status.into_response(),
        body => (status, Json(body)).into_response(),
    };
    if !status.is_success() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn key_of(request: &Request) -> Answer<Option<String>> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let plain = |key: &&str| (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|c| c.is_ascii_graphic());
    match (value.to_str().ok().filter(plain), values.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        (None, _) | (_, Some(_)) => {
            let detail = format!("send one `Idempotency-Key` of 1 to {LONGEST_KEY} printable ASCII characters");
            Err(Failure::new(Class::Invalid, "bad-key", detail))
        }
    }
}

/// What a call is: method, path and body.
fn fingerprint(method: &Method, path: &str, body: &[u8]) -> String {
    let call = [method.as_str().as_bytes(), path.as_bytes(), body].join(&b'\n');
    Digest::of_bytes("wane.call.v1", &call).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_its_method_path_and_body() {
        let base = fingerprint(&Method::POST, "/v1/a", b"{}");
        assert_eq!(base, fingerprint(&Method::POST, "/v1/a", b"{}"));
        for other in [
            fingerprint(&Method::PUT, "/v1/a", b"{}"),
            fingerprint(&Method::POST, "/v1/b", b"{}"),
            fingerprint(&Method::POST, "/v1/a", b"{ }"),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_key_is_plain_and_sent_once() {
        for (keys, good) in [
            (vec!["a-1"], true),
            (vec![], true),
            (vec![""], false),
            (vec!["a b"], false),
            (vec!["a", "b"], false),
            (vec![&*"x".repeat(65)], false),
        ] {
            let mut request = Request::post("/").body(Body::empty()).unwrap();
            for key in &keys {
                request.headers_mut().append(IDEMPOTENCY_KEY, key.parse().unwrap());
            }
            assert_eq!(key_of(&request).is_ok(), good, "{keys:?}");
        }
    }

    #[tokio::test]
    async fn a_secret_is_not_kept() {
        let lease: LeaseId = wane_domain::id::TypedId::mint(wane_domain::time::Time::from_micros(0), &[7; 10]);
        let answer = (axum::Extension(HandsOut(Some(lease))), Json(json!({ "secret": "canary" }))).into_response();
        let (status, body, _) = take(answer).await.unwrap();
        assert!(!body.to_string().contains("canary"));
        let kept = Kept {
            person: wane_domain::id::TypedId::mint(wane_domain::time::Time::from_micros(0), &[1; 10]),
            key: "k".to_owned(),
            fingerprint: String::new(),
            status,
            body,
            at: wane_domain::time::Time::from_micros(0),
        };
        assert_eq!(kept_lease(&kept), Some(Some(lease)));
    }

    #[tokio::test]
    async fn what_is_kept_is_what_was_answered() {
        for answer in
            [(StatusCode::CREATED, Json(json!({ "a": 1 }))).into_response(), StatusCode::NO_CONTENT.into_response()]
        {
            let was = answer.status();
            let (status, body, given) = take(answer).await.unwrap();
            let given = to_bytes(given.into_body(), 1024).await.unwrap();
            let person = wane_domain::id::TypedId::mint(wane_domain::time::Time::from_micros(0), &[1; 10]);
            let at = wane_domain::time::Time::from_micros(0);
            let kept = Kept { person, key: String::new(), fingerprint: String::new(), status, body, at };
            let again = replay(&kept).unwrap();
            assert_eq!((again.status(), &again.headers()[REPLAYED]), (was, &HeaderValue::from_static("true")));
            assert_eq!(to_bytes(again.into_body(), 1024).await.unwrap(), given);
        }
    }
}
