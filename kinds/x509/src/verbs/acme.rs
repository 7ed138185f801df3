//! `wane acme`: what a client of ACME (certbot, lego, Caddy, Traefik) is given so that its account stands under a grant.
//!
//! The binding is the one secret of it. It is put out once, or into a file for this account alone; on the command line of a
//! client everybody on the machine could read it.

use std::path::PathBuf;

use async_trait::async_trait;
use clap::Parser;
use serde_json::{Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError, Want};
use wane_connector::words::parse;
use zeroize::Zeroizing;

use super::files::{failed, write};

/// `wane acme`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acme;

/// A binding for a client of ACME: its account stands under a grant that is found or asked for, and is over with it.
#[derive(Debug, Parser)]
#[command(name = "wane acme", disable_version_flag = true)]
struct Args {
    /// A grant (`grt_…`), or what access is to: `ROLE@RESOURCE`, or `RESOURCE` if there is one role.
    #[arg(value_name = "GRANT|ROLE@RESOURCE")]
    access: String,
    /// For how long to ask, if access has to be asked for.
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<String>,
    /// Why, if access has to be asked for.
    #[arg(long, value_name = "WHY")]
    reason: Option<String>,
    /// Under which ticket, if access has to be asked for.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// Write it to this new file, as certbot reads it (`certbot --config FILE`), instead of putting it out.
    #[arg(long, value_name = "FILE")]
    certbot: Option<PathBuf>,
}

#[async_trait]
impl Verb for Acme {
    fn words(&self) -> &'static [&'static str] {
        &["acme"]
    }

    fn about(&self) -> &'static str {
        "Bind certbot, lego, Caddy or another client of ACME to a grant, asking for access first if need be"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane acme", args, port)? else { return Ok(0) };
        let grant = if args.access.starts_with("grt_") {
            args.access.clone()
        } else {
            let (role, resource) = match args.access.split_once('@') {
                Some((role, resource)) => (Some(role.to_owned()), resource.to_owned()),
                None => (None, args.access.clone()),
            };
            let want = Want {
                resource,
                role,
                duration: args.duration.clone(),
                reason: args.reason.clone(),
                ticket: args.ticket.clone(),
                command: None,
            };
            port.ensure(&want).await?.grant
        };
        let path = format!("/v1/grants/{grant}/acme");
        let binding = port.call("POST", &path, None, Some(json!({}))).await?;
        match &args.certbot {
            Some(file) => {
                write(file, certbot(&binding).as_bytes()).map_err(|e| failed("write", file, &e))?;
                let shown = json!({ "kid": binding.get("kid"), "file": file, "until": binding.get("until") });
                let said = format!("certbot reads the binding from {}", file.display());
                port.put(&shown, &said);
            }
            None => port.put(&binding, &text(&binding)),
        }
        Ok(0)
    }
}

fn part<'a>(binding: &'a Value, name: &str) -> &'a str {
    binding.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Its settings, as certbot has them in a file.
fn certbot(binding: &Value) -> Zeroizing<String> {
    let part = |name: &str| part(binding, name);
    Zeroizing::new(format!(
        "server = {}\neab-kid = {}\neab-hmac-key = {}\n",
        part("directory"),
        part("kid"),
        part("hmac_key")
    ))
}

fn text(binding: &Value) -> String {
    let names = binding.get("names").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    format!(
        "directory  {}\nkid        {}\nhmac key   {}\nnames      {}\nuntil      {}",
        part(binding, "directory"),
        part(binding, "kid"),
        part(binding, "hmac_key"),
        names.join(" "),
        part(binding, "until")
    )
}
