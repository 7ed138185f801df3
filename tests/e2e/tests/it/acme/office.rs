//! A deployment with an authority and a server role, and who orders certificates there.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};
use wane_testkit::{WaneServer, WaneServerBuilder};

use crate::people::{Deployment, granted, text};

/// What the role `serve` gives.
pub(super) const NAMES: [&str; 2] = ["shop.example", "www.shop.example"];

/// The service `shop`, whose certificates are ordered.
pub(super) struct Office {
    pub(super) wane: Deployment,
}

/// What binds an account.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) kid: String,
    pub(super) secret: String,
}

pub(super) fn target(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(path);
    assert!(path.exists(), "run `cargo xtask deps` first: {} is not there", path.display());
    path
}

/// `wane authority` with these words; the server is stopped.
pub(super) fn authority(server: &WaneServer, words: &[&str]) -> Value {
    let settings = server.server_words();
    let mut command = Command::new(server.binary());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", server.folder());
    let done = command.arg("--json").arg("authority").args(&settings[1..]).args(words).output().unwrap();
    assert!(done.status.success(), "wane authority {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

impl Office {
    pub(super) fn new() -> Self {
        Self::with(WaneServer::builder())
    }

    pub(super) fn with(builder: WaneServerBuilder) -> Self {
        let mut wane = Deployment::with(builder);
        wane.server.stop().unwrap();
        authority(&wane.server, &["new"]);
        wane.server.start().unwrap();
        let here = Self { wane };
        let ada = &here.wane.ada;
        let settings = json!({ "crl_pull_secs": 5 }).to_string();
        ada.json(&["resource", "add", "shop", "--kind", "x509", "--label", "gate=open", "--settings", &settings])
            .unwrap();
        let names = json!(NAMES).to_string();
        for (role, sets) in [
            (
                "x509/serve",
                &["use=server", &format!("dns_names={names}"), r#"ip_addresses=["127.0.0.1"]"#, "life_secs=3600"][..],
            ),
            ("x509/brief", &["use=server", r#"dns_names=["brief.example"]"#, "life_secs=30"]),
            ("x509/call", &["use=client"]),
        ] {
            let sets = sets.iter().flat_map(|set| ["--set", set]);
            ada.json(&["role", "add", role].into_iter().chain(sets).collect::<Vec<_>>()).unwrap();
        }
        here
    }

    pub(super) fn grant(&self, role: &str) -> String {
        granted(&self.wane.maya, &format!("{role}@shop"), "30m")
    }

    /// A binding under a grant, by `wane acme`.
    pub(super) fn binding(&self, grant: &str) -> Binding {
        let made = self.wane.maya.json(&["acme", grant]).unwrap();
        assert_eq!(made["directory"], format!("{}/acme/directory", self.wane.server.url()), "{made}");
        Binding { kid: text(&made["kid"]), secret: text(&made["hmac_key"]) }
    }

    pub(super) fn folder(&self) -> &Path {
        self.wane.server.folder()
    }

    /// Fetches a paper with curl, as a cron job would.
    pub(super) fn paper(&self, name: &str) -> PathBuf {
        let path = self.folder().join(name);
        let url = format!("{}/v1/published/x509/{name}", self.wane.server.url());
        let done = Command::new("curl").args(["-fsS", "-o"]).arg(&path).arg(url).status().unwrap();
        assert!(done.success(), "{name}");
        path
    }

    /// The serial numbers on the list, as OpenSSL reads them.
    pub(super) fn listed(&self) -> Vec<String> {
        let shown = Command::new("openssl").args(["crl", "-noout", "-text", "-in"]).arg(self.paper("crl.pem")).output();
        let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
        let serial = |line: &str| line.trim().strip_prefix("Serial Number:").map(|rest| rest.trim().to_lowercase());
        shown.lines().filter_map(serial).collect()
    }

    pub(super) fn count(&self, grant: &str, event: &str) -> usize {
        self.wane.events(grant).iter().filter(|one| *one == event).count()
    }
}

/// The serial number of the first certificate in a file.
pub(super) fn serial(file: &Path) -> String {
    let shown = Command::new("openssl").args(["x509", "-noout", "-serial", "-in"]).arg(file).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    shown.trim().trim_start_matches("serial=").to_lowercase()
}

/// The same of one in PEM.
pub(super) fn serial_of(office: &Office, pem: &str) -> String {
    let file = office.folder().join("one.pem");
    fs::write(&file, pem).unwrap();
    serial(&file)
}

/// A client that signs whatever it is told to.
pub(super) struct Client {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer(pub(super) Value);

impl Answer {
    pub(super) fn status(&self) -> u64 {
        self.0["status"].as_u64().unwrap()
    }

    /// The sort of a refusal, or what it was instead.
    pub(super) fn refused(&self) -> String {
        let urn = self.0["body"]["type"].as_str().unwrap_or_default();
        urn.strip_prefix("urn:ietf:params:acme:error:").map_or_else(|| format!("{:.300}", self.0), str::to_owned)
    }

    pub(super) fn location(&self) -> String {
        text(&self.0["headers"]["location"])
    }

    pub(super) fn body(&self) -> &Value {
        &self.0["body"]
    }
}

impl Client {
    pub(super) fn new(office: &Office) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/acme_client.py");
        let mut command = Command::new(target("certbot/venv/bin/python"));
        command.arg(script).arg(office.wane.server.url());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pipes = Mutex::new((child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap())));
        Self { child, pipes }
    }

    fn say(&self, order: &Value) -> Value {
        let (to, from) = &mut *self.pipes.lock().unwrap();
        writeln!(to, "{order}").unwrap();
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {order}: {line}"))
    }

    pub(super) fn key(&self, name: &str, alg: &str) -> Value {
        self.say(&json!({ "key": name, "alg": alg }))["jwk"].clone()
    }

    pub(super) fn call(&self, order: &Value) -> Answer {
        Answer(self.say(&json!({ "call": order })))
    }

    /// The body of a call, signed and not sent.
    pub(super) fn signed(&self, order: &Value) -> String {
        self.say(&json!({ "sign": order }))["signed"].to_string()
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        Answer(self.say(&json!({ "get": path })))
    }

    pub(super) fn csr(&self, order: &Value) -> String {
        text(&self.say(&json!({ "csr": order }))["csr"])
    }

    /// A certificate in DER as ACME has it, and what clients know it by.
    pub(super) fn certificate(&self, pem: &str) -> (String, String) {
        let said = self.say(&json!({ "certificate": pem }));
        (text(&said["der"]), text(&said["id"]))
    }

    /// An account of a key, made with a binding; its address.
    pub(super) fn account(&self, key: &str, binding: &Binding) -> String {
        let made = self.call(&json!({
            "path": "/acme/new-account", "by": key, "payload": { "termsOfServiceAgreed": true },
            "bind": { "kid": binding.kid, "secret": binding.secret, "key": key },
        }));
        assert_eq!(made.status(), 201, "{made:?}");
        made.location()
    }

    /// An order for DNS names.
    pub(super) fn order(&self, key: &str, kid: &str, names: &[&str]) -> Answer {
        let names: Vec<Value> = names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let payload = json!({ "identifiers": names });
        self.call(&json!({ "path": "/acme/new-order", "by": key, "kid": kid, "payload": payload }))
    }

    pub(super) fn finalize(&self, key: &str, kid: &str, order: &Answer, csr: &str) -> Answer {
        let path = path(&text(&order.body()["finalize"]));
        self.call(&json!({ "path": path, "by": key, "kid": kid, "payload": { "csr": csr } }))
    }

    /// A certificate for DNS names with a key of its own; in PEM, with what is above it.
    pub(super) fn obtain(&self, key: &str, kid: &str, names: &[&str]) -> String {
        let order = self.order(key, kid, names);
        assert_eq!((order.status(), &order.body()["status"]), (201, &json!("ready")), "{order:?}");
        let own = format!("cert of {key}");
        self.key(&own, "ES256");
        let done = self.finalize(key, kid, &order, &self.csr(&json!({ "key": own, "dns": names })));
        assert_eq!((done.status(), &done.body()["status"]), (200, &json!("valid")), "{done:?}");
        let at = path(&text(&done.body()["certificate"]));
        let chain = self.call(&json!({ "path": at, "by": key, "kid": kid }));
        assert_eq!(chain.0["headers"]["content-type"], "application/pem-certificate-chain", "{chain:?}");
        text(chain.body())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands behind the server in an address.
pub(super) fn path(url: &str) -> String {
    url.find("/acme/").map(|at| url[at..].to_owned()).unwrap_or_else(|| panic!("{url}"))
}
