//! A real RabbitMQ broker on loopback, with its management API over TLS.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::process::ServerProcess;
use crate::tls::ServerCertificate;
use crate::wait::wait_until;
use crate::{folder, port};

const PATIENCE: Duration = Duration::from_secs(120);
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const ADMINISTRATOR: &str = "wane";
const PASSWORD: &str = "the connector's own";

/// A running broker. It ends with this value.
#[derive(Debug)]
pub struct RabbitMq {
    // First, so that the processes end before their folder goes.
    broker: Option<ServerProcess>,
    names: Option<ServerProcess>,
    amqp: u16,
    management: u16,
    distribution: u16,
    naming: u16,
    tls: ServerCertificate,
    folder: TempDir,
}

impl RabbitMq {
    /// A broker of its own, once it answers.
    pub fn start() -> Result<Self> {
        ensure!(Path::new(PROGRAM).is_file(), "RabbitMQ is not installed; run `cargo xtask deps`");
        let folder = folder::throw_away("wane-rabbitmq-")?;
        let tls = ServerCertificate::generate(folder.path())?;
        let mut broker = Self {
            broker: None,
            names: None,
            amqp: port::free_port()?,
            management: port::free_port()?,
            distribution: port::free_port()?,
            naming: port::free_port()?,
            tls,
            folder,
        };
        broker.resume()?;
        Ok(broker)
    }

    /// The port of AMQP, plain.
    #[must_use]
    pub fn amqp_port(&self) -> u16 {
        self.amqp
    }

    /// Where the management API is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/api", self.management)
    }

    /// The authority that signed its certificate.
    pub fn ca_pem(&self) -> Result<String> {
        Ok(fs::read_to_string(self.tls.ca_path())?)
    }

    /// An administrator, and the password.
    #[must_use]
    pub fn administrator(&self) -> (&'static str, &'static str) {
        (ADMINISTRATOR, PASSWORD)
    }

    /// Whether a user may use the management API, if that is among its tags.
    pub fn lets_in(&self, user: &str, password: &str) -> Result<bool> {
        Ok(self.curl(user, password, "GET", "whoami")? == 200)
    }

    /// Makes a user, as an administrator would.
    pub fn add_user(&self, name: &str, password: &str) -> Result<()> {
        let mut command = self.curl_command(ADMINISTRATOR, PASSWORD, "PUT", &format!("users/{name}"))?;
        let body = serde_json::json!({ "password": password, "tags": "" }).to_string();
        let done = command.args(["--fail", "--header", "content-type: application/json", "--data", &body]).status()?;
        ensure!(done.success(), "`{name}` could not be made: {done}");
        Ok(())
    }

    /// The names of all users.
    pub fn users(&self) -> Result<Vec<String>> {
        let output = self.curl_command(ADMINISTRATOR, PASSWORD, "GET", "users?columns=name")?.output()?;
        let all: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)?;
        Ok(all.iter().filter_map(|user| user["name"].as_str()).map(str::to_owned).collect())
    }

    fn curl(&self, user: &str, password: &str, method: &str, path: &str) -> Result<u16> {
        let mut command = self.curl_command(user, password, method, path)?;
        let output = command.args(["--output", "/dev/null", "--write-out", "%{http_code}"]).output()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().context("curl said no status")
    }

    fn curl_command(&self, user: &str, password: &str, method: &str, path: &str) -> Result<Command> {
        // Not in the arguments, which everybody sees.
        let config = self.folder.path().join(format!("curl-{user}"));
        fs::write(&config, format!("user = \"{user}:{password}\"\n"))?;
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "20", "--request", method]);
        command.arg("--cacert").arg(self.tls.ca_path()).arg("--config").arg(config);
        command.arg(format!("{}/{path}", self.url()));
        Ok(command)
    }

    /// Starts it again: same ports, same users.
    pub fn resume(&mut self) -> Result<()> {
        ensure!(self.broker.is_none(), "the broker is running already");
        let path = |name: &str| self.folder.path().join(name);
        fs::write(path("rabbitmq.conf"), self.settings())?;
        fs::write(path("plugins"), "[rabbitmq_management].")?;
        let log = File::options().create(true).append(true).open(path("log"))?;
        let surroundings = |command: &mut Command| {
            command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/bin").env("HOME", self.folder.path());
            command.env("LANG", "C.UTF-8").env("ERL_EPMD_PORT", self.naming.to_string());
            command.env("ERL_EPMD_ADDRESS", "127.0.0.1");
        };
        // A name server of its own: the usual one would stay when everything is over.
        let mut names = Command::new("epmd");
        surroundings(&mut names);
        names.args(["-port", &self.naming.to_string(), "-address", "127.0.0.1"]);
        names.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let naming = self.naming;
        let names = ServerProcess::spawn("epmd", &mut names, Signal::SIGKILL)?;
        wait_until("epmd to listen", PATIENCE, || port::listens(naming))?;
        let mut command = Command::new(PROGRAM);
        surroundings(&mut command);
        for (name, value) in [
            ("RABBITMQ_NODENAME", PathBuf::from(format!("wane{}@localhost", self.amqp))),
            ("RABBITMQ_DIST_PORT", self.distribution.to_string().into()),
            ("RABBITMQ_MNESIA_BASE", path("mnesia")),
            ("RABBITMQ_LOG_BASE", path("logs")),
            ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins")),
        ] {
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut broker = ServerProcess::spawn("RabbitMQ", &mut command, Signal::SIGKILL)?;
        let mut died = None;
        let waited = wait_until("RabbitMQ to answer", PATIENCE, || {
            died = broker.exited();
            // Clients of AMQP are let in last, once all its plugins run.
            died.is_some() || (self.lets_in(ADMINISTRATOR, PASSWORD).unwrap_or(false) && port::listens(self.amqp))
        });
        if let Some(status) = died {
            bail!("RabbitMQ ended with {status}: {}", fs::read_to_string(path("log")).unwrap_or_default());
        }
        self.names = Some(names);
        self.broker = Some(broker);
        waited
    }

    /// Ends it; its users stay.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut broker) = self.broker.take() {
            broker.end(Signal::SIGKILL)?;
        }
        match self.names.take() {
            Some(mut names) => names.end(Signal::SIGKILL),
            None => Ok(()),
        }
    }

    fn settings(&self) -> String {
        let tls = |key: &str, path: &Path| format!("management.ssl.{key} = {}\n", path.display());
        format!(
            "listeners.tcp.1 = 127.0.0.1:{}\nmanagement.ssl.ip = 127.0.0.1\nmanagement.ssl.port = {}\n{}{}\
             default_user = {ADMINISTRATOR}\ndefault_pass = {PASSWORD}\ndefault_user_tags.administrator = true\n\
             log.console = true\nlog.file = false\n",
            self.amqp,
            self.management,
            tls("certfile", self.tls.certificate_path()),
            tls("keyfile", self.tls.key_path()),
        )
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
