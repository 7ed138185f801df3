//! Workloads, who is believed about their jobs, and the jobs.

use std::sync::Arc;

use reqwest::header::ACCEPT;
use reqwest::{Method, Url};
use serde_json::json;
use wane_api::SecretText;
use wane_api::workload::{
    IssuerView, Issuers, JobBeat, JobBegun, JobOver, Jobs, NewIssuer, NewJob, NewWorkload, WorkloadRule, WorkloadView,
    Workloads,
};

use crate::connect::{Bearer, Client, Connect, KeySource};
use crate::error::ClientError;
use crate::send::LONGEST_CALL;

impl Client {
    /// Issuers of tokens about jobs.
    ///
    /// # Errors
    /// As every call.
    pub async fn issuers(&self) -> Result<Issuers, ClientError> {
        self.get(&["v1", "issuers"], &()).await
    }

    /// Enters an issuer.
    ///
    /// # Errors
    /// When the name or address is taken, or something of it cannot be used.
    pub async fn new_issuer(&self, input: &NewIssuer) -> Result<IssuerView, ClientError> {
        self.write(Method::POST, &["v1", "issuers"], input).await
    }

    /// Removes an issuer.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_issuer(&self, name: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "issuers", name], None).await
    }

    /// Workloads.
    ///
    /// # Errors
    /// As every call.
    pub async fn workloads(&self) -> Result<Workloads, ClientError> {
        self.get(&["v1", "workloads"], &()).await
    }

    /// Enters a workload.
    ///
    /// # Errors
    /// When the name is taken, or its rule would let in jobs of anybody.
    pub async fn new_workload(&self, input: &NewWorkload) -> Result<WorkloadView, ClientError> {
        self.write(Method::POST, &["v1", "workloads"], input).await
    }

    /// Changes which jobs are a workload's.
    ///
    /// # Errors
    /// When the rule would let in jobs of anybody.
    pub async fn workload_rule(&self, name: &str, input: &WorkloadRule) -> Result<WorkloadView, ClientError> {
        self.write(Method::PUT, &["v1", "workloads", name, "rule"], input).await
    }

    /// Removes a workload.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_workload(&self, name: &str) -> Result<(), ClientError> {
        self.write_only(Method::DELETE, &["v1", "workloads", name], None).await
    }

    /// Jobs that go on.
    ///
    /// # Errors
    /// As every call.
    pub async fn jobs(&self) -> Result<Jobs, ClientError> {
        self.get(&["v1", "jobs"], &()).await
    }

    /// Begins a job. A token begins one, so what broke off is not tried again.
    ///
    /// # Errors
    /// When the token is not taken.
    pub async fn begin_job(&self, input: &NewJob) -> Result<JobBegun, ClientError> {
        self.question(&["v1", "jobs"], input).await
    }

    /// Says that the job goes on.
    ///
    /// # Errors
    /// When it is over.
    pub async fn beat(&self) -> Result<JobBeat, ClientError> {
        self.question(&["v1", "jobs", "current", "beat"], &json!({})).await
    }

    /// Says that the job is over.
    ///
    /// # Errors
    /// When it is over already.
    pub async fn end_job(&self) -> Result<JobOver, ClientError> {
        self.write(Method::DELETE, &["v1", "jobs", "current"], &json!({})).await
    }
}

/// A token about the job that runs, as a runner of GitHub Actions hands it out for an audience. The request goes to the
/// runner's own address and carries nothing of ours; whom this machine trusts is trusted there.
///
/// # Errors
/// When the runner hands none out.
pub async fn runner_token(at: &str, bearer: Bearer, audience: &str) -> Result<SecretText, ClientError> {
    let off = |why: String| ClientError::Input(format!("`ACTIONS_ID_TOKEN_REQUEST_URL` cannot be used: {why}"));
    let url: Url = at.parse().map_err(|_| off("it is no address".to_owned()))?;
    let origin = url.origin().ascii_serialization();
    let keys: KeySource = Arc::new(String::new);
    let runner = Client::new(Connect { server: &origin, token: Some(bearer), ca_pem: None, keys })?;
    let request = runner.http.get(url).query(&[("audience", audience)]).header(ACCEPT, "application/json");
    let response = runner.open(request.timeout(LONGEST_CALL), runner.token.as_ref()).await?;
    let said: serde_json::Value = runner.answer(response).await?;
    let token = said.get("value").and_then(serde_json::Value::as_str);
    let token = token.ok_or_else(|| off("it handed out no token".to_owned()))?;
    Ok(SecretText::new(token.to_owned()))
}
