//! Keys that issue, and take over from one another while the server runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use wane_api::keys::{KeysView, TurnKeys};
use wane_app::AppError;

use crate::openapi::Problems;
use crate::rim::{Answer, Input, Of};
use crate::shared::{Shared, Signed};

/// Which keys there are of a sort: `authorities` (of certificates) or `token-keys`.
#[utoipa::path(get, path = "/v1/keys/{of}", tag = "keys", params(("of" = String, Path)), responses((status = 200, body = KeysView), Problems))]
pub(crate) async fn keys(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(of): Of<String>,
) -> Answer<Json<Value>> {
    Ok(Json(shared.app.keys_of(&caller, sort(&of)?).await?))
}

/// Makes a key, lets one take over from another, or takes one away: counts at once, and takes a fresh proof of identity.
#[utoipa::path(post, path = "/v1/keys/{of}", tag = "keys", params(("of" = String, Path)), request_body = TurnKeys, responses((status = 200, body = KeysView), Problems))]
pub(crate) async fn turn_keys(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(of): Of<String>,
    Input(input): Input<TurnKeys>,
) -> Answer<Json<Value>> {
    Ok(Json(shared.app.turn_keys(&caller, sort(&of)?, &input.change).await?))
}

/// The sort of keys that is meant.
fn sort(of: &str) -> Result<&'static str, AppError> {
    let sorts = ["authorities", "token-keys"];
    sorts.into_iter().find(|sort| *sort == of).ok_or_else(|| AppError::missing("sort of keys", of))
}
