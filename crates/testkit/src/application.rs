//! An application with SCIM 2.0 on loopback: `scim2-server` from PyPI, which shares no code with Wane and keeps what it is told
//! in memory.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::ServerProcess;
use crate::wait::wait_until;
use crate::{folder, port, program};

const PATIENCE: Duration = Duration::from_secs(90);
/// By which it knows whoever may change something.
const TOKEN: &str = "open-sesame-application";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// An application that ends when this value is dropped.
#[derive(Debug)]
pub struct ScimApplication {
    // First, so that the process ends before its folder goes.
    process: ServerProcess,
    folder: TempDir,
    port: u16,
}

impl ScimApplication {
    /// With nobody in it. `cargo xtask deps` installs what it is made of.
    pub fn start() -> Result<Self> {
        let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/scim2-server/venv/bin/scim2-server");
        ensure!(installed.exists(), "the SCIM application of the tests is not installed; run `cargo xtask deps`");
        let (folder, port) = (folder::throw_away("wane-application-")?, port::free_port()?);
        let log = File::options().create(true).append(true).open(folder.path().join("log"))?;
        let mut command = Command::new(installed);
        command.args(["--bearer-token", TOKEN, "--port", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = ServerProcess::spawn("`scim2-server`", &mut command, Signal::SIGKILL)?;
        let here = Self { process, folder, port };
        wait_until("the application to answer", PATIENCE, || here.call("GET", "ServiceProviderConfig", None).is_ok())
            .with_context(|| here.log())?;
        Ok(here)
    }

    /// Where its resources are.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v2", self.port)
    }

    /// The port it listens on, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What Wane shows it.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// What it has said of itself.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Has it hang: it neither answers nor ends.
    pub fn freeze(&self) -> Result<()> {
        self.process.freeze()
    }

    /// Has it go on.
    pub fn thaw(&self) -> Result<()> {
        self.process.signal(Signal::SIGCONT)
    }

    /// Asks it something past Wane; what it answered, if it was done.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "20", "-w", "\n%{http_code}", "-X", method]);
        command.args(["-H", &format!("Authorization: Bearer {TOKEN}"), "-H", "Content-Type: application/scim+json"]);
        if let Some(body) = body {
            command.args(["--data-binary", &body.to_string()]);
        }
        command.arg(format!("{}/{path}", self.url()));
        let said = program::run(&mut command, "", PATIENCE)?.into_stdout()?;
        let (body, status) = said.rsplit_once('\n').context("no status")?;
        if !status.starts_with('2') {
            bail!("{method} {path}: {status} {body}");
        }
        if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(body)?) }
    }

    /// Makes a resource; its id.
    fn make(&self, path: &str, body: &Value) -> Result<String> {
        let made = self.call("POST", path, Some(body))?;
        made.get("id").and_then(Value::as_str).map(str::to_owned).context("what was made has no id")
    }

    /// Makes a user; their id.
    pub fn user(&self, name: &str) -> Result<String> {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"];
        self.make("Users", &json!({ "schemas": schemas, "userName": name, "active": true }))
    }

    /// Makes a group; its id.
    pub fn group(&self, name: &str) -> Result<String> {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
        self.make("Groups", &json!({ "schemas": schemas, "displayName": name }))
    }

    fn listed(&self, path: &str, attribute: &str, name: &str) -> Result<Option<Value>> {
        let all = self.call("GET", path, None)?;
        Ok(list(&all, "Resources").into_iter().find(|one| one.get(attribute).is_some_and(|is| is == name)))
    }

    /// A user as it has them.
    pub fn find_user(&self, name: &str) -> Result<Option<Value>> {
        self.listed("Users", "userName", name)
    }

    /// Whether somebody gets in by an account of this name.
    pub fn is_active(&self, name: &str) -> Result<bool> {
        Ok(self.find_user(name)?.is_some_and(|user| user.get("active") != Some(&Value::Bool(false))))
    }

    /// The ids of who is in a group.
    pub fn members(&self, name: &str) -> Result<Vec<String>> {
        let group = self.listed("Groups", "displayName", name)?.context("there is no such group")?;
        let ids =
            list(&group, "members").into_iter().map(|one| one.get("value").and_then(Value::as_str).map(str::to_owned));
        Ok(ids.flatten().collect())
    }

    /// Changes one attribute past Wane.
    pub fn change(&self, path: &str, operation: &Value) -> Result<()> {
        self.call("PATCH", path, Some(&json!({ "schemas": [PATCH_OP], "Operations": [operation] }))).map(drop)
    }

    /// Puts somebody into a group, by ids.
    pub fn add(&self, group: &str, user: &str) -> Result<()> {
        let operation = json!({ "op": "add", "path": "members", "value": [{ "value": user }] });
        self.change(&format!("Groups/{group}"), &operation)
    }

    /// Takes somebody out of a group, by ids.
    pub fn remove(&self, group: &str, user: &str) -> Result<()> {
        let operation = json!({ "op": "remove", "path": format!("members[value eq \"{user}\"]") });
        self.change(&format!("Groups/{group}"), &operation)
    }

    /// Has an account let somebody in, or not.
    pub fn set_active(&self, user: &str, active: &Value) -> Result<()> {
        self.change(&format!("Users/{user}"), &json!({ "op": "replace", "path": "active", "value": active }))
    }
}

fn list(of: &Value, name: &str) -> Vec<Value> {
    of.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}
