//! This machine: its health, completion, version.

use clap::Args;

/// Check that this machine, the server and your session work together
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

/// Print a completion script
///
/// bash: `wane completion bash > ~/.local/share/bash-completion/completions/wane`
/// zsh:  `wane completion zsh > "${fpath[1]}/_wane"`
/// fish: `wane completion fish > ~/.config/fish/completions/wane.fish`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completion {
    pub(crate) shell: Shell,
}

/// A shell that can be completed in.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The version of this program
#[derive(Debug, Args)]
pub(crate) struct Version {}

/// What the exit codes mean
#[derive(Debug, Args)]
#[command(after_help = crate::exit::table_of_codes())]
pub(crate) struct ExitCodes {}
