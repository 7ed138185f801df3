//! `wane host pull`: fetches the revocation list and puts it in sshd's way, if it is genuine and not older.
//!
//! INVARIANT: the list in place only ever gives way to a list by the pinned signer that is at least
//! as new (held by `the_puller_refuses_what_is_forged_or_older`).

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use clap::Parser;
use data_encoding::BASE64;
use russh::keys::Certificate;
use russh::keys::ssh_key::public::KeyData;
use serde_json::{Value, json};
use wane_connector::verb::{AccessPort, Verb, VerbError};
use wane_connector::words::parse;
use wane_domain::time::Span;
use zeroize::Zeroizing;

use super::files::{Written, failed, put};
use super::setup::{KRL_FILE, SIGNER_FILE, TOKEN_FILE};
use crate::certificate::seconds;
use crate::key;
use crate::krl::{self, Stamp};

const LARGEST_LIST: usize = 16 * 1024 * 1024;
const WARN_BEFORE: Span = Span::from_hours(30 * 24);

/// `wane host pull`.
#[derive(Clone, Copy, Debug)]
pub struct HostPull;

/// Fetches the list of revoked certificates for this host's sshd.
#[derive(Debug, Parser)]
#[command(name = "wane host pull", disable_version_flag = true)]
struct Args {
    /// The folder that `wane host setup` made.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/ssh/wane")]
    dir: PathBuf,
    /// Go on for ever, this often.
    #[arg(long, value_name = "DURATION")]
    every: Option<Span>,
}

#[async_trait]
impl Verb for HostPull {
    fn words(&self) -> &'static [&'static str] {
        &["host", "pull"]
    }

    fn about(&self) -> &'static str {
        "fetch the list of what is revoked, on a host"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane host pull", args, port)? else { return Ok(0) };
        warn_of_old_certificates(&args.dir, port);
        let Some(every) = args.every else {
            let pulled = pull(&args.dir, port).await?;
            port.put(&pulled.json(), &pulled.text());
            return Ok(0);
        };
        let mut last_trouble = None;
        loop {
            match pull(&args.dir, port).await {
                Ok(pulled) => {
                    if pulled.written != Written::Unchanged || last_trouble.take().is_some() {
                        port.say(&pulled.text());
                    }
                }
                Err(VerbError::Failed(why) | VerbError::Denied(why) | VerbError::Usage(why)) => {
                    // The old list stays; once is enough to say so.
                    if last_trouble.as_ref() != Some(&why) {
                        port.say(&format!("the list in place stays: {why}"));
                        last_trouble = Some(why);
                    }
                }
            }
            tokio::time::sleep(every.to_std()).await;
        }
    }
}

struct Pulled {
    written: Written,
    path: PathBuf,
    stamp: Stamp,
    before: Option<Stamp>,
}

impl Pulled {
    fn json(&self) -> Value {
        json!({ "path": self.path, "version": self.stamp.version, "before": self.before.map(|b| b.version), "change": self.written.word() })
    }

    fn text(&self) -> String {
        let from = self.before.map_or_else(String::new, |before| format!(", before {}", before.version));
        format!("{} {}: version {}{from}", self.written.word(), self.path.display(), self.stamp.version)
    }
}

async fn pull(dir: &Path, port: &dyn AccessPort) -> Result<Pulled, VerbError> {
    let path = dir.join(KRL_FILE);
    let before = match fs::read(&path) {
        // Whatever stands there that is no list locks everybody out; any genuine list is better.
        Ok(bytes) => krl::stamp(&bytes).ok(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(failed("read", &path, &e)),
    };
    let token_file = dir.join(TOKEN_FILE);
    let token = Zeroizing::new(fs::read_to_string(&token_file).map_err(|e| failed("read", &token_file, &e))?);
    let signer = pinned_signer(&dir.join(SIGNER_FILE))?;
    let answer = port.call("GET", "/v1/hosts/revocations", Some(token.trim()), None).await?;
    let refused = |why: String| VerbError::Failed(format!("the server's list is refused: {why}"));
    let list = verified(&answer, &signer).map_err(refused)?;
    let stamp = krl::stamp(&list).map_err(refused)?;
    if let Some(before) = before.filter(|before| stamp < *before) {
        return Err(refused(format!(
            "it is older (version {} of {}) than the one in place (version {} of {})",
            stamp.version, stamp.generated, before.version, before.generated
        )));
    }
    let written = put(&path, &list, 0o644)?;
    Ok(Pulled { written, path, stamp, before })
}

/// The list out of a server's answer, if it is by this signer.
pub(super) fn verified(answer: &Value, signer: &KeyData) -> Result<Vec<u8>, String> {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is missing"));
    let encoded = text("krl")?;
    if encoded.len() > LARGEST_LIST {
        return Err(format!("it is {} bytes long; the most is {LARGEST_LIST}", encoded.len()));
    }
    let list = BASE64.decode(encoded.as_bytes()).map_err(|_| "it is not base64".to_owned())?;
    krl::verify(signer, &list, text("signature")?)?;
    krl::stamp(&list)?;
    Ok(list)
}

/// The key after the principal `wane` and `namespaces="…"`, as in the allowed signers of ssh-keygen.
fn pinned_signer(path: &Path) -> Result<KeyData, VerbError> {
    let line = fs::read_to_string(path).map_err(|e| failed("read", path, &e))?;
    let at = line.find("ssh-").unwrap_or(line.len());
    let key = line.get(at..).unwrap_or_default();
    key::read(key).map_err(|why| {
        VerbError::Failed(format!("`{}` does not pin a signer: {why}; run `wane host setup` again", path.display()))
    })
}

/// A host certificate that runs out locks everybody out, so there is a month's notice.
fn warn_of_old_certificates(dir: &Path, port: &dyn AccessPort) {
    let soon = seconds(port.now().plus(WARN_BEFORE));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let cert = fs::read_to_string(&path)
            .ok()
            .filter(|_| path.to_string_lossy().ends_with("-cert.pub"))
            .and_then(|text| Certificate::from_openssh(&text).ok());
        if cert.is_some_and(|cert| cert.valid_before() < soon) {
            port.say(&format!(
                "the host certificate `{}` runs out within 30 days; run `wane host setup` with a new code",
                path.display()
            ));
        }
    }
}
