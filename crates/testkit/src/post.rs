//! A real mail server and a real receiver of webhooks on loopback, in programs of their own that share no code with Wane.
//!
//! Each tells what it got as lines of JSON in a file, and answers by a mood that a test sets while it runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::ServerProcess;
use crate::tls::ServerCertificate;
use crate::wait::wait_until;
use crate::{folder, port};

const PATIENCE: Duration = Duration::from_secs(90);

/// One of the two.
#[derive(Debug)]
pub struct PostServer {
    // First, so that the process ends before its folder goes.
    process: Option<ServerProcess>,
    program: PathBuf,
    script: PathBuf,
    words: Vec<String>,
    port: u16,
    folder: TempDir,
}

/// How a mail server is spoken to.
#[derive(Debug)]
pub enum MailWay<'a> {
    /// Plain.
    Plain,
    /// TLS has to be begun, and `wane` signs in with `open sesame`.
    StartTls(&'a ServerCertificate),
    /// TLS from the first byte.
    Tls(&'a ServerCertificate),
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl PostServer {
    /// A mail server. `cargo xtask deps` installs what it is made of.
    pub fn mailbox(way: &MailWay<'_>) -> Result<Self> {
        let program = root().join("target/aiosmtpd/venv/bin/python");
        ensure!(program.exists(), "the mail server of the tests is not installed; run `cargo xtask deps`");
        let files = |c: &ServerCertificate| [c.certificate_path(), c.key_path()].map(|path| path.display().to_string());
        let words = match way {
            MailWay::Plain => vec!["plain".to_owned()],
            MailWay::StartTls(c) => [vec!["starttls".to_owned()], files(c).to_vec()].concat(),
            MailWay::Tls(c) => [vec!["tls".to_owned()], files(c).to_vec()].concat(),
        };
        Self::start(program, "mailbox.py", words, "well")
    }

    /// A receiver of webhooks that knows these secrets.
    pub fn receiver(secrets: &[&str]) -> Result<Self> {
        let words = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Self::start("python3".into(), "receiver.py", words, "204")
    }

    fn start(program: PathBuf, script: &str, words: Vec<String>, mood: &str) -> Result<Self> {
        let (folder, port) = (folder::throw_away("wane-post-")?, port::free_port()?);
        let script = root().join("tests/e2e/python").join(script);
        let mut server = Self { process: None, program, script, words, port, folder };
        server.mood(mood)?;
        server.resume()?;
        Ok(server)
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How it answers from now on.
    pub fn mood(&self, mood: &str) -> Result<()> {
        // In one piece: it may be reading it.
        let new = self.folder.path().join("mood.new");
        fs::write(&new, mood)?;
        Ok(fs::rename(new, self.mood_path())?)
    }

    /// Ends it; nobody listens there any more.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(Signal::SIGKILL),
            None => Ok(()),
        }
    }

    /// Starts it again, at the same port.
    pub fn resume(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "it is running already");
        let before = self.lines()?.len();
        let out = File::options().create(true).append(true).open(self.out_path())?;
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let mut command = Command::new(&self.program);
        command.arg(&self.script).arg(self.port.to_string()).arg(self.mood_path()).args(&self.words);
        command.stdin(Stdio::null()).stdout(out).stderr(log);
        self.process = Some(ServerProcess::spawn("a server of the post", &mut command, Signal::SIGKILL)?);
        wait_until("a server of the post to listen", PATIENCE, || self.lines().is_ok_and(|lines| lines.len() > before))
            .with_context(|| fs::read_to_string(self.folder.path().join("log")).unwrap_or_default())
    }

    /// What it got, in order.
    pub fn got(&self) -> Result<Vec<Value>> {
        let lines = self.lines()?;
        Ok(lines.into_iter().filter(|line| line.get("ready").is_none()).collect())
    }

    fn lines(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.out_path()).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    fn mood_path(&self) -> PathBuf {
        self.folder.path().join("mood")
    }

    fn out_path(&self) -> PathBuf {
        self.folder.path().join("out")
    }
}
