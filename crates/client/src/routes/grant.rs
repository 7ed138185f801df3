//! Grants.

use reqwest::Method;
use serde_json::json;
use wane_api::Page;
use wane_api::grant::{CredentialView, DenyGrant, Extend, GrantView, NewCredential, StoryView};
use wane_api::query::Grants;
use wane_api::request::RequestView;

use crate::connect::Client;
use crate::error::ClientError;

impl Client {
    /// Grants the caller may see.
    ///
    /// # Errors
    /// As every call.
    pub async fn grants(&self, query: &Grants) -> Result<Page<GrantView>, ClientError> {
        self.get(&["v1", "grants"], query).await
    }

    /// One grant.
    ///
    /// # Errors
    /// As every call.
    pub async fn grant(&self, id: &str) -> Result<GrantView, ClientError> {
        self.get(&["v1", "grants", id], &()).await
    }

    /// Has a credential issued. An answer that was lost cannot be had again: ask anew.
    ///
    /// # Errors
    /// When the grant is over, or policy no longer allows it.
    pub async fn credential(&self, id: &str, input: &NewCredential) -> Result<CredentialView, ClientError> {
        self.write(Method::POST, &["v1", "grants", id, "credential"], input).await
    }

    /// Gives a grant back.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn return_grant(&self, id: &str) -> Result<GrantView, ClientError> {
        self.write(Method::POST, &["v1", "grants", id, "return"], &json!({})).await
    }

    /// Asks for more time.
    ///
    /// # Errors
    /// When it has ended, or already lasts as long as policy allows.
    pub async fn extend(&self, id: &str, input: &Extend) -> Result<RequestView, ClientError> {
        self.write(Method::POST, &["v1", "grants", id, "extend"], input).await
    }

    /// Takes one's approval back: the grant ends.
    ///
    /// # Errors
    /// When the caller did not approve it.
    pub async fn deny_grant(&self, id: &str, input: &DenyGrant) -> Result<GrantView, ClientError> {
        self.write(Method::POST, &["v1", "grants", id, "deny"], input).await
    }

    /// The whole story of a grant.
    ///
    /// # Errors
    /// As every call.
    pub async fn story(&self, id: &str) -> Result<StoryView, ClientError> {
        self.get(&["v1", "grants", id, "story"], &()).await
    }
}
