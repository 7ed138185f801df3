//! A deployment in a temporary folder, and its server.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::binary;
use super::person::PersonSession;
use super::signer::{Apart, WaneSigner};
use crate::process::ServerProcess;
use crate::wait::wait_until;
use crate::{clock_off, folder, port, program};

const PATIENCE: Duration = Duration::from_secs(90);
const ANSWER: Duration = Duration::from_secs(2);

/// Settings beyond the usual, before the server starts.
#[derive(Debug, Clone)]
pub struct WaneServerBuilder {
    binary: Option<PathBuf>,
    admin: String,
    clock: bool,
    settings: Vec<(String, String)>,
    failpoints: bool,
    user: Option<u32>,
}

impl WaneServerBuilder {
    /// With a signer of its own; and as the server's user, if the two are kept apart.
    #[must_use]
    pub fn signer(mut self, signer: &WaneSigner, users: Option<Apart>) -> Self {
        self.settings.extend(signer.settings());
        self.user = users.map(|users| users.server);
        self
    }

    /// Lets a test kill the server at a failpoint: see [`WaneServer::plan`] and [`WaneServer::trace`].
    #[must_use]
    pub fn failpoints(mut self) -> Self {
        self.failpoints = true;
        self
    }

    /// Sets one setting: `engine.inventory_every`, `2s`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Another binary than the one beside the running test or chore.
    #[must_use]
    pub fn binary(mut self, path: &Path) -> Self {
        self.binary = Some(path.to_owned());
        self
    }

    /// The first administrator's name; `ada` unless told.
    #[must_use]
    pub fn admin(mut self, name: &str) -> Self {
        name.clone_into(&mut self.admin);
        self
    }

    /// The server's clock can be set by [`WaneServer::set_clock`].
    #[must_use]
    pub fn with_clock(mut self) -> Self {
        self.clock = true;
        self
    }

    /// Makes the folder, and no deployment in it yet.
    pub fn prepare(self) -> Result<WaneServer> {
        let server = WaneServer {
            process: None,
            binary: self.binary.map_or_else(binary::find, Ok)?,
            folder: folder::throw_away("wane-server-")?,
            port: port::free_port()?,
            admin: self.admin,
            clock: self.clock,
            settings: self.settings,
            failpoints: self.failpoints,
            user: self.user,
        };
        if let Some(user) = server.user {
            chown(server.folder.path(), Some(user), Some(user))?;
        }
        server.set_clock(0)?;
        if server.failpoints {
            server.plan("")?;
        }
        Ok(server)
    }

    /// Makes a deployment, starts its server, and signs the first administrator in.
    pub fn start(self) -> Result<(WaneServer, PersonSession)> {
        self.prepare()?.found()
    }
}

/// A server that ends, with its folder, when this value is dropped.
#[derive(Debug)]
pub struct WaneServer {
    // First, so that the process ends before its folder goes.
    process: Option<ServerProcess>,
    binary: PathBuf,
    folder: TempDir,
    port: u16,
    admin: String,
    clock: bool,
    settings: Vec<(String, String)>,
    failpoints: bool,
    user: Option<u32>,
}

impl WaneServer {
    /// With a port of its own and the usual settings.
    #[must_use]
    pub fn builder() -> WaneServerBuilder {
        let (binary, settings) = (None, Vec::new());
        WaneServerBuilder { binary, admin: "ada".to_owned(), clock: false, settings, failpoints: false, user: None }
    }

    /// A running server with its first administrator signed in.
    pub fn launch() -> Result<(Self, PersonSession)> {
        Self::builder().start()
    }

    /// The running server's process id.
    pub fn pid(&self) -> Result<u32> {
        self.process.as_ref().map(ServerProcess::pid).context("the server is not running")
    }

    /// Makes the deployment that was prepared, starts its server, and signs the first administrator in.
    pub fn found(mut self) -> Result<(Self, PersonSession)> {
        let code = self.init()?;
        self.start()?;
        let mut admin = self.person(&self.admin)?;
        admin.enrol(&code)?;
        admin.sign_in()?;
        Ok((self, admin))
    }

    /// The address clients are given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The built binary.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// A folder that goes with the server, for whatever a test puts down.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The deployment's own folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The first administrator's name.
    #[must_use]
    pub fn admin_name(&self) -> &str {
        &self.admin
    }

    /// The words behind `wane` that make the deployment.
    #[must_use]
    pub fn init_words(&self) -> Vec<String> {
        let words = ["init", "--admin", &self.admin].map(str::to_owned);
        words.into_iter().chain(self.settings()).collect()
    }

    /// The words behind `wane` that start the server.
    #[must_use]
    pub fn server_words(&self) -> Vec<String> {
        std::iter::once("server".to_owned()).chain(self.settings()).collect()
    }

    /// Writes the settings file: what can be said there alone.
    pub fn configure(&self, toml: &str) -> Result<()> {
        Ok(fs::write(self.config_path(), toml)?)
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("wane.toml")
    }

