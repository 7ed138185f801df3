//! Seeing what is, what was, and why.

use clap::Args;

use super::Many;

/// All live access on one board
#[derive(Debug, Args)]
pub(crate) struct Live {
    /// Keep it up to date until Ctrl-C
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
}

/// Sessions that go through the gateway now
#[derive(Debug, Args)]
pub(crate) struct Sessions {}

/// Grants, newest first
#[derive(Debug, Args)]
pub(crate) struct Grants {
    /// Only yours
    #[arg(long)]
    pub(crate) mine: bool,
    /// Only those this person holds
    #[arg(long)]
    pub(crate) person: Option<String>,
    /// Only those on this resource
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// Only those that stand so
    #[arg(long, value_delimiter = ',', value_name = "STATE",
          value_parser = ["scheduled", "active", "ending", "closed"])]
    pub(crate) state: Vec<String>,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// One grant, with everything made for it
#[derive(Debug, Args)]
pub(crate) struct Grant {
    pub(crate) grant: String,
}

/// Ends that are owed: what should be over and is not proven to be
#[derive(Debug, Args)]
pub(crate) struct Debts {}

/// What was asked, granted and ended of late, and what stood at the targets, day by day (UTC)
#[derive(Debug, Args)]
pub(crate) struct Figures {
    /// So many days, today among them
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=366))]
    pub(crate) days: u32,
}

/// What stood at each resource when it was last looked at: what was made from here, what was not, what belongs to nothing
#[derive(Debug, Args)]
pub(crate) struct Inventories {}

/// LDAP directories that people and groups come from: when each was last read, and what of it was not taken
#[derive(Debug, Args)]
pub(crate) struct Pulled {}

/// Why something is decided as it is: a grant, a request, or an ask that is only supposed
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// A grant, a request, or what would be asked for; the role may be left out if there is only one
    #[arg(value_name = "GRANT|REQUEST|ROLE@RESOURCE")]
    pub(crate) what: String,
    /// What this version of the policy set says, with the facts of today; the one in force if left out
    #[arg(long, value_name = "VERSION")]
    pub(crate) policy: Option<u64>,
    /// Who would hold it; you if left out
    #[arg(long)]
    pub(crate) person: Option<String>,
    /// For how long
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// With this reason
    #[arg(long, short = 'm')]
    pub(crate) reason: Option<String>,
    /// Under this ticket
    #[arg(long)]
    pub(crate) ticket: Option<String>,
    /// For this one command
    #[arg(long, value_name = "COMMAND")]
    pub(crate) task: Option<String>,
}

/// The whole story of a grant, from the ask to the evidence of its end
#[derive(Debug, Args)]
pub(crate) struct Story {
    pub(crate) grant: String,
}

/// The trail of everything that happened, newest first
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// About or by this person
    #[arg(long)]
    pub(crate) person: Option<String>,
    /// About this resource
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// About this grant
    #[arg(long)]
    pub(crate) grant: Option<String>,
    /// About this request
    #[arg(long)]
    pub(crate) request: Option<String>,
    /// Whose event begins with this: `grant.`
    #[arg(long)]
    pub(crate) event: Option<String>,
    /// Not before
    #[arg(long, value_name = "MOMENT")]
    pub(crate) from: Option<String>,
    /// Before
    #[arg(long, value_name = "MOMENT", conflicts_with = "follow")]
    pub(crate) until: Option<String>,
    /// The server's bookkeeping too: sessions used, answers kept
    #[arg(long)]
    pub(crate) all_events: bool,
    /// Go on with what happens from now, until Ctrl-C; with --json one record a line
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) many: Many,
}
