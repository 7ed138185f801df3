//! `wane api code` and `wane api join`: a resource server gets the credential with which it asks about tokens.

use std::path::PathBuf;

use async_trait::async_trait;
use clap::Parser;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::parse;

use super::files::put;

/// `wane api code`.
#[derive(Clone, Copy, Debug)]
pub struct ApiCode;

/// Makes the one-time code with which a resource server joins.
#[derive(Debug, Parser)]
#[command(name = "wane api code", disable_version_flag = true)]
struct CodeArgs {
    /// The resource.
    resource: String,
}

#[async_trait]
impl Verb for ApiCode {
    fn words(&self) -> &'static [&'static str] {
        &["api", "code"]
    }

    fn about(&self) -> &'static str {
        "make the code with which a resource server joins"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<CodeArgs>("wane api code", args, port)? else { return Ok(0) };
        let name = &args.resource;
        if name.is_empty() || !name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c)) {
            return Err(VerbError::Usage(format!("`{}` is no name of a resource", crate::settings::short(name))));
        }
        let made = port.call("POST", &format!("/v1/resources/{name}/join-code"), None, Some(json!({}))).await?;
        let word = |key: &str| made.get(key).and_then(Value::as_str).unwrap_or_default();
        let text = format!(
            "{}\n\ngood once, until {}; on the server:\n  WANE_JOIN_CODE=… wane api join --server URL --out FILE",
            word("code"),
            word("expires")
        );
        port.put(&made, &text);
        Ok(0)
    }
}

/// `wane api join`.
#[derive(Clone, Copy, Debug)]
pub struct ApiJoin;

/// Takes the credential of a resource server, with which it asks about tokens and takes the feed of ends. A server that
/// joins again gets another, and the former is good no more.
#[derive(Debug, Parser)]
#[command(name = "wane api join", disable_version_flag = true)]
struct JoinArgs {
    /// The code the server gave for this resource; good once.
    #[arg(long, value_name = "CODE", env = "WANE_JOIN_CODE", hide_env_values = true)]
    code: String,
    /// The file for the credential: the resource's name, `:`, and the password, as `curl --user` takes them.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[async_trait]
impl Verb for ApiJoin {
    fn words(&self) -> &'static [&'static str] {
        &["api", "join"]
    }

    fn about(&self) -> &'static str {
        "take a resource server's credential, with which it asks about tokens"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<JoinArgs>("wane api join", args, port)? else { return Ok(0) };
        let sent = json!({ "code": args.code, "host_keys": [] });
        let joined = port.call("POST", "/v1/hosts/join", None, Some(sent)).await?;
        let word = |key: &str| joined.get(key).and_then(Value::as_str);
        let (Some(resource), Some(credential), Some(audience)) =
            (word("resource"), word("host_token"), word("audience"))
        else {
            return Err(VerbError::Failed("the code is not one of a resource server".to_owned()));
        };
        let mut mark = [0_u8; 8];
        port.entropy(&mut mark);
        put(&args.out, format!("{resource}:{credential}\n").as_bytes(), &HEXLOWER.encode(&mark))?;
        let metadata = joined.get("metadata").cloned().unwrap_or_default();
        let said = json!({ "resource": resource, "audience": audience, "out": args.out, "metadata": metadata });
        let issuer = metadata.get("issuer").and_then(Value::as_str).unwrap_or_default();
        let text = format!(
            "`{resource}` takes tokens by `{issuer}` for the audience `{audience}`; its credential is in `{}`",
            args.out.display()
        );
        port.put(&said, &text);
        Ok(0)
    }
}
