//! Workloads: what works by itself, who is believed about its jobs, and the jobs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::{SecretText, SpanView};

/// Enters an issuer of tokens about jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIssuer {
    /// Unique name.
    pub name: String,
    /// `github`, `gitlab`, `kubernetes` or `generic`: which claims say whose a job is.
    pub sort: String,
    /// Its issuer identifier, exactly as its tokens say it: an `https://` address.
    #[schema(max_length = 512)]
    pub issuer: String,
    /// For whom its tokens have to be made, and for nobody else; this server's address if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    pub audience: Option<String>,
    /// How they may be signed: RS256, PS256, ES256, EdDSA; RS256 and ES256 if nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<String>,
    /// The only certificate authorities it is trusted by, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub ca_pem: Option<String>,
    /// Its keys as JSON (RFC 7517), where they are not to be fetched: a cluster that nobody reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub jwks: Option<String>,
}

/// An issuer of tokens about jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuerView {
    /// Unique name.
    pub name: String,
    /// What sort it is of.
    pub sort: String,
    /// Its issuer identifier.
    pub issuer: String,
    /// For whom its tokens have to be made.
    pub audience: String,
    /// How they may be signed.
    pub algorithms: Vec<String>,
    /// Whether its keys were entered and are never fetched.
    pub keys_entered: bool,
    /// Since when.
    pub since: Timestamp,
}

/// Issuers, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Issuers {
    /// All there are.
    pub items: Vec<IssuerView>,
}

/// Which jobs are a workload's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadRule {
    /// Who says so, by name.
    pub issuer: String,
    /// What each of these claims has to say. A `*` stands for one character or more, and never for `/` or `:`.
    pub claims: BTreeMap<String, String>,
    /// How long a job lasts at most; `1h` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<String>,
    /// After how long without a word a job is over; `1m` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<String>,
}

/// Enters a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkload {
    /// Unique name, among people's.
    pub name: String,
    /// The name people read; the name if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub display: Option<String>,
    /// Who answers for it.
    pub sponsor: String,
    /// Which jobs are its.
    pub rule: WorkloadRule,
}

/// A workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadView {
    /// Unique name.
    pub name: String,
    /// The name people read.
    pub display: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sponsor: Option<String>,
    /// Which jobs are its.
    pub rule: WorkloadRule,
    /// Whether it may do anything.
    pub active: bool,
    /// Since when.
    pub since: Timestamp,
}

/// Workloads, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Workloads {
    /// All there are.
    pub items: Vec<WorkloadView>,
}

/// Begins a job with a token of its issuer, which is good for that once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    /// The token (a JWT).
    pub token: SecretText,
    /// Which workload's it is, if it could be several's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
}

/// A job that began.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct JobBegun {
    /// Which.
    pub job: String,
    /// Whose.
    pub workload: String,
    /// The bearer token of the job. Shown once.
    pub token: SecretText,
    /// When it is over at the latest.
    pub until: Timestamp,
    /// After how long without a word it is over.
    pub silence: SpanView,
}

/// That a job goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobBeat {
    /// When it is over at the latest.
    pub until: Timestamp,
}

/// That a job is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobOver {
    /// The grants that ended with it.
    pub grants: Vec<String>,
}

/// A job that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Which.
    pub job: String,
    /// Whose.
    pub workload: String,
    /// Who says so.
    pub issuer: String,
    /// What the issuer calls it.
    pub subject: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was last heard of.
    pub heard: Timestamp,
    /// When it is over at the latest.
    pub until: Timestamp,
}

/// Jobs that go on, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jobs {
    /// All there are.
    pub items: Vec<JobView>,
}
