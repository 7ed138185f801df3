//! Wane as it is loaded: a server of the release build, people in a group, a host that is only
//! registered, and grants that policy gives at once.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use wane_testkit::{PersonSession, SshKey, WaneServer, WaneServerBuilder, WaneSigner};

use super::ground::{Ground, text};

pub(crate) const POLICY: &str = include_str!("bench.cedar");
/// Longer than any run.
const LONG: &str = "6h";

/// What is measured is how often a key can sign, not how often it may.
const RATE: &str = "signer.most_per_minute";
const UNMEASURED: &str = "1000000";

/// A server with people who may ask for the host `web`.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) server: WaneServer,
    pub(crate) admin: PersonSession,
    pub(crate) people: Vec<PersonSession>,
}

impl Deployment {
    /// Starts one with so many people.
    pub(crate) fn start(ground: &Ground, people: usize) -> Result<Self> {
        Self::with(WaneServer::builder(), ground, people)
    }

    /// The same, with settings of its own.
    pub(crate) fn with(builder: WaneServerBuilder, ground: &Ground, people: usize) -> Result<Self> {
        Self::bare(builder, ground)?.peopled(people)
    }

    /// The same where it was prepared.
    pub(crate) fn on(server: WaneServer, people: usize) -> Result<Self> {
        let (server, admin) = server.found()?;
        Self::set_up(server, admin)?.peopled(people)
    }

    fn peopled(mut self, people: usize) -> Result<Self> {
        let wane = &mut self;
        wane.admin.json(&["group", "add", "engineers"])?;
        for number in 0..people {
            wane.people.push(wane.server.newcomer(&wane.admin, &format!("person-{number}"), &["engineers"])?);
        }
        Ok(self)
    }

    /// The same with a signer that is a process of its own.
    pub(crate) fn apart(ground: &Ground, people: usize) -> Result<(Self, WaneSigner)> {
        let mut signer = WaneSigner::prepare(None)?.binary(ground.wane()).set(RATE, UNMEASURED);
        let wane = Self::bare(WaneServer::builder().signer(&signer, None), ground)?;
        signer.run(&["init", "--org", &wane.server.org()?])?;
        signer.start()?;
        Ok((wane.peopled(people)?, signer))
    }

    /// The same with nobody in it but the administrator: `engineers` are whoever somebody makes them.
    pub(crate) fn bare(builder: WaneServerBuilder, ground: &Ground) -> Result<Self> {
        let (server, admin) = builder.binary(ground.wane()).set("log.level", "warn").set(RATE, UNMEASURED).start()?;
        Self::set_up(server, admin)
    }

    fn set_up(server: WaneServer, admin: PersonSession) -> Result<Self> {
        // Nothing is tried at this host: what is measured is Wane, not an sshd.
        let address = ["--address", "127.0.0.1:9", "--read-back", "none"];
        admin.json(&[&["host", "add", "web", "--label", "env=bench"][..], &address[..]].concat())?;
        admin.json(&["role", "add", "ssh/deploy", "--set", r#"principals=["deploy"]"#])?;
        let loaded = admin.run_with(&["policy", "load", "-"], POLICY)?;
        if !loaded.success() {
            bail!("the policy was not loaded: {}", loaded.stderr);
        }
        Ok(Self { server, admin, people: Vec::new() })
    }

    /// A grant of the role on the host, to a person.
    pub(crate) fn grant(&self, person: &PersonSession) -> Result<String> {
        let asked = person.json(&["request", "deploy@web", "--for", LONG])?;
        Ok(text(&asked, "/items/0/grant").context("policy did not grant at once")?.to_owned())
    }

    /// The call that has a certificate issued under a grant, as a person's client makes it.
    pub(crate) fn certificate_call(&self, person: &PersonSession, grant: &str, key: &str) -> Result<Value> {
        Ok(json!({
            "method": "POST",
            "path": format!("/v1/grants/{grant}/credential"),
            "headers": [["authorization", format!("Bearer {}", person.token()?)]],
            "body": { "input": { "public_key": key } },
        }))
    }

    /// The call that asks for the role on the host.
    pub(crate) fn ask_call(&self, person: &PersonSession) -> Result<Value> {
        Ok(json!({
            "method": "POST",
            "path": "/v1/requests",
            "headers": [["authorization", format!("Bearer {}", person.token()?)]],
            "body": { "items": [{ "resource": "web", "role": "deploy" }], "duration": LONG },
        }))
    }

    /// What every load of Wane is made of: its address, and a new idempotency key in each call.
    pub(crate) fn plan(&self, clients: usize, calls: Vec<Value>) -> Value {
        json!({ "address": self.address(), "clients": clients, "fresh": "idempotency-key", "calls": calls })
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.server.url().trim_start_matches("http://").to_owned()
    }
}

/// A public key to be certified.
pub(crate) fn public_key(folder: &std::path::Path, name: &str) -> Result<String> {
    SshKey::generate(folder, name)?.public_line()
}
