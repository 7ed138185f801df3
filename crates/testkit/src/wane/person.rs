//! A person at their own machine: a home, a password, an authenticator, and the command line.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::totp::Authenticator;
use crate::program::{self, Interactive, Outcome};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(90);

/// One person's sign-in and folders.
#[derive(Clone, Debug)]
pub struct PersonSession {
    binary: PathBuf,
    name: String,
    url: String,
    home: PathBuf,
    otpauth: String,
    authenticator: Option<Authenticator>,
}

impl PersonSession {
    pub(super) fn new(binary: &Path, folder: &Path, url: &str, name: &str) -> Result<Self> {
        let home = folder.join(format!("home-{name}"));
        let session = Self {
            binary: binary.to_owned(),
            name: name.to_owned(),
            url: url.to_owned(),
            home,
            otpauth: String::new(),
            authenticator: None,
        };
        for made in [session.home(), &session.config_home(), &session.runtime_dir()] {
            DirBuilder::new().recursive(true).mode(0o700).create(made)?;
        }
        Ok(session)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server they were given.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.url
    }

    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// What `XDG_CONFIG_HOME` is for them.
    #[must_use]
    pub fn config_home(&self) -> PathBuf {
        self.home.join("config")
    }

    /// What `XDG_RUNTIME_DIR` is for them.
    #[must_use]
    pub fn runtime_dir(&self) -> PathBuf {
        self.home.join("run")
    }

    /// The file with their password, made when they enrol.
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.home.join("password")
    }

    /// Their `otpauth://` address; empty before they enrol.
    #[must_use]
    pub fn otpauth(&self) -> &str {
        &self.otpauth
    }

    /// Chooses a password; the file then holds it.
    pub fn choose_password(&self) -> Result<()> {
        let mut random = [0_u8; 12];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(self.password_file(), password)?;
        fs::set_permissions(self.password_file(), fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    /// Sets the sign-in up with a one-time code.
    pub fn enrol(&mut self, code: &str) -> Result<()> {
        self.choose_password()?;
        let password = self.password_file().display().to_string();
        let enrolled = self.json(&["enrol", code, "--password-file", &password])?;
        let otpauth =
            enrolled.get("otpauth_url").and_then(Value::as_str).context("enrolling gave no otpauth address")?;
        self.keep_otpauth(otpauth)
    }

    /// Takes the authenticator's secret over, if somebody else ran the enrolment.
    pub fn keep_otpauth(&mut self, otpauth: &str) -> Result<()> {
        self.authenticator = Some(Authenticator::new(otpauth)?);
        otpauth.clone_into(&mut self.otpauth);
        Ok(())
    }

    /// The authenticator's code. Each is given once; asking again waits for the next.
    pub fn totp(&mut self) -> Result<String> {
        self.authenticator.as_mut().with_context(|| format!("`{}` is not enrolled", self.name))?.code()
    }

    /// Signs in with password and code.
    pub fn sign_in(&mut self) -> Result<()> {
        let code = self.totp()?;
        let password = self.password_file().display().to_string();
        self.json(&["login", "--person", &self.name, "--password-file", &password, "--totp", &code])?;
        Ok(())
    }

    /// The session's token, as the command line keeps it.
    pub fn token(&self) -> Result<String> {
        let text = fs::read_to_string(self.config_home().join("wane/session.json"))?;
        let kept: Value = serde_json::from_str(&text)?;
        Ok(kept.get("token").and_then(Value::as_str).context("nobody is signed in")?.to_owned())
    }

    /// Has the command line keep a session's token, as if it had begun it.
    pub(super) fn keep_token(&self, token: &str) -> Result<()> {
        let folder = self.config_home().join("wane");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let file = folder.join("session.json");
        fs::write(&file, serde_json::json!({ "server": self.url, "token": token }).to_string())?;
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?)
    }

    /// Runs `wane` with these words and waits for its end.
    pub fn run<A: AsRef<OsStr>>(&self, words: &[A]) -> Result<Outcome> {
        self.run_with(words, "")
    }

    /// As [`run`](Self::run), with something on standard input.
    pub fn run_with<A: AsRef<OsStr>>(&self, words: &[A], input: &str) -> Result<Outcome> {
        program::run(&mut self.command(words), input, DEFAULT_TIMEOUT)
    }

    /// Runs `wane … --json`, which must succeed, and reads what it said.
    pub fn json(&self, words: &[&str]) -> Result<Value> {
        let outcome = self.run(&[&["--json"], words].concat())?;
        let said = outcome.into_stdout().with_context(|| format!("{}: `wane {}`", self.name, words.join(" ")))?;
        serde_json::from_str(&said).with_context(|| format!("`wane {}` said: {said}", words.join(" ")))
    }

    /// Runs `wane … --json`, which must come out with `code`; reads the result, or the error if it failed.
    pub fn json_with_code(&self, words: &[&str], code: i32) -> Result<Value> {
        let outcome = self.run(&[&["--json"], words].concat())?;
        ensure!(
            outcome.ended == crate::Ended::Code(code),
            "{}: `wane {}` came out with {:?}, not {code}\nstdout: {}\nstderr: {}",
            self.name,
            words.join(" "),
            outcome.ended,
            outcome.stdout,
            outcome.stderr
        );
        let said = if outcome.stdout.trim().is_empty() { &outcome.stderr } else { &outcome.stdout };
        serde_json::from_str(said).with_context(|| format!("`wane {}` said: {said}", words.join(" ")))
    }

    /// Starts `wane` with these words and leaves it open.
    pub fn interactive<A: AsRef<OsStr>>(&self, words: &[A]) -> Result<Interactive> {
        Interactive::spawn(&mut self.command(words))
    }

    /// `wane` with these words, at this person's machine.
    pub fn command<A: AsRef<OsStr>>(&self, words: &[A]) -> Command {
        let mut command = Command::new(&self.binary);
        self.surround(&mut command);
        command.args(words);
        command
    }

    /// Any program, at this person's machine.
    pub fn surround(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", self.config_home())
            .env("XDG_RUNTIME_DIR", self.runtime_dir())
            .env("WANE_SERVER", &self.url)
            .current_dir(&self.home);
    }
}
