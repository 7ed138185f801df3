//! A pipeline: an issuer that says what its jobs are, and runners on which they run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use wane_testkit::{Interactive, Outcome, free_port};

use crate::people::{Deployment, POLICY, SOON};
use crate::signing_in::roaming::http;

/// Whoever may be let in by what is said of their job.
const PATHS: &str = r#"
@id("pipelines")
@max_ttl("30m")
permit (principal == Person::"deploy", action == Action::"access", resource in Label::"gate=open")
when { context has workload && context.workload has environment && context.workload.environment == "prod" };

@id("pipelines-by-approval")
@max_ttl("30m")
@approve("1 of group:approvers")
permit (principal == Person::"deploy", action == Action::"access", resource in Label::"gate=one")
when { context has workload && context.workload.issuer == "actions" };
"#;

/// A simulator of what GitHub Actions says; ends with this value.
pub(crate) struct Actions {
    _process: Interactive,
    issuer: String,
    audience: String,
}

/// Where the chore that sets tests up puts what comes from npm.
fn modules() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/node/node_modules");
    assert!(folder.join("@actions/core").is_dir(), "run `cargo xtask deps` first: {} is not there", folder.display());
    folder
}

impl Actions {
    /// One that a deployment believes: `deploy` is what runs in one repository, and `ada` answers for it.
    pub(crate) fn for_deployment(wane: &Deployment) -> Self {
        Self::with_silence(wane, "30s")
    }

    /// The same, where a job of which nothing is heard is over this soon.
    pub(super) fn with_silence(wane: &Deployment, silence: &str) -> Self {
        let port = free_port().unwrap();
        let mut node = Command::new("node");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/github.mjs");
        node.arg(script).arg(port.to_string()).stdin(Stdio::null());
        let process = Interactive::spawn(&mut node).unwrap();
        process.wait_for("listening", SOON).unwrap_or_else(|e| panic!("{e}: {}", process.stderr()));
        let issuer = format!("http://127.0.0.1:{port}");
        wane.load(&format!("{POLICY}{PATHS}"));
        let ada = &wane.ada;
        ada.json(&["workload", "issuer", "add", "actions", "--sort", "github", "--url", &issuer]).unwrap();
        let claims = ["--claim", "repository_id=74", "--claim", "ref=refs/heads/main"];
        let words = ["workload", "add", "deploy", "--sponsor", "ada", "--issuer", "actions", "--silence", silence];
        ada.json(&[&words[..], &claims].concat()).unwrap();
        Self { _process: process, issuer, audience: wane.server.url().to_owned() }
    }

    /// What is said of the jobs from now on.
    pub(crate) fn says(&self, claims: &Value) {
        let answer = http("POST", &format!("{}/test/claims", self.issuer), "", &claims.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The address at which a runner hands tokens out, as it is set in a job.
    fn runner(&self) -> String {
        format!("{}/runner/token?api-version=2.0", self.issuer)
    }

    /// A token for an audience, fetched by GitHub's own library in a step of a job.
    pub(crate) fn token_for(&self, audience: &str) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/actions.mjs");
        let done = Command::new("node")
            .arg(script)
            .arg(modules())
            .arg(audience)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", self.runner())
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner")
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let said = String::from_utf8(done.stdout).unwrap();
        said.lines().last().unwrap().to_owned()
    }

    pub(crate) fn token(&self) -> String {
        self.token_for(&self.audience)
    }
}

/// A runner: a machine with a home and a repository, on which nobody is signed in.
pub(crate) struct Runner {
    home: TempDir,
    binary: PathBuf,
    server: String,
}

impl Runner {
    pub(crate) fn of(wane: &Deployment) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("repo")).unwrap();
        fs::write(home.path().join("repo/README.md"), "a repository\n").unwrap();
        Self { home, binary: wane.server.binary().to_owned(), server: wane.server.url().to_owned() }
    }

    /// `wane` with these words in a job that has this token.
    pub(crate) fn command(&self, token: &str, words: &[&str]) -> Command {
        let mut command = self.bare(words);
        command.env("WANE_ID_TOKEN", token);
        command
    }

    /// `wane` with these words in a job whose runner hands tokens out.
    pub(crate) fn on_actions(&self, actions: &Actions, words: &[&str]) -> Command {
        let mut command = self.bare(words);
        command.env("ACTIONS_ID_TOKEN_REQUEST_URL", actions.runner()).env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner");
        command
    }

    fn bare(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.home.path())
            .env("WANE_SERVER", &self.server)
            .current_dir(self.home.path().join("repo"))
            .args(words);
        command
    }

    pub(crate) fn run(&self, token: &str, words: &[&str]) -> Outcome {
        let mut run = self.start(token, words);
        run.close_input();
        run.wait_exit(SOON).unwrap()
    }

    pub(crate) fn start(&self, token: &str, words: &[&str]) -> Interactive {
        Interactive::spawn(&mut self.command(token, words)).unwrap()
    }

    /// Every file on the runner's disk with what is in it.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut folders, mut files) = (vec![self.home.path().to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.clone(), fs::read(&path).unwrap()));
                }
            }
        }
        files
    }

    /// Nothing is left of these, anywhere on the runner: no file, no word of any process.
    pub(crate) fn assert_clean(&self, secrets: &[&str]) {
        let files: Vec<PathBuf> = self.files().into_iter().map(|(path, _)| path).collect();
        assert_eq!(files, [self.home.path().join("repo/README.md")], "files were left");
        for secret in secrets {
            assert_eq!(seen_in_processes(secret), Vec::<String>::new());
        }
    }
}

/// The processes whose arguments or environment hold a text.
pub(crate) fn seen_in_processes(secret: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let id = entry.file_name().to_string_lossy().into_owned();
        if !id.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        for what in ["cmdline", "environ"] {
            // A process may be gone by now.
            let bytes = fs::read(entry.path().join(what)).unwrap_or_default();
            if bytes.windows(secret.len()).any(|part| part == secret.as_bytes()) {
                seen.push(format!("{id} {what}"));
            }
        }
    }
    seen
}

/// What the log says of an event, oldest first.
pub(crate) fn events(wane: &Deployment, event: &str) -> Vec<Value> {
    let page = wane.ada.json(&["log", "--event", event, "--all"]).unwrap();
    let mut all: Vec<Value> = page["items"].as_array().unwrap().iter().map(|record| record["detail"].clone()).collect();
    all.reverse();
    all
}
