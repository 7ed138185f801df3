//! Hosts: they join with a code, and then pull.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};
use wane_api::host::{HostJoined, JoinHost};
use wane_failpoint::point;

use super::made;
use crate::once::HandsOut;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Input, Nothing, Query};
use crate::shared::{Host, Shared};

/// Joins a host. The code is the authority; no session is needed.
#[utoipa::path(post, path = "/v1/hosts/join", tag = "hosts", security(()), request_body = JoinHost, responses((status = 201, body = HostJoined), Problems))]
pub(crate) async fn join(
    State(shared): State<Arc<Shared>>,
    Input(input): Input<JoinHost>,
) -> Answer<(Extension<HandsOut>, (StatusCode, Json<HostJoined>))> {
    let sent = json!({ "host_keys": input.host_keys });
    let joined = shared.app.join_host(input.code.expose(), &sent).await?;
    let document = match joined.documents {
        Value::Object(document) => document,
        other => Map::from_iter([("document".to_owned(), other)]),
    };
    wane_failpoint::at(point!("http.join.leaves")).await;
    let view = HostJoined { resource: joined.resource, host_token: read::reveal(joined.host_token), document };
    // Whoever joins a host while signed in may do so under an idempotency key: its token is kept no more than any other.
    Ok((Extension(HandsOut(None)), made(view)))
}

/// What a joined host pulls: its kind's own document, such as a revocation list.
#[utoipa::path(get, path = "/v1/hosts/revocations", tag = "hosts", security(("host" = [])), responses((status = 200, body = Value), Problems))]
pub(crate) async fn revocations(
    State(shared): State<Arc<Shared>>,
    Host(host): Host,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<Value>> {
    Ok(Json(shared.app.revocations(host).await?))
}
