//! Unix accounts for logins, one per test, removed with everything they left running.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use crate::wait::wait_until;
use crate::{folder, process, program};

const PATIENCE: Duration = Duration::from_secs(60);
/// Written into the comment field, with the owner's process, so that accounts of a test that was
/// killed outright can be told and removed later.
const MARK: &str = "wane-testkit";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// An account that can log in by public key only. Dropping it removes it and its home.
#[derive(Debug)]
pub struct UnixUser {
    name: String,
    uid: u32,
    home: PathBuf,
}

impl UnixUser {
    /// Creates an account whose name starts with `prefix` and is unique on this machine. Needs root.
    pub fn create(prefix: &str) -> Result<Self> {
        ensure!(nix::unistd::geteuid().is_root(), "creating the login account `{prefix}…` needs root");
        let lock = accounts_lock()?;
        remove_abandoned();
        let name = unique_name(prefix)?;
        let mark = format!("{MARK}.{}", own_identity());
        // `*` is "no password"; the default `!` counts as locked when sshd runs without PAM.
        run("useradd", &["-m", "-s", "/bin/sh", "-c", &mark, "-p", "*", &name])?;
        let user = find(&name)?.with_context(|| format!("`{name}` did not appear"))?;
        drop(lock);
        Ok(user)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn uid(&self) -> u32 {
        self.uid
    }

    pub fn home(&self) -> &Path {
        &self.home
    }
}

impl Drop for UnixUser {
    fn drop(&mut self) {
        let _ = wait_until("the account's processes to end", PATIENCE, || {
            let running = process::of_account(self.uid);
            for pid in &running {
                process::send(*pid, Signal::SIGKILL);
            }
            running.is_empty()
        });
        if let Ok(_lock) = accounts_lock() {
            let _ = run("userdel", &["-r", "-f", &self.name]);
        }
    }
}

/// The tools that edit the account files give up when they find them locked: take turns instead.
fn accounts_lock() -> Result<File> {
    folder::lock(&folder::shared()?.join("accounts.lock"))
}

fn unique_name(prefix: &str) -> Result<String> {
    let mut random = [0_u8; 3];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let random = random.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
    let turn = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("{prefix}-{random:06x}{turn:x}");
    ensure!(name.len() <= 32, "the account name `{name}` is too long");
    Ok(name)
}

fn own_identity() -> String {
    let pid = std::process::id();
    format!("{pid}.{}", process::started_at(pid).unwrap_or_default())
}

/// Removes accounts whose owner is no longer running. Called under the accounts lock.
fn remove_abandoned() {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(comment)) = (fields.next(), fields.nth(3)) else {
            continue;
        };
        let mut parts = comment.split('.');
        if parts.next() != Some(MARK) {
            continue;
        }
        let owner = parts.next().and_then(|pid| pid.parse().ok());
        let started = parts.next().and_then(|ticks| ticks.parse().ok());
        if owner.and_then(process::started_at) != started {
            let _ = run("userdel", &["-r", "-f", name]);
        }
    }
}

fn find(name: &str) -> Result<Option<UnixUser>> {
    let found = nix::unistd::User::from_name(name)?;
    Ok(found.map(|user| UnixUser { name: user.name, uid: user.uid.as_raw(), home: user.dir }))
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    program::run(Command::new(program).args(arguments), "", PATIENCE)?
        .into_stdout()
        .with_context(|| format!("`{program}` failed"))?;
    Ok(())
}
