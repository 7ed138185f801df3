//! `wane ssh-config`: how the plain `ssh`, and all that rests on it, reaches hosts through the gateway.
//!
//! What is printed holds no secret and needs no other file: the gateway is known by the line in it, and
//! whoever logs in without a certificate is asked for one link and one code.

use std::fmt::Write as _;

use async_trait::async_trait;
use clap::Parser;
use serde_json::{Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::parse;
use wane_domain::text::Name;

use crate::role::is_principal;

/// `wane ssh-config`.
#[derive(Clone, Copy, Debug)]
pub struct SshConfig;

/// Prints settings for ssh by which `ssh HOST`, scp, sftp, rsync, git and Ansible go through the gateway:
/// `wane ssh-config deploy@web-1 >> ~/.ssh/config`.
#[derive(Debug, Parser)]
#[command(name = "wane ssh-config", disable_version_flag = true)]
struct Args {
    /// A host as it is registered, and the login name to use there.
    #[arg(value_name = "USER@HOST", required = true)]
    hosts: Vec<String>,
    /// By way of the gateway as a jump host (`ProxyJump`), under the host's own name.
    #[arg(long)]
    jump: bool,
}

/// The gateway, as the server describes it.
pub(super) struct Gateway {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) known_by: String,
    /// The line for hosts behind it; none of a server that knows no jumps.
    targets_known_by: Option<String>,
}

impl Gateway {
    /// Finds it; none if sessions to hosts do not go through the server.
    pub(super) async fn find(port: &dyn AccessPort) -> Result<Option<Self>, VerbError> {
        let said = port.call("GET", "/v1/gateways", None, None).await?;
        let ours = |gateway: &&Value| gateway.get("kind").and_then(Value::as_str) == Some(crate::NAME);
        let Some(found) = said.get("items").and_then(Value::as_array).and_then(|all| all.iter().find(ours)) else {
            return Ok(None);
        };
        let wrong = || VerbError::Failed(format!("the server describes a gateway that cannot be used: {found}"));
        Self::read(found).map(Some).ok_or_else(wrong)
    }

    /// It ends up among the settings of ssh, line by line: nothing but a name, a number and a key may.
    fn read(found: &Value) -> Option<Self> {
        let text = |name: &str| found.get(name).and_then(Value::as_str);
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:_".contains(c);
        let host = text("host").filter(|host| !host.starts_with('-') && !host.is_empty() && host.chars().all(plain))?;
        let known = |c: char| c.is_ascii_alphanumeric() || " .-:_[]@+/=".contains(c);
        let known_by =
            text("known_by").filter(|line| line.starts_with("@cert-authority ") && line.chars().all(known))?;
        let targets_known_by = text("targets_known_by")
            .filter(|line| line.starts_with("@cert-authority * ") && line.chars().all(|c| known(c) || c == '*'));
        let port = u16::try_from(found.get("port")?.as_u64()?).ok()?;
        let (known_by, targets_known_by) = (known_by.to_owned(), targets_known_by.map(str::to_owned));
        Some(Self { host: host.to_owned(), port, known_by, targets_known_by })
    }
}

#[async_trait]
impl Verb for SshConfig {
    fn words(&self) -> &'static [&'static str] {
        &["ssh-config"]
    }

    fn about(&self) -> &'static str {
        "print settings by which ssh, scp, git and the like go through the gateway"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane ssh-config", args, port)? else { return Ok(0) };
        let none = || VerbError::Failed("this server has no gateway; `wane ssh` goes straight to hosts".to_owned());
        let gateway = Gateway::find(port).await?.ok_or_else(none)?;
        let mut text = if args.jump { gateway_block(&gateway) } else { String::new() };
        for wanted in &args.hosts {
            let shown: String = wanted.chars().filter(|c| !c.is_control()).take(64).collect();
            let off = || VerbError::Usage(format!("`{shown}` is not USER@HOST, such as deploy@web-1"));
            let (login, host) = wanted.split_once('@').ok_or_else(off)?;
            let host: Name = host.parse().map_err(|_| off())?;
            if !is_principal(login) {
                return Err(off());
            }
            text.push_str(&if args.jump { jump_block(&gateway, login, &host)? } else { block(&gateway, login, &host) });
        }
        port.put(&json!({ "config": text }), text.trim_end());
        Ok(0)
    }
}

