//! Where sessions go through: public, as whoever has nothing yet needs it to tell the right gateway.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wane_api::gateway::{GatewayView, GatewaysView};

use crate::openapi::Problems;
use crate::rim::{Nothing, Query};
use crate::shared::Shared;

/// Where sessions go through, and by what the gateway is known.
#[utoipa::path(get, path = "/v1/gateways", tag = "server", security(()), responses((status = 200, body = GatewaysView), Problems))]
pub(crate) async fn gateways(
    State(shared): State<Arc<Shared>>,
    Query(Nothing {}): Query<Nothing>,
) -> Json<GatewaysView> {
    let view = |gateway: wane_app::GatewayAt| GatewayView {
        kind: gateway.kind.to_owned(),
        host: gateway.host,
        port: gateway.port,
        known_by: gateway.known_by,
        targets_known_by: gateway.targets_known_by,
    };
    Json(GatewaysView { items: shared.app.gateways().into_iter().map(view).collect() })
}
