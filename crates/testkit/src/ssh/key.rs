//! `ssh-keygen`, the reference implementation: for key pairs, and as an oracle for our own output.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::program::{self, Outcome};

const PATIENCE: Duration = Duration::from_secs(60);

/// An Ed25519 key pair on disk, without a passphrase.
#[derive(Debug, Clone)]
pub struct SshKey {
    private: PathBuf,
    public: PathBuf,
}

impl SshKey {
    /// Writes `folder/name` and `folder/name.pub`.
    pub fn generate(folder: &Path, name: &str) -> Result<Self> {
        let private = folder.join(name);
        let no_passphrase = OsStr::new("");
        ssh_keygen([
            OsStr::new("-q"),
            OsStr::new("-t"),
            OsStr::new("ed25519"),
            OsStr::new("-N"),
            no_passphrase,
            OsStr::new("-C"),
            OsStr::new(name),
            OsStr::new("-f"),
            private.as_os_str(),
        ])?
        .into_stdout()
        .with_context(|| format!("cannot make the key `{}`", private.display()))?;
        let public = folder.join(format!("{name}.pub"));
        Ok(Self { private, public })
    }

    pub fn private_path(&self) -> &Path {
        &self.private
    }

    pub fn public_path(&self) -> &Path {
        &self.public
    }

    /// The public key as one line: algorithm, base64, comment.
    pub fn public_line(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.public)?.trim_end().to_owned())
    }
}

/// Runs `ssh-keygen` with these arguments, under a deadline.
pub fn ssh_keygen<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<Outcome> {
    let mut command = Command::new("ssh-keygen");
    command.args(arguments).env("LC_ALL", "C");
    program::run(&mut command, "", PATIENCE)
}
