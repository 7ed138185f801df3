//! Who stands in while an approver is away.

use clap::{Args, Subcommand};

use super::Many;

/// Who decides in your place while you are away
#[derive(Debug, Subcommand)]
pub(crate) enum Delegate {
    Add(AddDelegate),
    List(ListDelegates),
    Remove(RemoveDelegate),
}

/// Have somebody stand in for you; prove who you are first
///
/// They may decide what you could, for as long as you say, and never what they asked for themselves. Both names are on
/// record. Only you can say so, and who stands in cannot hand it on.
#[derive(Debug, Args)]
pub(crate) struct AddDelegate {
    /// Who stands in
    pub(crate) person: String,
    /// Until when: `+48h`, `2026-12-24`
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: String,
    /// From when, if not from now on
    #[arg(long, value_name = "WHEN")]
    pub(crate) from: Option<String>,
    /// Only for what is asked on this resource; several times for several
    #[arg(long = "on", value_name = "RESOURCE")]
    pub(crate) resources: Vec<String>,
    /// Only for what is asked on the path of this policy; several times for several
    #[arg(long = "under", value_name = "POLICY")]
    pub(crate) policies: Vec<String>,
    /// Why
    #[arg(long, short = 'm')]
    pub(crate) reason: Option<String>,
}

/// Who stands in for you, and for whom you do
#[derive(Debug, Args)]
pub(crate) struct ListDelegates {
    /// Of this person; yours if left out
    #[arg(long)]
    pub(crate) person: Option<String>,
    /// Those that are over or were taken back, too
    #[arg(long)]
    pub(crate) past: bool,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// Take it back, yours or what you were given; what was approved under it and nobody began to use is void
#[derive(Debug, Args)]
pub(crate) struct RemoveDelegate {
    #[arg(value_name = "DELEGATION")]
    pub(crate) id: String,
}
