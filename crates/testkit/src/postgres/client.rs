//! The real `psql`, over verified TLS, under a deadline, with its password away from the arguments.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::program::{self, Interactive, Outcome};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// One way of connecting to a database on `127.0.0.1`.
#[derive(Debug, Clone)]
pub struct PsqlClient {
    program: PathBuf,
    port: u16,
    ca: PathBuf,
    user: String,
    password: String,
    database: String,
    timeout: Duration,
}

impl PsqlClient {
    /// `program` is the `psql` to run and `ca` the file with the only authority it trusts.
    pub fn new(program: &Path, port: u16, ca: &Path) -> Self {
        Self {
            program: program.to_owned(),
            port,
            ca: ca.to_owned(),
            user: "postgres".to_owned(),
            password: String::new(),
            database: "postgres".to_owned(),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    pub fn login(mut self, user: &str, password: &str) -> Self {
        user.clone_into(&mut self.user);
        password.clone_into(&mut self.password);
        self
    }

    pub fn database(mut self, database: &str) -> Self {
        database.clone_into(&mut self.database);
        self
    }

    /// How long a run may take before it is killed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs the statements one by one, each in its own transaction, stopping at the first error.
    ///
    /// They travel on standard input: no shell, no quoting, no line in the process list. Output is
    /// unaligned, tuples only.
    pub fn run(&self, sql: &str) -> Result<Outcome> {
        program::run(&mut self.command(), sql, self.timeout)
    }

    /// Leaves a session open: type statements into it, see what ends it.
    pub fn open(&self) -> Result<Interactive> {
        Interactive::spawn(&mut self.command())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", "/nonexistent")
            .env("PGHOST", "localhost")
            .env("PGHOSTADDR", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user)
            .env("PGPASSWORD", &self.password)
            .env("PGDATABASE", &self.database)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", &self.ca)
            .args(["-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1"])
            .args(["-f", "-"]);
        command
    }
}
