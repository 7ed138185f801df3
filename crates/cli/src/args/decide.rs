//! Deciding what others asked, and ending access.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Many;
use super::item::RoleOfKind;

/// Requests, newest first
#[derive(Debug, Args)]
pub(crate) struct Requests {
    /// Only one, in full
    #[arg(value_name = "REQUEST")]
    pub(crate) id: Option<String>,
    /// Only those you could approve now
    #[arg(long)]
    pub(crate) waiting_for_me: bool,
    /// Only those that wait
    #[arg(long)]
    pub(crate) waiting: bool,
    /// Only yours
    #[arg(long)]
    pub(crate) mine: bool,
    /// Only those by or for this person
    #[arg(long)]
    pub(crate) person: Option<String>,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// What waits for you: requests that you could decide now, in your own right or in another's place
#[derive(Debug, Args)]
pub(crate) struct Waiting {
    #[command(flatten)]
    pub(crate) many: Many,
}

/// Approve a request, in full or narrower
#[derive(Debug, Args)]
pub(crate) struct Approve {
    pub(crate) request: String,
    /// Only this item, from 0
    #[arg(long, value_name = "N")]
    pub(crate) item: Option<u32>,
    /// Not for as long as asked: `30m`
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// Not for the role asked, but for this narrower one
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// Sign it with this SSH key, or with `agent` by the one in your agent
    #[arg(long, value_name = "KEYFILE|agent")]
    pub(crate) sign_with: Option<PathBuf>,
    /// Only print what there is to sign, to be signed by hand within ten minutes
    #[arg(long, conflicts_with_all = ["sign_with", "signature"])]
    pub(crate) print_to_sign: bool,
    /// What `ssh-keygen -Y sign -n wane-approval@wane` wrote over that
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sign_with", "item", "duration", "role"])]
    pub(crate) signature: Option<PathBuf>,
    /// With which of your keys: `apk_…`, where you have several
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// The keys you sign approvals with
#[derive(Debug, Subcommand)]
pub(crate) enum ApproverKey {
    Add(AddApproverKey),
    List(ListApproverKeys),
    Vouch(Vouch),
    Remove(RemoveApproverKey),
}

/// Enter an SSH key or a passkey of yours; prove who you are first
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct AddApproverKey {
    /// The public key: a `.pub` file
    #[arg(group = "what", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A passkey that you sign in with: `way_…`
    #[arg(long, group = "what", value_name = "WAY")]
    pub(crate) passkey: Option<String>,
    /// What to call it
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// The keys of a person; yours if nobody is named
#[derive(Debug, Args)]
pub(crate) struct ListApproverKeys {
    pub(crate) person: Option<String>,
}

/// Vouch for somebody's key with one of yours that counts at the signer
#[derive(Debug, Args)]
pub(crate) struct Vouch {
    /// Which: `apk_…`
    #[arg(value_name = "KEY")]
    pub(crate) id: String,
    /// Sign with this SSH key, or with `agent` by the one in your agent
    #[arg(long, value_name = "KEYFILE|agent", default_value = "agent")]
    pub(crate) sign_with: PathBuf,
    /// With which of your keys: `apk_…`, where you have several
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// Take a key away; what it approved and nobody began to use is void
#[derive(Debug, Args)]
pub(crate) struct RemoveApproverKey {
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// Of this person; yours if left out
    #[arg(long)]
    pub(crate) person: Option<String>,
}

/// Deny a request, or take back your approval of a grant
#[derive(Debug, Args)]
pub(crate) struct Deny {
    #[arg(value_name = "REQUEST|GRANT")]
    pub(crate) id: String,
    /// Only this item, from 0
    #[arg(long, value_name = "N")]
    pub(crate) item: Option<u32>,
    /// Why
    #[arg(long, short = 'm')]
    pub(crate) reason: String,
}

/// End a grant, everything a person holds, or everything on a resource
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct Revoke {
    #[arg(group = "what")]
    pub(crate) grant: Option<String>,
    /// Everything this person holds
    #[arg(long, group = "what")]
    pub(crate) person: Option<String>,
    /// Every grant on this resource
    #[arg(long, group = "what")]
    pub(crate) resource: Option<String>,
    /// Why
    #[arg(long, short = 'm')]
    pub(crate) reason: String,
}

/// End one session that goes through the gateway, and leave its grant
#[derive(Debug, Args)]
pub(crate) struct Kill {
    pub(crate) session: String,
    /// Why
    #[arg(long, short = 'm')]
    pub(crate) reason: String,
}

/// Locks: what they cover ends, and nothing new is granted until they are lifted
#[derive(Debug, Subcommand)]
pub(crate) enum Lock {
    Add(AddLock),
    List(ListLocks),
    Lift(LiftLock),
}

/// Lock a person, a resource, a role or a grant
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct AddLock {
    /// Everything this person holds or would ask for
    #[arg(long, group = "what")]
    pub(crate) person: Option<String>,
    /// Everything on this resource
    #[arg(long, group = "what")]
    pub(crate) resource: Option<String>,
    /// Every grant of this role
    #[arg(long, group = "what", value_name = "KIND/ROLE")]
    pub(crate) role: Option<RoleOfKind>,
    /// One grant
    #[arg(long, group = "what")]
    pub(crate) grant: Option<String>,
    /// Why
    #[arg(long, short = 'm')]
    pub(crate) reason: String,
}

/// The locks that hold
#[derive(Debug, Args)]
pub(crate) struct ListLocks {
    #[command(flatten)]
    pub(crate) many: Many,
}

/// Lift a lock
#[derive(Debug, Args)]
pub(crate) struct LiftLock {
    pub(crate) lock: String,
}
