//! Notices and the channels they go over.

use clap::{Args, Subcommand};

use super::Many;

/// Notices and where they stand, newest first; those to you, or all if you may read the log
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Notices {
    #[command(subcommand)]
    pub(crate) what: Option<NoticesDo>,
    /// Only those that stand so
    #[arg(long, value_name = "STATE", value_parser = ["waiting", "delivered", "given_up", "dropped"])]
    pub(crate) state: Option<String>,
    /// Only those over this channel: `mail`, `webhook.NAME`
    #[arg(long)]
    pub(crate) channel: Option<String>,
    /// Only those to this person
    #[arg(long)]
    pub(crate) person: Option<String>,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// What can be done about notices.
#[derive(Debug, Subcommand)]
pub(crate) enum NoticesDo {
    /// The channels they go over, and how those stand
    Channels,
    Retry(Retry),
    Test(Test),
}

/// Have one tried again at once, that waits or was given up
#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// Which: `dlv_…`
    pub(crate) notice: String,
}

/// Send one over a channel now; one that arrives opens a closed channel
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Which: `mail` (it goes to you), `webhook.NAME`
    pub(crate) channel: String,
}
