//! Signing in and out, and who one is.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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

/// Sign in: with a browser, or with `--person` by password here
///
/// Without `--person` a link and a code are shown; open the link in any browser, sign in there and enter the code.
/// The session's token is kept in `$XDG_CONFIG_HOME/wane/session.json`, which only you can read.
/// WANE_TOKEN takes its place where it is set.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Your name: sign in here, with password and six-digit code
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
///
/// A session that began with a password is proved with password and code, here. Any other, or with `--browser`, in a
/// browser: a link and a code are shown, as by `wane login`.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// In a browser, in whichever way you sign in there
    #[arg(long, conflicts_with_all = ["password_file", "password_stdin", "totp"])]
    pub(crate) browser: bool,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
    /// The six-digit code; asked for if left out
    #[arg(long, value_name = "CODE")]
    pub(crate) totp: Option<String>,
}

/// Your passkeys; they are set up in a browser, on the sign-in page
#[derive(Debug, Subcommand)]
pub(crate) enum Passkey {
    /// Your ways to sign in besides a password
    List,
    Remove(RemovePasskey),
}

/// Take a passkey away, with the sessions that were begun with one
#[derive(Debug, Args)]
pub(crate) struct RemovePasskey {
    /// Which: `way_…`
    #[arg(value_name = "WAY")]
    pub(crate) way: String,
}

/// Who you are
#[derive(Debug, Args)]
pub(crate) struct Me {}
