//! Requests.

use reqwest::Method;
use wane_api::Page;
use wane_api::approval::{
    ApproverKeyView, ApproverKeys, NewApproverKey, NewVoucher, ToSign, ToSignView, ToVouch, ToVouchView, VouchedView,
};
use wane_api::query::Requests;
use wane_api::request::{Approve, Deny, NewRequest, RequestView, Withdraw};

use crate::connect::Client;
use crate::error::ClientError;

impl Client {
    /// Asks for access. An item that policy denies is an answer, not an error.
    ///
    /// # Errors
    /// When the input is off.
    pub async fn ask(&self, input: &NewRequest) -> Result<RequestView, ClientError> {
        self.write(Method::POST, &["v1", "requests"], input).await
    }

    /// Requests the caller may see.
    ///
    /// # Errors
    /// As every call.
    pub async fn requests(&self, query: &Requests) -> Result<Page<RequestView>, ClientError> {
        self.get(&["v1", "requests"], query).await
    }

    /// One request.
    ///
    /// # Errors
    /// As every call.
    pub async fn request(&self, id: &str) -> Result<RequestView, ClientError> {
        self.get(&["v1", "requests", id], &()).await
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// When it no longer waits.
    pub async fn withdraw(&self, id: &str, input: &Withdraw) -> Result<RequestView, ClientError> {
        self.write(Method::POST, &["v1", "requests", id, "withdraw"], input).await
    }

    /// Approves a request, in full or narrower.
    ///
    /// # Errors
    /// When it no longer waits, or the caller may not approve it.
    pub async fn approve(&self, id: &str, input: &Approve) -> Result<RequestView, ClientError> {
        self.write(Method::POST, &["v1", "requests", id, "approve"], input).await
    }

    /// Denies a request.
    ///
    /// # Errors
    /// When it no longer waits, or the caller may not decide it.
    pub async fn deny(&self, id: &str, input: &Deny) -> Result<RequestView, ClientError> {
        self.write(Method::POST, &["v1", "requests", id, "deny"], input).await
    }

    /// Says what there is to sign to approve a request.
    ///
    /// # Errors
    /// When the caller may not approve it, or has no key that counts for it.
    pub async fn to_sign(&self, id: &str, input: &ToSign) -> Result<ToSignView, ClientError> {
        self.write(Method::POST, &["v1", "requests", id, "to-sign"], input).await
    }

    /// The keys somebody signs approvals with.
    ///
    /// # Errors
    /// As every call.
    pub async fn approver_keys(&self, name: &str) -> Result<ApproverKeys, ClientError> {
        self.get(&["v1", "people", name, "approver-keys"], &()).await
    }

    /// Enters a key of the caller's.
    ///
    /// # Errors
    /// When their last proof of identity is not fresh, or the key is none that is taken.
    pub async fn new_approver_key(&self, name: &str, input: &NewApproverKey) -> Result<ApproverKeyView, ClientError> {
        self.write(Method::POST, &["v1", "people", name, "approver-keys"], input).await
    }

    /// Says what there is to sign to vouch for a key.
    ///
    /// # Errors
    /// When the caller has no key to sign with.
    pub async fn to_vouch(&self, key: &str, input: &ToVouch) -> Result<ToVouchView, ClientError> {
        self.write(Method::POST, &["v1", "approver-keys", key, "to-vouch"], input).await
    }

    /// Vouches for a key.
    ///
    /// # Errors
    /// When the signer does not believe it.
    pub async fn vouch(&self, key: &str, input: &NewVoucher) -> Result<VouchedView, ClientError> {
        self.write(Method::POST, &["v1", "approver-keys", key, "vouchers"], input).await
    }

    /// Takes a key away.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_approver_key(&self, name: &str, id: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "people", name, "approver-keys", id], None).await
    }
}
