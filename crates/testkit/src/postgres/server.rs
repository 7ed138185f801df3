//! A real PostgreSQL server: TLS only, SCRAM only, every statement logged.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::client::PsqlClient;
use super::installation::Installation;
use super::template::Template;
use crate::process::ServerProcess;
use crate::tls::ServerCertificate;
use crate::wait::wait_until;
use crate::{clock_off, folder, port};

const PATIENCE: Duration = Duration::from_secs(120);

/// No durability, for speed. Statements and logins are logged, so that a test can look for what
/// must never be there.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("ssl", "on"),
    ("password_encryption", "scram-sha-256"),
    ("max_prepared_transactions", "20"),
    ("log_statement", "all"),
    ("log_connections", "on"),
    ("log_disconnections", "on"),
    ("log_line_prefix", "%m [%p] user=%u db=%d app=%a "),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("shared_buffers", "16MB"),
    // Shared memory objects of a killed server would outlive it; files in its folder do not.
    ("dynamic_shared_memory_type", "mmap"),
];

/// Plain connections have no rule and are refused.
const HBA: &str = "local all all scram-sha-256\n\
                   hostssl all all 127.0.0.1/32 scram-sha-256\n\
                   hostssl replication all 127.0.0.1/32 scram-sha-256\n";

/// Settings beyond the usual, before the server starts.
#[derive(Debug, Clone, Default)]
pub struct PostgresBuilder {
    clock: Option<i64>,
    settings: Vec<(String, String)>,
}

impl PostgresBuilder {
    /// Sets a parameter of `postgresql.conf`; the last value of a name wins.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The server's clock is so many seconds ahead of the machine's, or behind it.
    pub fn clock_off(mut self, secs: i64) -> Self {
        self.clock = Some(secs);
        self
    }

    /// Makes a server of its own and waits until it answers.
    pub fn start(self) -> Result<Postgres> {
        let installation = Installation::find()?;
        let template = Template::obtain(&installation)?;
        let folder = folder::throw_away("wane-pg-")?;
        let mut server = Postgres {
            process: None,
            port: port::free_port()?,
            password: template.password()?,
            tls: ServerCertificate::generate(folder.path())?,
            installation,
            clock: self.clock,
            folder,
        };
        template.copy_to(&server.data())?;
        server.configure(&self.settings)?;
        server.start()?;
        Ok(server)
    }
}

/// A PostgreSQL server that ends, with its folder, when this value is dropped.
#[derive(Debug)]
pub struct Postgres {
    // First, so that the process ends before its folder goes.
    process: Option<ServerProcess>,
    installation: Installation,
    port: u16,
    password: String,
    tls: ServerCertificate,
    clock: Option<i64>,
    folder: TempDir,
}

impl Postgres {
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// A server with the usual settings.
    pub fn launch() -> Result<Self> {
        Self::builder().start()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's version, such as `15.18`.
    pub fn version(&self) -> &str {
        self.installation.version()
    }

    /// The name of the superuser.
    pub fn superuser(&self) -> &'static str {
        "postgres"
    }

    pub fn superuser_password(&self) -> &str {
        &self.password
    }

    /// The authority that signed the server's certificate, PEM. The certificate is good for
    /// `localhost` and `127.0.0.1`.
    pub fn ca_pem(&self) -> Result<String> {
        Ok(fs::read_to_string(self.ca_path())?)
    }

    pub fn ca_path(&self) -> &Path {
        self.tls.ca_path()
    }

    /// Everything the server has logged: each login and each statement.
    pub fn log(&self) -> Result<String> {
        let bytes = fs::read(self.log_path())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A `psql` that logs in as `user`.
    pub fn client(&self, user: &str, password: &str, database: &str) -> PsqlClient {
        PsqlClient::new(&self.installation.program("psql"), self.port, self.ca_path())
            .login(user, password)
            .database(database)
    }

    /// Runs statements as the superuser and returns their rows, unaligned; fails if one fails.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        self.client(self.superuser(), &self.password, database).run(sql)?.into_stdout()
    }

    /// Runs statements as `user`; that they fail is an outcome, not an error.
    pub fn psql_as(&self, user: &str, password: &str, database: &str, sql: &str) -> Result<crate::Outcome> {
        self.client(user, password, database).run(sql)
    }