fn block(gateway: &Gateway, login: &str, host: &Name) -> String {
    let Gateway { host: at, port, known_by, .. } = gateway;
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = writeln!(out, "Host {host}\n    HostName {at}\n    Port {port}\n    User {login}@{host}");
    known(&mut out, known_by);
    shared(&mut out);
    out
}

/// The name by which the settings of a jump call the gateway, whatever its address is.
const GATEWAY: &str = "wane-gateway";

/// The gateway, as what hosts are reached by way of. One login there serves all of them.
fn gateway_block(gateway: &Gateway) -> String {
    let Gateway { host: at, port, known_by, .. } = gateway;
    let mut out = String::new();
    let _ = writeln!(out, "Host {GATEWAY}\n    HostName {at}\n    Port {port}");
    known(&mut out, known_by);
    shared(&mut out);
    out
}

/// A host by way of it.
fn jump_block(gateway: &Gateway, login: &str, host: &Name) -> Result<String, VerbError> {
    let none = || VerbError::Failed("this server's gateway takes no jumps; leave `--jump` out".to_owned());
    let known_by = gateway.targets_known_by.as_ref().ok_or_else(none)?;
    let mut out = String::new();
    let _ = writeln!(out, "Host {host}\n    HostName {host}\n    User {login}\n    ProxyJump {GATEWAY}");
    known(&mut out, &known_by.replacen('*', host.as_str(), 1));
    out.push('\n');
    Ok(out)
}

/// By what the other side is known: this line alone.
fn known(out: &mut String, line: &str) {
    let _ = writeln!(
        out,
        "    StrictHostKeyChecking yes\n    UserKnownHostsFile /dev/null\n    GlobalKnownHostsFile /dev/null"
    );
    let _ = writeln!(out, "    KnownHostsCommand /bin/echo {line}");
    let _ = writeln!(out, "    UpdateHostKeys no\n    CheckHostIP no");
}

fn shared(out: &mut String) {
    // One login serves all that follows it within a minute: a person confirms once, not for every copied file.
    let _ = writeln!(out, "    ControlMaster auto\n    ControlPath ~/.ssh/wane-%C\n    ControlPersist 60s\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_would_change_the_settings_is_none() {
        let good = json!({ "host": "gw.example", "port": 2222, "known_by": "@cert-authority [gw.example]:2222 ssh-ed25519 AA+/=", "targets_known_by": "@cert-authority * ssh-ed25519 AA" });
        let read = Gateway::read(&good).unwrap();
        let jump = jump_block(&read, "deploy", &"web".parse().unwrap()).unwrap();
        assert!(jump.contains("/bin/echo @cert-authority web ssh-ed25519 AA\n"), "{jump}");
        for bad in ["@cert-authority * ssh-ed25519 AA; evil", "web ssh-ed25519 AA"] {
            let mut gateway = good.clone();
            gateway["targets_known_by"] = json!(bad);
            assert_eq!(Gateway::read(&gateway).unwrap().targets_known_by, None, "{bad}");
        }
        for (key, bad) in [
            ("host", json!("gw\n  ProxyCommand evil")),
            ("host", json!("-oProxyCommand=evil")),
            ("host", json!("")),
            ("port", json!(70_000)),
            ("known_by", json!("gw ssh-ed25519 AA")),
            ("known_by", json!("@cert-authority gw ssh-ed25519 AA; evil")),
            ("known_by", json!("@cert-authority gw ssh-ed25519 AA\nHost *")),
        ] {
            let mut gateway = good.clone();
            gateway[key] = bad.clone();
            assert!(Gateway::read(&gateway).is_none(), "{bad}");
        }
    }
}
