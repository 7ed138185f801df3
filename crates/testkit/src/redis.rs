//! A real Redis server on loopback, whose users are kept by an access control list.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::process::ServerProcess;
use crate::wait::wait_until;
use crate::{folder, port};

const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTOR: &str = "wane";
const PASSWORD: &str = "connectors-own";

/// A running server. It ends with this value.
#[derive(Debug)]
pub struct Redis {
    // First, so that the process ends before its folder goes.
    process: Option<ServerProcess>,
    port: u16,
    folder: TempDir,
}

/// A connection that signed in.
#[derive(Debug)]
pub struct RedisSession(BufReader<TcpStream>);

impl Redis {
    /// A server of its own, with a key `orders:1`, once it answers.
    pub fn start() -> Result<Self> {
        let mut server = Self { process: None, port: port::free_port()?, folder: folder::throw_away("wane-redis-")? };
        server.resume()?;
        let mut session = server.sign_in(CONNECTOR, PASSWORD)?.context("the connector is not let in")?;
        session.say("SET orders:1 42")?;
        Ok(server)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who keeps its users, and the password.
    #[must_use]
    pub fn connector(&self) -> (&'static str, &'static str) {
        (CONNECTOR, PASSWORD)
    }

    /// Starts it again.
    pub fn resume(&mut self) -> Result<()> {
        let path = self.folder.path().join("redis.conf");
        fs::write(
            &path,
            format!(
                "bind 127.0.0.1\nport {}\nsave \"\"\nappendonly no\ndir {}\nuser default off\nuser {CONNECTOR} on >{PASSWORD} ~* &* +@all\n",
                self.port,
                self.folder.path().display()
            ),
        )?;
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let mut command = Command::new("redis-server");
        command.env_clear().env("PATH", "/usr/bin:/bin").arg(&path);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = self.process.insert(ServerProcess::spawn("redis-server", &mut command, Signal::SIGTERM)?);
        let (mut died, port) = (None, self.port);
        let waited = wait_until("redis-server to listen", PATIENCE, || {
            died = process.exited();
            died.is_some() || port::listens(port)
        });
        if let Some(status) = died {
            self.process = None;
            bail!(
                "redis-server ended with {status}: {}",
                fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            );
        }
        waited
    }

    /// Ends it; nothing of it stays.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(Signal::SIGTERM),
            None => Ok(()),
        }
    }

    /// A connection of a user, if the server lets them in.
    pub fn sign_in(&self, user: &str, password: &str) -> Result<Option<RedisSession>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut session = RedisSession(BufReader::new(stream));
        let said = session.say(&format!("AUTH {user} {password}"))?;
        Ok(said.starts_with("+OK").then_some(session))
    }
}

impl RedisSession {
    /// Says a line; the first line of the answer, empty once the server has hung up.
    pub fn say(&mut self, line: &str) -> Result<String> {
        if self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).is_err() {
            return Ok(String::new());
        }
        let mut said = String::new();
        match self.0.read_line(&mut said) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(String::new()),
            Err(error) => return Err(error.into()),
        }
        if let Some(length) = said.strip_prefix('$').and_then(|n| n.trim().parse::<i64>().ok()).filter(|n| *n >= 0) {
            let mut body = String::new();
            self.0.read_line(&mut body)?;
            let _ = length;
            return Ok(body.trim_end().to_owned());
        }
        Ok(said.trim_end().to_owned())
    }
}
