//! The policy set, and why it decides as it does.

use reqwest::Method;
use wane_api::Page;
use wane_api::policy::{CheckPolicy, LoadPolicy, PolicyChecked, PolicyLoaded, PolicyVersionView, PolicyView};
use wane_api::query::{Listing, Under};
use wane_api::why::{AskableView, RequestWhyView, Suppose, WhyView};

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

    /// Every version of the policy set, newest first, without texts.
    ///
    /// # Errors
    /// As every call.
    pub async fn policy_versions(&self, query: &Listing) -> Result<Page<PolicyVersionView>, ClientError> {
        self.get(&["v1", "policy", "versions"], query).await
    }

    /// One version of the policy set, with its text.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn policy_version(&self, version: u64) -> Result<PolicyView, ClientError> {
        self.get(&["v1", "policy", "versions", &version.to_string()], &()).await
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
        self.question(&["v1", "policy", "check"], input).await
    }

    /// How a supposed ask would be decided, and why.
    ///
    /// # Errors
    /// As every call; a no is an answer.
    pub async fn why(&self, input: &Suppose) -> Result<WhyView, ClientError> {
        self.question(&["v1", "why"], input).await
    }

    /// What was decided about a grant, and how policy sees it now.
    ///
    /// # Errors
    /// When there is no such version of the policy set.
    pub async fn why_grant(&self, grant: &str, under: &Under) -> Result<WhyView, ClientError> {
        self.get(&["v1", "grants", grant, "why"], under).await
    }

    /// Why the items of a request stand as they do.
    ///
    /// # Errors
    /// When there is no such version of the policy set.
    pub async fn why_request(&self, request: &str, under: &Under) -> Result<RequestWhyView, ClientError> {
        self.get(&["v1", "requests", request, "why"], under).await
    }

    /// What the caller may ask for.
    ///
    /// # Errors
    /// As every call.
    pub async fn askable(&self, query: &Listing) -> Result<Page<AskableView>, ClientError> {
        self.get(&["v1", "askable"], query).await
    }
}
