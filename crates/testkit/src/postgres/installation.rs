//! Where PostgreSQL is installed, which version it is, and as whom its server can run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::unistd::{Gid, Uid, User};

use crate::{process, program};

/// Where Debian and its relatives keep one folder per major version.
const DEBIAN: &str = "/usr/lib/postgresql";
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(super) struct Installation {
    bin: PathBuf,
    version: String,
    account: Option<User>,
}

impl Installation {
    /// Finds the newest installed server.
    pub(super) fn find() -> Result<Self> {
        let bin = newest_debian()
            .or_else(from_pg_config)
            .context("no PostgreSQL server is installed (package `postgresql` on Debian)")?;
        let version = ask(&bin.join("postgres"), "--version")?;
        let version = version
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
            .with_context(|| format!("cannot read the version in `{version}`"))?
            .to_owned();
        Ok(Self { bin, version, account: server_account()? })
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// A command of this installation, run as the account that owns the data.
    pub(super) fn server_command(&self, name: &str) -> Command {
        self.server_command_behind(&[], name)
    }

    /// With other words before it, such as `env`.
    pub(super) fn server_command_behind(&self, words: &[String], name: &str) -> Command {
        let words = words.iter().map(PathBuf::from).chain([self.program(name)]);
        match &self.account {
            Some(account) => {
                let home = account.dir.to_string_lossy();
                process::as_account(&account.name, &home, words)
            }
            None => {
                let mut command = Command::new("env");
                command.args(words);
                command.env_clear().env("PATH", "/usr/bin:/bin");
                command.env("HOME", "/").env("LC_ALL", "C").current_dir("/");
                command
            }
        }
    }

    /// Makes the server's account the owner of a file or folder.
    pub(super) fn give(&self, path: &Path) -> Result<()> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        let (uid, gid): (Uid, Gid) = (account.uid, account.gid);
        nix::unistd::chown(path, Some(uid), Some(gid)).with_context(|| format!("cannot give away `{}`", path.display()))
    }
}

/// PostgreSQL refuses to run as root, so root runs it as the account its package made.
fn server_account() -> Result<Option<User>> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    let account = User::from_name("postgres")?;
    ensure!(account.is_some(), "there is no account `postgres` to run the server as");
    Ok(account)
}

fn newest_debian() -> Option<PathBuf> {
    fs::read_dir(DEBIAN)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let major: u32 = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            bin.join("postgres").exists().then_some((major, bin))
        })
        .max()
        .map(|(_, bin)| bin)
}

fn from_pg_config() -> Option<PathBuf> {
    let bin = PathBuf::from(ask(Path::new("pg_config"), "--bindir").ok()?);
    bin.join("postgres").exists().then_some(bin)
}

fn ask(program: &Path, argument: &str) -> Result<String> {
    program::run(Command::new(program).arg(argument), "", PATIENCE)?.into_stdout()
}
