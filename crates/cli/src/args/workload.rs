//! Workloads: pipelines, service accounts, whatever works by itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::item::Pair;

/// Workloads: pipelines and services that come with a token of their issuer instead of a stored key
#[derive(Debug, Subcommand)]
pub(crate) enum Workload {
    Add(AddWorkload),
    /// All workloads
    List,
    Rule(ChangeRule),
    Remove(WorkloadName),
    /// The jobs that go on
    Jobs,
    #[command(subcommand)]
    Issuer(Issuer),
}

/// Who is believed about the jobs of workloads
#[derive(Debug, Subcommand)]
pub(crate) enum Issuer {
    Add(AddIssuer),
    /// All issuers
    List,
    Remove(IssuerName),
}

/// Remove an issuer: what the jobs hold that it speaks of ends
#[derive(Debug, Args)]
pub(crate) struct IssuerName {
    pub(crate) issuer: String,
}

/// Remove a workload: it may do nothing any more, and what its jobs hold ends
#[derive(Debug, Args)]
pub(crate) struct WorkloadName {
    pub(crate) workload: String,
}

/// Enter an issuer of tokens about jobs
#[derive(Debug, Args)]
pub(crate) struct AddIssuer {
    pub(crate) name: String,
    /// github, gitlab, kubernetes or generic: which claims say whose a job is
    #[arg(long, value_name = "SORT")]
    pub(crate) sort: String,
    /// Its issuer identifier, exactly as its tokens say it [default: that of github.com or gitlab.com, by its sort]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// For whom its tokens have to be made [default: this server's address]
    #[arg(long, value_name = "TEXT")]
    pub(crate) audience: Option<String>,
    /// How its tokens may be signed; several times [default: RS256, ES256]
    #[arg(long = "algorithm", value_name = "NAME")]
    pub(crate) algorithms: Vec<String>,
    /// The only certificate authorities it is trusted by, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Its keys (a JWKS), where they are never fetched: a cluster that the server does not reach
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,
}

/// Which jobs are a workload's.
#[derive(Debug, Args)]
pub(crate) struct Rule {
    /// Who says what its jobs are
    #[arg(long)]
    pub(crate) issuer: String,
    /// What a claim has to say; several times. A `*` stands for one character or more, never for `/` or `:`
    #[arg(long = "claim", value_name = "CLAIM=PATTERN", required = true)]
    pub(crate) claims: Vec<Pair>,
    /// How long a job lasts at most [default: 1h]
    #[arg(long, value_name = "TIME")]
    pub(crate) longest: Option<String>,
    /// After how long without a word a job is over [default: 1m]
    #[arg(long, value_name = "TIME")]
    pub(crate) silence: Option<String>,
}

/// Enter a workload
#[derive(Debug, Args)]
pub(crate) struct AddWorkload {
    pub(crate) name: String,
    /// Who answers for it; they approve nothing of it
    #[arg(long, value_name = "PERSON")]
    pub(crate) sponsor: String,
    /// The name people read
    #[arg(long)]
    pub(crate) display: Option<String>,
    #[command(flatten)]
    pub(crate) rule: Rule,
}

/// Change which jobs are a workload's; what jobs hold that are not any more ends
#[derive(Debug, Args)]
pub(crate) struct ChangeRule {
    pub(crate) workload: String,
    #[command(flatten)]
    pub(crate) rule: Rule,
}
