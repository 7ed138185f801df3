//! `wane host add` and `wane host join-code`: a host on the server's side, before it joins.

use async_trait::async_trait;
use clap::Parser;
use serde_json::{Map, Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::{owner, pair, parse};

/// `wane host add`.
#[derive(Debug)]
pub struct HostAdd;

/// `wane host join-code`.
#[derive(Debug)]
pub struct HostJoinCode;

/// Registers a host that people log in to. Its `sshd` trusts Wane once it has joined.
#[derive(Debug, Parser)]
#[command(name = "wane host add", disable_version_flag = true)]
struct Add {
    /// The host's name in Wane.
    name: String,
    /// Where its sshd answers: `HOST:PORT`.
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
    /// A fact for policy: `env=staging`. May be given again.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Who answers for it: `person:NAME` or `group:NAME`.
    #[arg(long, value_name = "WHO", value_parser = owner)]
    owner: Option<Value>,
    /// How often the host will pull the revocation list, in seconds.
    #[arg(long, value_name = "SECONDS")]
    pull_secs: Option<u64>,
    /// A name its host certificate is to be valid for; the address if none. May be given again.
    #[arg(long = "host-name", value_name = "NAME")]
    host_names: Vec<String>,
    /// Whether Wane asks the host itself, after the end, if it still accepts a certificate.
    #[arg(long, value_name = "HOW", value_parser = ["query", "none"])]
    read_back: Option<String>,
}

/// Makes a one-time code with which a host joins.
#[derive(Debug, Parser)]
#[command(name = "wane host join-code", disable_version_flag = true)]
struct JoinCode {
    /// The host's name in Wane.
    name: String,
}

#[async_trait]
impl Verb for HostAdd {
    fn words(&self) -> &'static [&'static str] {
        &["host", "add"]
    }

    fn about(&self) -> &'static str {
        "register a host that people log in to"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Add>("wane host add", args, port)? else { return Ok(0) };
        let mut settings = Map::from_iter([("address".to_owned(), json!(args.address))]);
        settings.extend(args.pull_secs.map(|secs| ("pull_secs".to_owned(), json!(secs))));
        settings.extend(args.read_back.map(|how| ("read_back".to_owned(), json!(how))));
        if !args.host_names.is_empty() {
            settings.insert("host_names".to_owned(), json!(args.host_names));
        }
        let labels: Map<String, Value> = args.labels.into_iter().map(|(key, value)| (key, json!(value))).collect();
        let mut body = json!({ "name": args.name, "kind": "ssh", "labels": labels, "settings": settings });
        if let (Some(owner), Some(body)) = (args.owner, body.as_object_mut()) {
            body.insert("owner".to_owned(), owner);
        }
        let made = port.call("POST", "/v1/resources", None, Some(body)).await?;
        let text = format!(
            "registered {name}\nnext: `wane host join-code {name}`, and on the host `wane host setup`",
            name = args.name
        );
        port.put(&made, &text);
        Ok(0)
    }
}

#[async_trait]
impl Verb for HostJoinCode {
    fn words(&self) -> &'static [&'static str] {
        &["host", "join-code"]
    }

    fn about(&self) -> &'static str {
        "make a one-time code with which a host joins"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<JoinCode>("wane host join-code", args, port)? else { return Ok(0) };
        let path = format!("/v1/resources/{}/join-code", args.name);
        let made = port.call("POST", &path, None, None).await?;
        let word = |key: &str| made.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let text = format!(
            "{}\n\ngood once, until {}; on the host, as root:\n  wane host setup --server URL --code CODE",
            word("code"),
            word("expires")
        );
        port.put(&made, &text);
        Ok(0)
    }
}
