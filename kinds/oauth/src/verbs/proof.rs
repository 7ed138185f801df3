//! `wane token-proof`: the proof of a key for one call of an API (RFC 9449), for clients that cannot make one.

use std::path::PathBuf;

use async_trait::async_trait;
use clap::Parser;
use serde_json::json;
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::parse;
use zeroize::Zeroizing;

use super::files::failed;
use super::key::HolderKey;

/// `wane token-proof`.
#[derive(Clone, Copy, Debug)]
pub struct Proof;

/// The `DPoP` header for one call, with a token that is bound to a key. Good for a minute, and once.
#[derive(Debug, Parser)]
#[command(name = "wane token-proof", disable_version_flag = true)]
struct Args {
    /// The method of the call.
    method: String,
    /// Its address, without query.
    url: String,
    /// The key, as `wane token --dpop-key` made it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The token, as `wane token --out` wrote it.
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
}

#[async_trait]
impl Verb for Proof {
    fn words(&self) -> &'static [&'static str] {
        &["token-proof"]
    }

    fn about(&self) -> &'static str {
        "Make the proof that goes with one call, for a token that is bound to a key"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane token-proof", args, port)? else { return Ok(0) };
        let key = HolderKey::read(&args.key)?;
        let read = std::fs::read_to_string(&args.token).map(Zeroizing::new);
        let text = read.map_err(|e| failed("read", &args.token, &e))?;
        // As it stands, or in the line of a header.
        let token = text.trim().rsplit(' ').next().unwrap_or_default();
        let proof = key.prove(port, &args.method, &args.url, token);
        port.put(&json!({ "dpop": proof }), &proof);
        Ok(0)
    }
}