    fn settings(&self) -> impl Iterator<Item = String> {
        let file = self.config_path();
        let file = file.exists().then(|| ["--config".to_owned(), file.display().to_string()]);
        let data = ["--data".to_owned(), self.data().display().to_string()];
        let listen = ("server.listen".to_owned(), format!("127.0.0.1:{}", self.port));
        let all = std::iter::once(listen).chain(self.settings.clone());
        file.into_iter()
            .flatten()
            .chain(data)
            .chain(all.flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]))
    }

    /// Makes the deployment; returns the first administrator's one-time code.
    pub fn init(&self) -> Result<String> {
        let mut command = self.command();
        command.arg("--json").args(self.init_words());
        let said = program::run(&mut command, "", PATIENCE)?.into_stdout().context("`wane init` failed")?;
        let made: Value = serde_json::from_str(&said).with_context(|| format!("`wane init` said: {said}"))?;
        fs::write(self.folder.path().join("made.json"), &said)?;
        Ok(made.get("code").and_then(Value::as_str).context("`wane init` gave no code")?.to_owned())
    }

    /// The organisation that the deployment is for: `org_…`.
    pub fn org(&self) -> Result<String> {
        let made: Value = serde_json::from_str(&fs::read_to_string(self.folder.path().join("made.json"))?)?;
        Ok(made.get("org").and_then(Value::as_str).context("`wane init` named no organisation")?.to_owned())
    }

    /// Starts the server and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the server is running already");
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = self.command();
        if self.clock {
            clock_off::follow(&mut command, &self.clock_file())?;
        }
        command.args(self.server_words()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = self.process.insert(ServerProcess::spawn("`wane server`", &mut command, Signal::SIGTERM)?);
        let mut died = None;
        let port = self.port;
        let waited = wait_until("the server to answer", PATIENCE, || {
            died = process.exited();
            died.is_some() || is_healthy(port)
        });
        if let Some(status) = died {
            self.process = None;
            bail!("`wane server` ended with {status}: {}", self.log());
        }
        waited.with_context(|| self.log())
    }

    /// Asks the server to end, and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(Signal::SIGTERM),
            None => Ok(()),
        }
    }

    /// Says at which failpoints what happens from now on, also to a server that runs.
    pub fn plan(&self, plan: &str) -> Result<()> {
        ensure!(self.failpoints, "this server was not built with `failpoints`");
        // In one piece: the server may be reading it.
        let new = self.plan_path().with_extension("new");
        fs::write(&new, plan)?;
        Ok(fs::rename(new, self.plan_path())?)
    }

    /// The failpoints that were hit since the trace was last taken, in order.
    pub fn trace(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.trace_path()).unwrap_or_default();
        File::options().write(true).create(true).truncate(true).open(self.trace_path())?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// How the server ended, if it has ended by itself or at a failpoint.
    pub fn died(&mut self) -> Option<std::process::ExitStatus> {
        let status = self.process.as_mut()?.exited()?;
        self.process = None;
        Some(status)
    }

    fn plan_path(&self) -> PathBuf {
        self.folder.path().join("failpoints")
    }

    fn trace_path(&self) -> PathBuf {
        self.folder.path().join("failpoints.trace")
    }

    /// Kills the server where it stands.
    pub fn kill_9(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(Signal::SIGKILL),
            None => Ok(()),
        }
    }

    /// Ends and starts it again: same port, same data.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// Sets the server's clock, at once, also while it runs: so many seconds ahead of the machine's, or
    /// behind it. Needs [`WaneServerBuilder::with_clock`].
    pub fn set_clock(&self, secs: i64) -> Result<()> {
        clock_off::tell(&self.clock_file(), secs)
    }

    fn clock_file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Changes a setting of the next start.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Everything the server has written.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where it writes that.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Somebody with a machine of their own: an empty home, and nothing of ours in it.
    pub fn person(&self, name: &str) -> Result<PersonSession> {
        PersonSession::new(&self.binary, self.folder.path(), &self.url(), name)
    }

    /// Somebody whose command line has the token of a session that was begun elsewhere.
    pub fn person_with(&self, name: &str, token: &str) -> Result<PersonSession> {
        let person = self.person(name)?;
        person.keep_token(token)?;
        Ok(person)
    }

    /// Enters a person, puts them into groups, has them enrol and sign in.
    pub fn newcomer(&self, admin: &PersonSession, name: &str, groups: &[&str]) -> Result<PersonSession> {
        admin.json(&["person", "add", name])?;
        for group in groups {
            admin.json(&["group", "join", group, name])?;
        }
        let code = admin.json(&["person", "enrol", name])?;
        let code = code.get("code").and_then(Value::as_str).context("there is no code")?;
        let mut person = self.person(name)?;
        person.enrol(code)?;
        person.sign_in()?;
        Ok(person)
    }

    /// The binary with nothing of our own environment but where programs are.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.folder.path());
        if self.failpoints {
            command.env("WANE_FAILPOINTS", format!("@{}", self.plan_path().display()));
            command.env("WANE_FAILPOINT_TRACE", self.trace_path());
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }
}

/// Whether `GET /v1/health` is answered with 200.
fn is_healthy(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}
