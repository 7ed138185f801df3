//! A deployment that issues tokens, two servers that take them, and the libraries by which they do.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wane_testkit::{PersonSession, WaneServer, WaneServerBuilder, wait_until};

use crate::people::{Deployment, SOON, granted, text};

pub(super) const AUDIENCE: &str = "https://orders.example";
pub(super) const SCOPES: [&str; 2] = ["orders.read", "orders.write"];

/// The servers `orders`, which asks about each token, and `billing`.
pub(super) struct Office {
    pub(super) wane: Deployment,
}

/// An answer, as curl came back with it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// What checks a token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Library {
    PyJwt,
    Authlib,
    Jose,
    /// Authlib, which asks here.
    Introspection,
}

impl Library {
    pub(super) const OFFLINE: [Self; 3] = [Self::PyJwt, Self::Authlib, Self::Jose];
}

fn target(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(path);
    assert!(path.exists(), "run `cargo xtask deps` first: {} is not there", path.display());
    path
}

/// Waits for the next second: proofs are in whole ones, and none is taken of the second in which the server began.
#[expect(clippy::disallowed_methods, reason = "the server's clock is the machine's")]
pub(crate) fn next_second() {
    let began = jiff::Timestamp::now().as_second();
    wait_until("the next second", SOON, || jiff::Timestamp::now().as_second() > began).unwrap();
}

/// `wane token-key` with these words; the server is stopped.
pub(crate) fn token_key(server: &WaneServer, words: &[&str]) -> Value {
    let (done, said) = try_token_key(server, "", words);
    assert!(done, "wane token-key {words:?}: {said}");
    serde_json::from_str(&said).unwrap()
}

/// The same, which may fail: with this plan of failpoints.
pub(super) fn try_token_key(server: &WaneServer, plan: &str, words: &[&str]) -> (bool, String) {
    let settings = server.server_words();
    let mut command = Command::new(server.binary());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", server.folder()).env("WANE_FAILPOINTS", plan);
    let done = command.arg("--json").arg("token-key").args(&settings[1..]).args(words).output().unwrap();
    (done.status.success(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

impl Office {
    pub(super) fn new() -> Self {
        Self::with(WaneServer::builder())
    }

    pub(super) fn with(builder: WaneServerBuilder) -> Self {
        let mut wane = Deployment::with(builder);
        wane.server.stop().unwrap();
        let made = token_key(&wane.server, &["new"]);
        assert_eq!(made["items"][0]["state"], "signing", "{made}");
        wane.server.start().unwrap();
        let here = Self { wane };
        let ada = &here.wane.ada;
        for (name, audience, hears) in
            [("orders", AUDIENCE, "introspection"), ("billing", "https://billing.example", "feed")]
        {
            let settings = json!({ "audience": audience, "hears": hears }).to_string();
            ada.json(&["resource", "add", name, "--kind", "oauth", "--label", "gate=open", "--settings", &settings])
                .unwrap();
        }
        for (role, sets) in [
            ("oauth/use", &[r#"scopes=["orders.read","orders.write"]"#, "environment=allowed"][..]),
            // None is within another: whoever asks for more has to say why.
            ("oauth/brief", &[r#"scopes=["orders.read","orders.brief"]"#, "life_secs=12"]),
            ("oauth/bound", &[r#"scopes=["orders.read","orders.bound"]"#, "bound=either"]),
        ] {
            let sets = sets.iter().flat_map(|set| ["--set", set]);
            ada.json(&["role", "add", role].into_iter().chain(sets).collect::<Vec<_>>()).unwrap();
        }
        here
    }

    pub(super) fn maya(&self) -> &PersonSession {
        &self.wane.maya
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.wane.server.url())
    }

    /// Has a server join; what it is to say with `curl --user`.
    pub(super) fn joined(&self, name: &str) -> String {
        let code = text(&self.wane.ada.json(&["api", "code", name]).unwrap()["code"]);
        let out = self.wane.server.folder().join(format!("{name}.credential"));
        let said = self.wane.ada.json(&["api", "join", "--code", &code, "--out", out.to_str().unwrap()]).unwrap();
        assert_eq!(said["resource"], name, "{said}");
        fs::read_to_string(out).unwrap().trim().to_owned()
    }

    /// A token under a new grant of Maya's; the grant and it.
    pub(super) fn token(&self, role: &str, place: &str) -> (String, String) {
        let grant = granted(self.maya(), &format!("{role}@{place}"), "10m");
        (grant.clone(), self.token_under(&grant, &json!({})))
    }

    pub(super) fn token_under(&self, grant: &str, input: &Value) -> String {
        let given = self.maya().json(&["credential", grant, "--input", &input.to_string()]).unwrap();
        text(&given["secret"])
    }

    /// Calls with curl: these words, and these parameters as a form if there are any.
    pub(super) fn curl(&self, path: &str, words: &[&str], form: &[(&str, &str)]) -> Answer {
        let mut command = Command::new("curl");
        command.args(["-sS", "-w", "\n%{http_code}"]).args(words);
        for (name, value) in form {
            command.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        let url = if path.starts_with("http") { path.to_owned() } else { self.url(path) };
        let done = command.arg(url).output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap_or_else(|| panic!("{said:?}"));
        Answer { status: status.parse().unwrap(), body: body.to_owned() }
    }

    pub(super) fn introspect(&self, user: &str, token: &str) -> Answer {
        self.curl("/oauth2/introspect", &["--user", user], &[("token", token)])
    }

    /// Whether the server that a token is for is told that it is good.
    pub(super) fn is_good(&self, user: &str, token: &str) -> bool {
        let answer = self.introspect(user, token);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["active"] == true
    }

    pub(super) fn metadata(&self) -> Value {
        self.curl("/.well-known/oauth-authorization-server", &[], &[]).json()
    }

    /// What a library says of a token, which is to be for this audience: its claims, or why not.
    pub(super) fn checked(&self, by: Library, token: &str, audience: &str, user: &str) -> Result<Value, String> {
        let metadata = self.metadata();
        let question = json!({
            "token": token, "issuer": metadata["issuer"], "audience": audience, "keys": metadata["jwks_uri"],
            "introspect": metadata["introspection_endpoint"], "credential": user, "scopes": ["orders.read"],
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/resource_server.py");
        let python = |venv: &str, library: &str| {
            let mut command = Command::new(target(&format!("{venv}/venv/bin/python")));
            command.arg(&script).arg(library);
            command
        };
        let mut command = match by {
            Library::PyJwt => python("pyjwt", "pyjwt"),
            Library::Authlib => python("authlib", "authlib"),
            Library::Introspection => python("authlib", "introspect"),
            Library::Jose => {
                let mut command = Command::new("node");
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node/token.mjs"));
                command.arg(target("node/node_modules"));
                command
            }
        };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let said: Value = serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|e| panic!("{by:?}: {e}: {}", String::from_utf8_lossy(&done.stderr)));
        if said["good"] == true { Ok(said["claims"].clone()) } else { Err(said["why"].to_string()) }
    }
}
