//! Enrolment, signing in and out, and who one is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use wane_api::Class;
use wane_api::session::{Enrol, Enrolled, Health, Me, Prove, Proved, SessionView, SignIn, SignedIn};

use wane_policy::schema::Action;

use super::made;
use crate::once::HandsOut;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Nothing, Query};
use crate::shared::{Shared, Signed, bearer};
use crate::view::{Names, at};

/// Whether the server serves, and whether its store can be used: while it cannot, ends still happen.
#[utoipa::path(get, path = "/v1/health", tag = "server", security(()), responses((status = 200, body = Health), Problems))]
pub(crate) async fn health(
    State(shared): State<Arc<Shared>>,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<Health>> {
    shared.app.world().await?;
    let state = shared.app.store_state();
    let (well, away) = (state.trouble.is_none(), shared.app.signer_is_away());
    let limited = !shared.app.signer_is_limited().is_empty();
    Ok(Json(Health {
        status: if well && state.unbooked == 0 && !away && !limited { "ok" } else { "degraded" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store: if well { "ok" } else { "unusable" }.to_owned(),
        unbooked: u64::try_from(state.unbooked).unwrap_or(u64::MAX),
        recordings_waiting: shared.app.recordings_waiting(),
        directories_behind: shared.app.directories_behind(),
        signer: if away {
            "away"
        } else if limited {
            "limited"
        } else {
            "ok"
        }
        .to_owned(),
    }))
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "server", security(()), responses((status = 200, body = serde_json::Value), Problems))]
pub(crate) async fn openapi(Query(Nothing {}): Query<Nothing>) -> Json<utoipa::openapi::OpenApi> {
    Json(crate::openapi::document())
}

/// Sets up a local sign-in with a one-time code.
#[utoipa::path(post, path = "/v1/enrolments", tag = "sessions", security(()), request_body = Enrol, responses((status = 201, body = Enrolled), Problems))]
pub(crate) async fn enrol(
    State(shared): State<Arc<Shared>>,
    Input(input): Input<Enrol>,
) -> Answer<(Extension<HandsOut>, (StatusCode, Json<Enrolled>))> {
    let enrolled = shared.app.enrol(input.code.expose(), read::secret(input.password)).await?;
    let view = Enrolled {
        person: enrolled.person.name.to_string(),
        totp_secret: read::reveal(enrolled.totp_secret),
        otpauth_url: read::reveal(enrolled.otpauth_url),
    };
    Ok((Extension(HandsOut(None)), made(view)))
}

/// Signs in.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", security(()), request_body = SignIn, responses((status = 201, body = SignedIn), Problems))]
pub(crate) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    Input(input): Input<SignIn>,
) -> Answer<(Extension<HandsOut>, (StatusCode, Json<SignedIn>))> {
    let code = input.totp.as_ref().map(wane_api::SecretText::expose);
    let session = shared.app.sign_in(&input.person, read::secret(input.password), code).await?;
    let view = SignedIn { token: read::reveal(session.token), expires: at(session.expires) };
    Ok((Extension(HandsOut(None)), made(view)))
}

/// Proves identity again inside a session, which goes on under a new token. The former token is dead.
#[utoipa::path(post, path = "/v1/sessions/proof", tag = "sessions", request_body = Prove, responses((status = 200, body = Proved), Problems))]
pub(crate) async fn prove(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    headers: HeaderMap,
    Input(input): Input<Prove>,
) -> Answer<(Extension<HandsOut>, Json<Proved>)> {
    // The token of a browser's session is for its cookie alone, and this would hand the next one to a script.
    if bearer(&headers).is_none() {
        let detail = "in a browser identity is proved again at `/sign-in`, which keeps the session in its cookie";
        return Err(Failure::new(Class::Denied, "prove-at-sign-in", detail));
    }
    let code = input.totp.as_ref().map(wane_api::SecretText::expose);
    let proved = shared.app.prove(&caller, read::secret(input.password), code).await?;
    let view = Proved { proved: at(proved.proved), token: read::reveal(proved.token), expires: at(proved.expires) };
    Ok((Extension(HandsOut(None)), Json(view)))
}

/// Ends the session.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "sessions", responses((status = 204), Problems))]
pub(crate) async fn sign_out(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    shared.app.sign_out(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who one is.
#[utoipa::path(get, path = "/v1/me", tag = "sessions", responses((status = 200, body = Me), Problems))]
pub(crate) async fn me(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<Me>> {
    let world = shared.app.world().await?;
    let mut may = Vec::new();
    // Whether somebody gets access, or may approve, is a matter of what and for whom.
    for action in Action::ALL.into_iter().filter(|action| !matches!(action, Action::Access | Action::Approve)) {
        if shared.app.allows(&caller, &world, action)? {
            may.push(action.name().to_owned());
        }
    }
    Ok(Json(Me {
        person: Names(&world).person(caller.person),
        display: world.people.get(&caller.person).map(|p| p.display.to_string()).unwrap_or_default(),
        groups: world.groups_of(caller.person).into_iter().map(ToString::to_string).collect(),
        may,
        session: SessionView { expires: at(caller.expires), proved: at(caller.proved), proof: caller.proof },
    }))
}
