//! The real `ssh` client, cut off from the configuration, agent and known hosts of whoever runs it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::program::{self, Interactive, Outcome};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// One way of connecting. Without further calls it offers no credential and trusts no host.
#[derive(Debug, Clone)]
pub struct SshClient {
    user: String,
    port: u16,
    options: Vec<OsString>,
    known_hosts: OsString,
    agent: OsString,
    timeout: Duration,
}

impl SshClient {
    /// Connects to `127.0.0.1` as `user`.
    pub fn new(user: &str, port: u16) -> Self {
        Self {
            user: user.to_owned(),
            port,
            options: Vec::new(),
            known_hosts: "/dev/null".into(),
            agent: "none".into(),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Offers this private key.
    pub fn identity(self, private_key: &Path) -> Self {
        self.path_option("IdentityFile=", private_key)
    }

    /// Offers this certificate; needs its private key as [`identity`](Self::identity).
    pub fn certificate(self, certificate: &Path) -> Self {
        self.path_option("CertificateFile=", certificate)
    }

    /// Trusts the host keys and authorities of this file, and no others.
    pub fn known_hosts(mut self, file: &Path) -> Self {
        self.known_hosts = file.into();
        self
    }

    /// Uses the keys of the agent behind this socket.
    pub fn agent(mut self, socket: &Path) -> Self {
        self.agent = socket.into();
        self
    }

    /// Adds one `-o` option, such as `PreferredAuthentications=password`.
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.into());
        self
    }

    /// How long a run may take before it is killed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs a command on the host and waits for its end.
    pub fn run(&self, remote: &str) -> Result<Outcome> {
        program::run(self.command().arg(remote), "", self.timeout)
    }

    /// Starts a command on the host and leaves it open, to see what ends it.
    pub fn open(&self, remote: &str) -> Result<Interactive> {
        Interactive::spawn(self.command().arg(remote))
    }

    fn path_option(mut self, name: &str, path: &Path) -> Self {
        let mut option = OsString::from(name);
        option.push(path);
        self.options.push(option);
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .args(["-F", "/dev/null", "-T", "-p", &self.port.to_string()])
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
            .args(["-o", "GlobalKnownHostsFile=/dev/null"])
            .args(["-o", "ControlMaster=no", "-o", "ControlPath=none"]);
        let mut known = OsString::from("UserKnownHostsFile=");
        known.push(&self.known_hosts);
        let mut agent = OsString::from("IdentityAgent=");
        agent.push(&self.agent);
        command.arg("-o").arg(known).arg("-o").arg(agent);
        // With an agent its keys must be offered although no identity file names them.
        if self.agent == "none" {
            command.args(["-o", "IdentitiesOnly=yes"]);
        }
        for option in &self.options {
            command.arg("-o").arg(option);
        }
        command.arg(format!("{}@127.0.0.1", self.user)).arg("--");
        command
    }
}
