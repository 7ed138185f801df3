//! Keys that approvals are signed with, and what there is to sign.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wane_api::approval::{
    ApproverKeyView, ApproverKeys, NewApproverKey, NewVoucher, ToSign, ToSignView, ToVouch, ToVouchView, VouchedView,
};
use wane_app::{AppError, Narrower, WithKey};
use wane_domain::approval::Signature;

use super::made;
use super::requests::index;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Nothing, Of};
use crate::shared::{Shared, Signed};
use crate::view::approval as view;

/// The keys somebody signs approvals with, oldest first; one's own without leave.
#[utoipa::path(get, path = "/v1/people/{name}/approver-keys", tag = "requests", params(("name" = String, Path)), responses((status = 200, body = ApproverKeys), Problems))]
pub(crate) async fn approver_keys(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
) -> Answer<Json<ApproverKeys>> {
    let keys = shared.app.approver_keys(&caller, &name).await?;
    Ok(Json(ApproverKeys { items: keys.iter().map(view::key).collect() }))
}

/// Enters a key of one's own, under a fresh proof of identity. Nobody enters one for somebody else.
#[utoipa::path(post, path = "/v1/people/{name}/approver-keys", tag = "requests", params(("name" = String, Path)), request_body = NewApproverKey, responses((status = 201, body = ApproverKeyView), Problems))]
pub(crate) async fn new_approver_key(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<NewApproverKey>,
) -> Answer<(StatusCode, Json<ApproverKeyView>)> {
    if caller.name.as_str() != name {
        // Nobody enters a key for somebody else, whether there is such a person or not.
        return Err(AppError::missing("person", name).into());
    }
    let called = read::maybe("name", input.name.as_deref())?;
    let key = match (&input.public_key, &input.passkey) {
        (Some(line), None) => {
            let called = called.map_or_else(|| read::text("name", "key"), Ok)?;
            shared.app.add_ssh_approver_key(&caller, &called, line).await?
        }
        (None, Some(way)) => {
            let way = way.parse().map_err(|_| AppError::missing("passkey", way))?;
            shared.app.add_passkey_approver_key(&caller, called.as_ref(), way).await?
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Failure::field("public_key", "give either `public_key` or `passkey`"));
        }
    };
    Ok(made(view::key(&key)))
}

/// Takes a key away. What it approved and nobody began to use has to be approved again.
#[utoipa::path(delete, path = "/v1/people/{name}/approver-keys/{id}", tag = "requests", params(("name" = String, Path), ("id" = String, Path)), responses((status = 204), Problems))]
pub(crate) async fn remove_approver_key(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of((name, id)): Of<(String, String)>,
    Input(Nothing {}): Input<Nothing>,
) -> Answer<StatusCode> {
    let id = id.parse().map_err(|_| AppError::missing("approver key", &id))?;
    // To those who may not look, nobody's keys are there.
    if caller.name.as_str() != name && !shared.app.approver_keys(&caller, &name).await?.iter().any(|key| key.id == id) {
        return Err(AppError::missing("approver key", id).into());
    }
    shared.app.remove_approver_key(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says what there is to sign to approve a request, in full or narrower. Nothing is approved by this.
#[utoipa::path(post, path = "/v1/requests/{id}/to-sign", tag = "requests", params(("id" = String, Path)), request_body = ToSign, responses((status = 200, body = ToSignView), Problems))]
pub(crate) async fn to_sign(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<ToSign>,
) -> Answer<Json<ToSignView>> {
    let duration = input.duration.map(|d| read::duration("duration", &d)).transpose()?;
    let with = with(input.key, input.public_key)?;
    let less = Narrower { duration, role: input.role };
    let request = read::id("request", &id)?;
    let draft = shared.app.to_sign(&caller, request, index(input.item), &less, &with).await?;
    Ok(Json(view::to_sign(draft)))
}

/// Says what there is to sign to vouch for a key of an approver. Nothing is vouched for by this.
#[utoipa::path(post, path = "/v1/approver-keys/{id}/to-vouch", tag = "requests", params(("id" = String, Path)), request_body = ToVouch, responses((status = 200, body = ToVouchView), Problems))]
pub(crate) async fn to_vouch(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<ToVouch>,
) -> Answer<Json<ToVouchView>> {
    let with = with(input.key, input.public_key)?;
    let id = id.parse().map_err(|_| AppError::missing("approver key", &id))?;
    Ok(Json(view::to_vouch(shared.app.to_vouch(&caller, id, &with).await?)))
}

/// Takes a signed voucher to the signer, which says whether the key counts.
#[utoipa::path(post, path = "/v1/approver-keys/{id}/vouchers", tag = "requests", params(("id" = String, Path)), request_body = NewVoucher, responses((status = 200, body = VouchedView), Problems))]
pub(crate) async fn vouch(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(id): Of<String>,
    Input(input): Input<NewVoucher>,
) -> Answer<Json<VouchedView>> {
    let id = id.parse().map_err(|_| AppError::missing("approver key", &id))?;
    let vouched = shared.app.vouch(&caller, id, &input.text, &Signature::Ssh(input.ssh)).await?;
    Ok(Json(VouchedView { have: vouched.have, of: vouched.of, counts: vouched.counts() }))
}

fn with(key: Option<String>, public: Option<String>) -> Result<WithKey, Failure> {
    match (key, public) {
        (Some(key), None) => Ok(WithKey::This(key.parse().map_err(|_| AppError::missing("approver key", &key))?)),
        (None, Some(line)) => Ok(WithKey::Public(line)),
        (None, None) => Ok(WithKey::Ssh),
        (Some(_), Some(_)) => Err(Failure::field("key", "give either `key` or `public_key`")),
    }
}