    pub fn create_database(&self, name: &str) -> Result<()> {
        let quoted = name.replace('"', "\"\"");
        self.psql("postgres", &format!("CREATE DATABASE \"{quoted}\""))?;
        Ok(())
    }

    /// Ends all sessions and the server; the port refuses connections from now on.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(Signal::SIGINT),
            None => Ok(()),
        }
    }

    /// Ends it as a crash does, without a word to anybody: what was not on disk is lost.
    pub fn crash(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(Signal::SIGQUIT),
            None => Ok(()),
        }
    }

    /// Starts the server again after [`stop`](Self::stop), same port, same data.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "PostgreSQL is running already");
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let words = self.clock.map(clock_off::words).transpose()?.unwrap_or_default();
        let mut command = self.installation.server_command_behind(&words, "postgres");
        command.arg("-D").arg(self.data()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // On SIGQUIT it ends at once and still gives its shared memory back.
        let spawned = ServerProcess::spawn("PostgreSQL", &mut command, Signal::SIGQUIT)?;
        let process = self.process.insert(spawned);
        let status_file = self.folder.path().join("data/postmaster.pid");
        let own = process.pid().to_string();
        let mut died = None;
        let waited = wait_until("PostgreSQL to be ready", PATIENCE, || {
            died = process.exited();
            died.is_some() || is_ready(&status_file, &own)
        });
        if let Some(status) = died {
            bail!("PostgreSQL ended with {status}: {}", self.log()?);
        }
        waited.with_context(|| self.log().unwrap_or_default())
    }

    /// Freezes the server: connections are accepted by the kernel and never answered.
    pub fn pause(&self) {
        if let Some(process) = &self.process {
            process.signal_tree(Signal::SIGSTOP);
        }
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&self) {
        if let Some(process) = &self.process {
            process.signal_tree(Signal::SIGCONT);
        }
    }

    /// Lets in by other rules (`pg_hba.conf`) than the usual ones. Leave the superuser a way in.
    pub fn rules(&self, rules: &str) -> Result<()> {
        self.reload(|| Ok(fs::write(self.data().join("pg_hba.conf"), rules)?))
    }

    /// Undoes [`rules`](Self::rules).
    pub fn usual_rules(&self) -> Result<()> {
        self.rules(HBA)
    }

    /// Another certificate, by another authority, in the place of the one it had.
    pub fn replace_certificate(&self) -> Result<()> {
        self.reload(|| {
            let new = ServerCertificate::generate(self.folder.path())?;
            self.installation.give(new.key_path())
        })
    }

    /// Changes files and waits until the server goes by them.
    fn reload(&self, change: impl FnOnce() -> Result<()>) -> Result<()> {
        let loaded = || self.psql("postgres", "SELECT pg_conf_load_time()");
        let before = loaded()?;
        change()?;
        let process = self.process.as_ref().context("PostgreSQL is not running")?;
        crate::process::send(process.pid(), Signal::SIGHUP);
        wait_until("PostgreSQL to read its files again", PATIENCE, || loaded().is_ok_and(|now| now != before))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn configure(&self, extra: &[(String, String)]) -> Result<()> {
        // A folder of its own: the one around it belongs to us.
        let sockets = self.folder.path().join("sockets");
        fs::create_dir(&sockets)?;
        self.installation.give(&sockets)?;
        self.installation.give(self.tls.key_path())?;

        let path = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&path)?;
        let mut set = |name: &str, value: &str| {
            let quoted = value.replace('\'', "''");
            writeln!(text, "{name} = '{quoted}'")
        };
        set("port", &self.port.to_string())?;
        set("unix_socket_directories", &sockets.to_string_lossy())?;
        set("ssl_cert_file", &self.tls.certificate_path().to_string_lossy())?;
        set("ssl_key_file", &self.tls.key_path().to_string_lossy())?;
        for (name, value) in SETTINGS {
            set(name, value)?;
        }
        for (name, value) in extra {
            set(name, value)?;
        }
        fs::write(&path, text)?;
        fs::write(self.data().join("pg_hba.conf"), HBA)?;
        Ok(())
    }
}

/// The server writes its own id first, and its state in the eighth line.
fn is_ready(status_file: &Path, own: &str) -> bool {
    let text = fs::read_to_string(status_file).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(own) && lines.nth(6) == Some("ready")
}
