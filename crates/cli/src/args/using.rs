//! Asking for access and using it.

use std::path::PathBuf;

use clap::Args;

use super::Many;
use super::item::{Item, Place};
use crate::exit::Stop;

/// What you may ask for, and what each asks of you
#[derive(Debug, Args)]
pub(crate) struct Askable {
    /// Only what names this resource
    pub(crate) resource: Option<String>,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// Ask for access: ROLE@RESOURCE, several at once
///
/// Comes out as 0 if everything asked for is granted, 6 if something waits for approval, 3 if
/// something is denied.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// What: `deploy@web-1`; a bare RESOURCE takes --role, or the only role you may ask for
    #[arg(required = true, value_name = "ROLE@RESOURCE")]
    pub(crate) items: Vec<Item>,
    /// The role on every bare RESOURCE
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// The one command it is for, which may then be run once and exactly so: `systemctl restart nginx`
    #[arg(long, value_name = "COMMAND")]
    pub(crate) task: Option<String>,
    /// For how long: `2h`, `30m`
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    pub(crate) duration: String,
    /// From when: `+30m`, `14:00`, `2026-11-21T14:00Z`; at once if left out
    #[arg(long, value_name = "MOMENT")]
    pub(crate) from: Option<String>,
    /// Why
    #[arg(long, short = 'm')]
    pub(crate) reason: Option<String>,
    /// Under which ticket
    #[arg(long)]
    pub(crate) ticket: Option<String>,
    /// Who is to hold it; you if left out
    #[arg(long, value_name = "PERSON")]
    pub(crate) for_person: Option<String>,
    /// Wait until it is decided; at most so long, if said: `--wait=10m`
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) wait: Option<String>,
}

/// Have a credential issued under a grant
///
/// Prints what is not secret. The secret is printed only if standard output is not a terminal, or
/// with --show-secret; with --secret-file it goes to a file only you can read instead. A credential
/// that got lost is never shown again: ask for another.
#[derive(Debug, Args)]
pub(crate) struct Credential {
    pub(crate) grant: String,
    /// What the kind needs from you, as JSON: the text itself, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// Print the secret even on a terminal
    #[arg(long)]
    pub(crate) show_secret: bool,
    /// Write the secret to this new file, readable by you alone, and do not print it
    #[arg(long, value_name = "FILE", conflicts_with = "show_secret")]
    pub(crate) secret_file: Option<PathBuf>,
}

/// Run a command with access to a resource, and end it when the access ends
///
/// Asks for access if none is live, and waits for approval. The command finds the facts of the
/// connection in its environment: `WANE_GRANT`, `WANE_RESOURCE`, `WANE_ROLE`, `WANE_END`, and each
/// public fact as `WANE_…`; where a place, a port and a user are given also PGHOST, PGPORT, PGUSER,
/// PGDATABASE, PGSSLMODE (always verify-full), PGSSLROOTCERT and PGPASSFILE. A secret is never in its environment or
/// arguments: `WANE_SECRET_FILE` names a file only you can read, gone afterwards. A host is reached by the settings
/// in WANE_SSH_CONFIG (`ssh -F "$WANE_SSH_CONFIG" RESOURCE`, and git by itself), a certificate and its key are in
/// WANE_CERT_FILE and WANE_KEY_FILE. When the access ends, the command gets SIGTERM, and SIGKILL five seconds later.
///
/// In a job of a pipeline or of a service account nobody is signed in: the job's own token is shown to the server, by
/// WANE_ID_TOKEN or WANE_ID_TOKEN_FILE, or as GitHub Actions hands it out. Then everything the job was given ends with
/// the command, and soon after nothing is heard of it any more.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Where: `db`, `db/readonly` or `readonly@db`
    #[arg(value_name = "RESOURCE[/ROLE]", required_unless_present = "on", conflicts_with = "on")]
    pub(crate) place: Option<Place>,
    /// The same in words of their own: on what
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) on: Option<String>,
    /// As what
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// How long to wait for approval; a job waits 15 minutes if nothing is said, a person until it is decided
    #[arg(long, value_name = "TIME")]
    pub(crate) wait: Option<String>,
    /// In a job: which workload it is of, if it could be several's
    #[arg(long, value_name = "WORKLOAD")]
    pub(crate) workload: Option<String>,
    /// For how long, if it has to be asked for
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// Why, if it has to be asked for
    #[arg(long, short = 'm')]
    pub(crate) reason: Option<String>,
    /// Under which ticket, if it has to be asked for
    #[arg(long)]
    pub(crate) ticket: Option<String>,
    /// Give the access back when the command is done
    #[arg(long = "return")]
    pub(crate) give_back: bool,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

impl Exec {
    /// Where it is to run, and as what.
    pub(crate) fn whither(&self) -> Result<(String, Option<String>), Stop> {
        let place = self.place.as_ref().map(|Place(item)| (item.resource.clone(), item.role.clone()));
        let said = || self.on.clone().map(|on| (on, None));
        let (resource, role) = place.or_else(said).ok_or_else(|| Stop::usage("say on what: --on RESOURCE"))?;
        match (role, self.role.clone()) {
            (Some(_), Some(_)) => Err(Stop::usage("the role is said twice; say it once")),
            (one, other) => Ok((resource, one.or(other))),
        }
    }
}

/// Ask for more time on a grant
#[derive(Debug, Args)]
pub(crate) struct Extend {
    pub(crate) grant: String,
    /// How much more: `1h`
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: String,
    /// Why
    #[arg(long, short = 'm')]
    pub(crate) reason: Option<String>,
}

/// Give access back: it ends now
#[derive(Debug, Args)]
pub(crate) struct Done {
    #[arg(required = true, value_name = "GRANT")]
    pub(crate) grants: Vec<String>,
}

/// Take a request back
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    pub(crate) request: String,
    /// Only this item, from 0
    #[arg(long, value_name = "N")]
    pub(crate) item: Option<u32>,
}
