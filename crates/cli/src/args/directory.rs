//! Directories that push people and groups.

use clap::{Args, Subcommand};

use super::item::Pair;

/// Directories that push people and groups over SCIM
#[derive(Debug, Subcommand)]
pub(crate) enum Directory {
    Add(AddDirectory),
    /// All directories
    List,
    /// One directory: what it keeps, when it last called, what was refused
    Show(DirectoryName),
    Change(ChangeDirectory),
    Rotate(RotateDirectory),
    Remove(RemoveDirectory),
}

#[derive(Debug, Args)]
pub(crate) struct DirectoryName {
    pub(crate) directory: String,
}

/// Remove a directory: its token ends, and the people it kept are disabled, which ends everything they hold
#[derive(Debug, Args)]
pub(crate) struct RemoveDirectory {
    pub(crate) directory: String,
    /// Its people stay as they are, and are yours to change
    #[arg(long)]
    pub(crate) keep_people: bool,
}

/// What of its word counts.
#[derive(Debug, Default, Args)]
pub(crate) struct Rules {
    /// What is the name people read, as a SCIM path [default: displayName]
    #[arg(long, value_name = "PATH")]
    pub(crate) display: Option<String>,
    /// An attribute for policy, and the SCIM path of its value there; several times
    #[arg(long = "attribute", value_name = "NAME=PATH")]
    pub(crate) attributes: Vec<Pair>,
    /// A group's name there, and its name here, which is to be free; several times
    #[arg(long = "group", value_name = "THEIRS=OURS")]
    pub(crate) groups: Vec<Pair>,
    /// Where its people sign in: a provider of the server's settings
    #[arg(long, value_name = "PROVIDER", requires = "subject")]
    pub(crate) sign_in: Option<String>,
    /// What is their `sub` at that provider, as a SCIM path: externalId, say
    #[arg(long, value_name = "PATH", requires = "sign_in")]
    pub(crate) subject: Option<String>,
}

/// Add a directory; prints the token that it is to be given, once
#[derive(Debug, Args)]
pub(crate) struct AddDirectory {
    pub(crate) directory: String,
    /// What is the name of a person here, as a SCIM path; stays so [default: userName]
    #[arg(long, value_name = "PATH")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) rules: Rules,
}

/// Change what of a directory's word counts; what is left out stays
#[derive(Debug, Args)]
pub(crate) struct ChangeDirectory {
    pub(crate) directory: String,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// No attributes for policy
    #[arg(long, conflicts_with = "attributes")]
    pub(crate) no_attributes: bool,
    /// No names of groups of their own
    #[arg(long, conflicts_with = "groups")]
    pub(crate) no_groups: bool,
    /// Its people sign in elsewhere
    #[arg(long, conflicts_with = "sign_in")]
    pub(crate) no_sign_in: bool,
}

/// Make another token, printed once; the former one goes on for a while
#[derive(Debug, Args)]
pub(crate) struct RotateDirectory {
    pub(crate) directory: String,
    /// How long the former token goes on; `0s` for not at all
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    pub(crate) overlap: String,
}
