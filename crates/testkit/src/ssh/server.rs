//! A real OpenSSH server: its folder, its configuration, its life.
//!
//! Two steps, because a test may let another program edit the configuration in between: a
//! [`PreparedSshd`] has everything on disk and is not running, a [`Sshd`] is running.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::client::SshClient;
use super::key::SshKey;
use crate::process::ServerProcess;
use crate::unix_user::UnixUser;
use crate::wait::wait_until;
use crate::{clock_off, folder, port, program};

/// sshd wants to be called by an absolute path: it runs itself again for each connection.
const SSHD: &str = "/usr/sbin/sshd";
const PRIVILEGE_SEPARATION: &str = "/run/sshd";
const PATIENCE: Duration = Duration::from_secs(60);
const LISTENING: &str = "Server listening on";
/// Servers since 9.8 lock out an address after failed logins, which a test makes on purpose;
/// earlier ones refuse the word.
const NO_PENALTIES: &str = "PerSourcePenalties no";

/// What to put into the configuration before the server starts.
#[derive(Debug, Clone)]
pub struct SshdBuilder {
    clock: Option<i64>,
    lines: Vec<String>,
    user_prefix: String,
}

impl SshdBuilder {
    /// Adds a line to `sshd_config`. In sshd the first value of a keyword wins; these lines stand
    /// before the base configuration.
    pub fn config_line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// What the name of the login account starts with; `login` unless told.
    pub fn user_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.user_prefix);
        self
    }

    /// The server's clock is so many seconds ahead of the machine's, or behind it.
    pub fn clock_off(mut self, secs: i64) -> Self {
        self.clock = Some(secs);
        self
    }

    /// Makes folder, host key, account and configuration, and starts nothing.
    pub fn prepare(self) -> Result<PreparedSshd> {
        ensure!(nix::unistd::geteuid().is_root(), "sshd can let other accounts log in only when started as root");
        make_privilege_separation_folder()?;
        let folder = folder::throw_away("wane-sshd-")?;
        let host_key = SshKey::generate(folder.path(), "ssh_host_ed25519_key")?;
        let user = UnixUser::create(&self.user_prefix)?;
        let prepared = PreparedSshd { port: port::free_port()?, user, host_key, clock: self.clock, folder };
        fs::create_dir(prepared.drop_in_folder())?;
        prepared.write_config(&self.lines)?;
        Ok(prepared)
    }

    /// [`prepare`](Self::prepare) and start.
    pub fn start(self) -> Result<Sshd> {
        self.prepare()?.start()
    }
}

/// A server that is ready to start, with its configuration on disk to be edited.
#[derive(Debug)]
pub struct PreparedSshd {
    user: UnixUser,
    port: u16,
    host_key: SshKey,
    clock: Option<i64>,
    folder: TempDir,
}

impl PreparedSshd {
    /// Starts the server and waits until it listens.
    pub fn start(self) -> Result<Sshd> {
        let mut server = Sshd { process: None, setup: self };
        server.start()?;
        Ok(server)
    }

