//! Who stands in for an approver who is away.

use reqwest::Method;
use wane_api::Page;
use wane_api::delegation::{DelegationView, NewDelegation};
use wane_api::query::Delegations;

use crate::connect::Client;
use crate::error::ClientError;

impl Client {
    /// Who stands in for somebody, and for whom they do.
    ///
    /// # Errors
    /// As every call.
    pub async fn delegations(&self, query: &Delegations) -> Result<Page<DelegationView>, ClientError> {
        self.get(&["v1", "delegations"], query).await
    }

    /// Has somebody stand in for the caller.
    ///
    /// # Errors
    /// When the caller's last proof of identity is not fresh, or the input is off.
    pub async fn delegate(&self, input: &NewDelegation) -> Result<DelegationView, ClientError> {
        self.write(Method::POST, &["v1", "delegations"], input).await
    }

    /// Takes it back.
    ///
    /// # Errors
    /// When there is none, or it was taken back already.
    pub async fn end_delegation(&self, id: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "delegations", id], None).await
    }
}
