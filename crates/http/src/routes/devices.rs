//! Signing a command line in by a browser (after RFC 8628).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use wane_api::device::{AskDevice, DeviceAnswer, DeviceBegun, DeviceState, NewDevice};
use wane_api::session::SignedIn;

use super::made;
use crate::addresses::Peer;
use crate::once::HandsOut;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Input};
use crate::shared::Shared;
use crate::view::at;

/// Begins: a link and a code for a person, and what to ask with meanwhile.
#[utoipa::path(post, path = "/v1/devices", tag = "sessions", security(()), request_body = Option<NewDevice>, responses((status = 201, body = DeviceBegun), Problems))]
pub(crate) async fn begin_device(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<Peer>>,
    Input(input): Input<NewDevice>,
) -> Answer<(Extension<HandsOut>, (StatusCode, Json<DeviceBegun>))> {
    let peer = peer.map(|Extension(Peer(address))| address);
    let asks = if input.prove { wane_app::DeviceAsks::Proof } else { wane_app::DeviceAsks::SignIn };
    let begun = shared.app.begin_device(peer, input.client.as_deref().unwrap_or_default(), asks).await?;
    let view = DeviceBegun {
        device_code: read::reveal(begun.device_code),
        link: begun.link,
        code: begun.code,
        expires: at(begun.until),
        interval: begun.interval.secs(),
    };
    Ok((Extension(HandsOut(None)), made(view)))
}

/// Asks whether its person has answered; if they confirmed, a session, once.
#[utoipa::path(post, path = "/v1/devices/token", tag = "sessions", security(()), request_body = AskDevice, responses((status = 200, body = DeviceAnswer), Problems))]
pub(crate) async fn ask_device(
    State(shared): State<Arc<Shared>>,
    Input(input): Input<AskDevice>,
) -> Answer<(Extension<HandsOut>, Json<DeviceAnswer>)> {
    let wait = |state, interval| DeviceAnswer { state, interval: Some(interval), session: None };
    let view = match shared.app.ask_device(input.device_code.expose()).await? {
        wane_app::DeviceAnswer::Wait(interval) => wait(DeviceState::Waits, interval.secs()),
        wane_app::DeviceAnswer::SlowDown(interval) => wait(DeviceState::SlowDown, interval.secs()),
        wane_app::DeviceAnswer::SignedIn(session) => DeviceAnswer {
            state: DeviceState::SignedIn,
            interval: None,
            session: Some(SignedIn { token: read::reveal(session.token), expires: at(session.expires) }),
        },
    };
    Ok((Extension(HandsOut(None)), Json(view)))
}
