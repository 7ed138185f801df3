//! The policy set, and why it decides as it does.

use reqwest::Method;
use wane_api::Page;
use wane_api::policy::{CheckPolicy, LoadPolicy, PolicyChecked, PolicyLoaded, PolicyView};
use wane_api::query::Listing;
use wane_api::why::{AskableView, Suppose, WhyView};

use crate::connect::Client;
use crate::error::ClientError;

impl Client {
    /// The policy set in force.
    ///
    /// # Errors
    /// As every call.
    pub async fn policy(&self) -> Result<PolicyView, ClientError> {
        self.get(&["v1", "policy"], &()).await
    }

    /// Loads a policy set.
    ///
    /// # Errors
    /// When it does not validate, or another was loaded meanwhile; nothing is changed then.
    pub async fn load_policy(&self, input: &LoadPolicy) -> Result<PolicyLoaded, ClientError> {
        self.write(Method::POST, &["v1", "policy"], input).await
    }

    /// Checks a policy set and loads nothing.
    ///
    /// # Errors
    /// As every call; a set that does not validate is an answer.
    pub async fn check_policy(&self, input: &CheckPolicy) -> Result<PolicyChecked, ClientError> {
        self.write(Method::POST, &["v1", "policy", "check"], input).await
    }

    /// How a supposed ask would be decided, and why.
    ///
    /// # Errors
    /// As every call; a no is an answer.
    pub async fn why(&self, input: &Suppose) -> Result<WhyView, ClientError> {
        self.write(Method::POST, &["v1", "why"], input).await
    }

    /// Why a grant was given.
    ///
    /// # Errors
    /// As every call.
    pub async fn why_grant(&self, grant: &str) -> Result<WhyView, ClientError> {
        self.get(&["v1", "grants", grant, "why"], &()).await
    }

    /// What the caller may ask for.
    ///
    /// # Errors
    /// As every call.
    pub async fn askable(&self, query: &Listing) -> Result<Page<AskableView>, ClientError> {
        self.get(&["v1", "askable"], query).await
    }
}
