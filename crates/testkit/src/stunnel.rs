//! A real TLS server that asks for client certificates, refuses in the handshake, and reads its revocation list again
//! when it is told to: stunnel, in front of an echo of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::port::{free_port, listens};
use crate::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running stunnel.
#[derive(Debug)]
pub struct Stunnel {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Stunnel {
    /// Starts one in a folder, with a certificate and key of its own, the authorities whose clients it takes, and their list.
    pub fn start(folder: &Path, certificate: &str, key: &str, trust: &[u8], crl: &[u8]) -> Result<Self> {
        let port = free_port()?;
        let echo = echo()?;
        let at = |name: &str| folder.join(name).display().to_string();
        for (name, content) in [
            ("server.pem", certificate.as_bytes()),
            ("server.key", key.as_bytes()),
            ("ca.pem", trust),
            ("list.pem", crl),
        ] {
            fs::write(folder.join(name), content)?;
        }
        let lines = format!(
            "foreground = yes\npid = {}\noutput = {}\ndebug = debug\n[tls]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{echo}\n\
             cert = {}\nkey = {}\nCAfile = {}\nCRLfile = {}\nverifyChain = yes\nsessionCacheSize = 1\nTIMEOUTclose = 0\n",
            at("pid"),
            at("stunnel.log"),
            at("server.pem"),
            at("server.key"),
            at("ca.pem"),
            at("list.pem"),
        );
        fs::write(folder.join("stunnel.conf"), lines)?;
        let child = Command::new("stunnel")
            .arg(folder.join("stunnel.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("stunnel (package `stunnel4`)")?;
        let running = Self { child, port, folder: folder.to_owned() };
        // It listens before it writes its log and minds signals; once it takes somebody in it does both.
        wait_until("stunnel to take somebody in", PATIENCE, || listens(port) && running.log().contains("] accepted "))
            .with_context(|| running.log())?;
        Ok(running)
    }

    /// Where it listens, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("stunnel.log")).unwrap_or_default()).into_owned()
    }

    /// Gives it another list, which it has read when this returns. Open connections stay.
    pub fn give_list(&self, crl: &[u8]) -> Result<()> {
        // It says that it has read it, lets go of its port, and takes it again.
        let bound = |log: &str| log.matches(" bound to ").count();
        let before = bound(&self.log());
        fs::write(self.folder.join("list.pem"), crl)?;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP)?;
        wait_until("stunnel to read its list", PATIENCE, || bound(&self.log()) > before).with_context(|| self.log())
    }
}

impl Drop for Stunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says each line back, to whoever comes; on a thread that ends with the process.
fn echo() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || -> std::io::Result<()> {
                let mut lines = BufReader::new(stream.try_clone()?);
                let (mut stream, mut line) = (stream, String::new());
                while lines.read_line(&mut line)? > 0 {
                    stream.write_all(line.as_bytes())?;
                    line.clear();
                }
                Ok(())
            });
        }
    });
    Ok(port)
}
