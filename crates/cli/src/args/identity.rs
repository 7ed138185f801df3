//! Signing in and out, and who one is.

use std::path::PathBuf;

use clap::Args;

/// Where a password comes from, if nobody is asked.
#[derive(Debug, Default, Args)]
pub(crate) struct PasswordFrom {
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the password from the first line of standard input
    #[arg(long, conflicts_with = "password_file")]
    pub(crate) password_stdin: bool,
}

/// Sign in
///
/// The session's token is kept in `$XDG_CONFIG_HOME/wane/session.json`, which only you can read.
/// WANE_TOKEN takes its place where it is set.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Your name; asked for if left out
    #[arg(long, short = 'p')]
    pub(crate) person: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
    /// The six-digit code; asked for if left out
    #[arg(long, value_name = "CODE")]
    pub(crate) totp: Option<String>,
}

/// Sign out: the session ends on the server, and is forgotten here
#[derive(Debug, Args)]
pub(crate) struct Logout {}

/// Set up your sign-in with the one-time code you were given
#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// The one-time code; asked for if left out
    pub(crate) code: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
}

/// Prove again that it is you, where policy asks for it
#[derive(Debug, Args)]
pub(crate) struct Prove {
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
    /// The six-digit code; asked for if left out
    #[arg(long, value_name = "CODE")]
    pub(crate) totp: Option<String>,
}

/// Who you are
#[derive(Debug, Args)]
pub(crate) struct Me {}