    /// The server's `sshd_config`. Its first line includes `*.conf` of the
    /// [drop-in folder](Self::drop_in_folder), as on Debian.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("sshd_config")
    }

    pub fn drop_in_folder(&self) -> PathBuf {
        self.folder.path().join("sshd_config.d")
    }

    /// The server's own folder; a place for whatever the test's configuration names.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The account that can log in, given a credential.
    pub fn user(&self) -> &UnixUser {
        &self.user
    }

    pub fn host_key(&self) -> &SshKey {
        &self.host_key
    }

    /// A known-hosts line that trusts exactly this server's key.
    pub fn known_hosts_line(&self) -> Result<String> {
        let key = self.host_key.public_line()?;
        Ok(format!("[127.0.0.1]:{} {key}", self.port))
    }

    /// A known-hosts file with that line.
    pub fn known_hosts_file(&self) -> Result<PathBuf> {
        let path = self.folder.path().join("known_hosts");
        fs::write(&path, self.known_hosts_line()? + "\n")?;
        Ok(path)
    }

    /// Has sshd itself judge the configuration on disk.
    pub fn check_config(&self) -> Result<()> {
        let mut command = Command::new(SSHD);
        command.arg("-t").arg("-f").arg(self.config_path());
        program::run(&mut command, "", PATIENCE)?.into_stdout().context("sshd refuses its configuration")?;
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn pid_path(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    fn log(&self) -> String {
        // Before the first start there is no log, and nothing was logged.
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn write_config(&self, extra: &[String]) -> Result<()> {
        // Asked without the test's own lines, which may name files that do not exist yet.
        fs::write(self.config_path(), self.base_config(&[NO_PENALTIES.to_owned()]))?;
        let mut lines = Vec::new();
        if self.check_config().is_ok() {
            lines.push(NO_PENALTIES.to_owned());
        }
        lines.extend_from_slice(extra);
        fs::write(self.config_path(), self.base_config(&lines))?;
        Ok(())
    }

    fn base_config(&self, extra: &[String]) -> String {
        let folder = self.folder.path().display();
        format!(
            "Include {folder}/sshd_config.d/*.conf\n\
             {extra}\n\
             Port {port}\n\
             ListenAddress 127.0.0.1\n\
             HostKey {host_key}\n\
             PidFile {pid}\n\
             LogLevel VERBOSE\n\
             UsePAM no\n\
             StrictModes no\n\
             UseDNS no\n\
             PasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             AuthorizedKeysFile none\n\
             MaxStartups 200\n\
             Subsystem sftp internal-sftp\n",
            extra = extra.join("\n"),
            port = self.port,
            pid = self.pid_path().display(),
            host_key = self.host_key.private_path().display(),
        )
    }
}

/// A running server. Dropping it ends it, its sessions, its account and its folder.
#[derive(Debug)]
pub struct Sshd {
    // First, so that the process ends before the account and the folder go.
    process: Option<ServerProcess>,
    setup: PreparedSshd,
}

impl Sshd {
    pub fn builder() -> SshdBuilder {
        SshdBuilder { clock: None, lines: Vec::new(), user_prefix: "login".to_owned() }
    }

    /// What was prepared: paths, port, account, host key.
    pub fn setup(&self) -> &PreparedSshd {
        &self.setup
    }

    pub fn config_path(&self) -> PathBuf {
        self.setup.config_path()
    }

    pub fn folder(&self) -> &Path {
        self.setup.folder()
    }

    pub fn port(&self) -> u16 {
        self.setup.port()
    }

    pub fn user(&self) -> &UnixUser {
        self.setup.user()
    }

    /// A client that logs in as the server's account and trusts the server's plain host key.
    pub fn client(&self) -> Result<SshClient> {
        let known_hosts = self.setup.known_hosts_file()?;
        Ok(SshClient::new(self.user().name(), self.port()).known_hosts(&known_hosts))
    }

    /// Everything the server has logged, at VERBOSE.
    pub fn log(&self) -> String {
        self.setup.log()
    }

    /// Makes the server read its configuration again. Open sessions go on.
    pub fn reload(&mut self) -> Result<()> {
        self.setup.check_config()?;
        let before = self.times_listening();
        let process = self.process.as_ref().context("sshd is not running")?;
        process.signal(Signal::SIGHUP)?;
        self.wait_listening(before)
    }

    /// Ends the server and its sessions; the port refuses connections from now on.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(Signal::SIGTERM),
            None => Ok(()),
        }
    }

    /// Starts the server again after [`stop`](Self::stop), same port, same keys.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "sshd is running already");
        self.setup.check_config()?;
        let before = self.times_listening();
        // One that was killed leaves it.
        let _ = fs::remove_file(self.setup.pid_path());
        let mut command = Command::new(SSHD);
        command
            .arg("-D")
            .arg("-f")
            .arg(self.setup.config_path())
            .arg("-E")
            .arg(self.setup.log_path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(secs) = self.setup.clock {
            clock_off::set_off(&mut command, secs)?;
        }
        self.process = Some(ServerProcess::spawn("sshd", &mut command, Signal::SIGTERM)?);
        self.wait_listening(before)
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

    fn times_listening(&self) -> usize {
        self.setup.log().matches(LISTENING).count()
    }

    fn wait_listening(&mut self, before: usize) -> Result<()> {
        let setup = &self.setup;
        let process = self.process.as_mut().context("sshd is not running")?;
        let mut died = None;
        let waited = wait_until("sshd to listen", PATIENCE, || {
            died = process.exited();
            // It says that it listens before it minds signals, and writes down its id after that.
            died.is_some() || (setup.log().matches(LISTENING).count() > before && setup.pid_path().exists())
        });
        if let Some(status) = died {
            bail!("sshd ended with {status}: {}", setup.log());
        }
        waited.with_context(|| setup.log())
    }
}

fn make_privilege_separation_folder() -> Result<()> {
    // The service manager makes this one; a container often has none.
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(PRIVILEGE_SEPARATION)
        .with_context(|| format!("cannot create `{PRIVILEGE_SEPARATION}`"))
}
