//! A signer that is a process of its own, in a temporary folder of its own user.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::binary;
use crate::process::ServerProcess;
use crate::wait::wait_until;
use crate::{folder, program};

const PATIENCE: Duration = Duration::from_secs(60);

/// Users of servers and signers that are kept apart: they are in no list of users, and need not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// The signer's.
    pub signer: u32,
    /// The server's.
    pub server: u32,
}

/// A signer that ends, with its folder, when this value is dropped.
#[derive(Debug)]
pub struct WaneSigner {
    // First, so that the process ends before its folder goes.
    process: Option<ServerProcess>,
    binary: PathBuf,
    folder: TempDir,
    users: Option<Apart>,
    /// What its settings say besides.
    more: Vec<(String, String)>,
}

impl WaneSigner {
    /// A folder for one, as the user of the test or as one of its own (which needs root); nothing is made in it yet.
    pub fn prepare(users: Option<Apart>) -> Result<Self> {
        let signer = Self {
            process: None,
            binary: binary::find()?,
            folder: folder::throw_away("wane-signer-")?,
            users,
            more: Vec::new(),
        };
        for part in [signer.data(), signer.run_folder()] {
            fs::create_dir(&part)?;
            fs::set_permissions(&part, Permissions::from_mode(if part == signer.data() { 0o700 } else { 0o750 }))?;
            if let Some(users) = users {
                chown(&part, Some(users.signer), Some(users.server))?;
            }
        }
        signer.plan("")?;
        File::create(signer.trace_path())?;
        fs::set_permissions(signer.trace_path(), Permissions::from_mode(0o666))?;
        Ok(signer)
    }

    /// Another binary than the one beside the test.
    #[must_use]
    pub fn binary(self, path: &std::path::Path) -> Self {
        Self { binary: path.to_owned(), ..self }
    }

    /// With a setting besides, of signer and server.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.more.push((key.to_owned(), value.to_owned()));
        self
    }

    /// What the settings of signer and server say of it.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let server = self.users.map_or_else(|| nix::unistd::geteuid().as_raw(), |users| users.server);
        let own = [
            ("signer.socket".to_owned(), self.socket().display().to_string()),
            ("signer.data_dir".to_owned(), self.data().display().to_string()),
            ("signer.server_user".to_owned(), server.to_string()),
        ];
        own.into_iter().chain(self.more.iter().cloned()).collect()
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run_folder().join("signer.sock")
    }

    /// The folder of its keys.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Runs `wane signer` with these words, as its user; returns what it said.
    pub fn run(&self, words: &[&str]) -> Result<Value> {
        let mut command = self.command();
        command.arg("--json").args(self.words()).args(words);
        let said = program::run(&mut command, "", PATIENCE)?.into_stdout()?;
        serde_json::from_str(&said).with_context(|| format!("`wane signer` said: {said}"))
    }

    /// Starts it and waits until it listens.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the signer is running already");
        let _ = fs::remove_file(self.socket());
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = self.command();
        command.args(self.words()).arg("serve").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = self.process.insert(ServerProcess::spawn("`wane signer serve`", &mut command, Signal::SIGTERM)?);
        let mut died = None;
        // The path is there before anybody listens at it.
        let socket = self.folder.path().join("run/signer.sock");
        let waited = wait_until("the signer to listen", PATIENCE, || {
            died = process.exited();
            died.is_some() || UnixStream::connect(&socket).is_ok()
        });
        if let Some(status) = died {
            self.process = None;
            bail!("`wane signer serve` ended with {status}: {}", self.log());
        }
        waited.with_context(|| self.log())
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Kills it where it stands.
    pub fn kill_9(&mut self) -> Result<()> {
        self.end(Signal::SIGKILL)
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.end(signal))
    }

    /// Has it hang: it neither answers nor ends.
    pub fn hang(&self) -> Result<()> {
        self.process.as_ref().context("the signer is not running")?.freeze()
    }

    /// Has it go on.
    pub fn go_on(&self) -> Result<()> {
        self.process.as_ref().context("the signer is not running")?.signal(Signal::SIGCONT)
    }

    /// How it ended, if it has ended by itself or at a failpoint.
    pub fn died(&mut self) -> Option<std::process::ExitStatus> {
        let status = self.process.as_mut()?.exited()?;
        self.process = None;
        Some(status)
    }

    /// Says at which failpoints what happens from now on.
    pub fn plan(&self, plan: &str) -> Result<()> {
        let new = self.plan_path().with_extension("new");
        fs::write(&new, plan)?;
        Ok(fs::rename(new, self.plan_path())?)
    }

    /// Everything it has written.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn plan_path(&self) -> PathBuf {
        self.folder.path().join("failpoints")
    }

    fn trace_path(&self) -> PathBuf {
        self.folder.path().join("failpoints.trace")
    }

    fn words(&self) -> Vec<String> {
        let settings = self.settings().into_iter();
        let settings = settings.flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]);
        std::iter::once("signer".to_owned()).chain(settings).collect()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.folder.path());
        command.env("WANE_FAILPOINTS", format!("@{}", self.plan_path().display()));
        command.env("WANE_FAILPOINT_TRACE", self.trace_path());
        if let Some(users) = self.users {
            command.uid(users.signer).gid(users.server);
        }
        command
    }
}
