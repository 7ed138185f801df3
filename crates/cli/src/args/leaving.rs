//! Sending people away.

use clap::Args;

/// Send a person away: everything they hold ends, and nothing of theirs lets anybody in
///
/// Waits until all of it is over, with evidence, and prints the report. Comes out as 9 while
/// an end is still owed; it is tried on until it is done, and the report can be asked for again.
#[derive(Debug, Args)]
pub(crate) struct Offboard {
    pub(crate) person: String,
    /// Why
    #[arg(long, short = 'm', conflicts_with = "report")]
    pub(crate) reason: Option<String>,
    /// How long to wait until everything is over
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(crate) wait: String,
    /// Only the report of somebody who has left
    #[arg(long)]
    pub(crate) report: bool,
}
