//! `wane cert`: a key made here and a certificate for it, in files or on standard output; kept fresh for a program as
//! long as the grant lives.
//!
//! INVARIANT: the key never leaves this machine, and nothing is left in the folder once the grant is over (held by
//! `a_pair_is_kept_fresh_and_goes_with_its_grant`).

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use p256::SecretKey;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};
use tokio::process::Command;
use wane_connector::verb::{Access, AccessPort, Credential, Giver, Verb, VerbError, Want};
use wane_connector::words::parse;
use wane_domain::time::{Span, Time};
use zeroize::Zeroizing;

use super::files::PairFolder;

/// How long a reload may take.
const LONGEST_RELOAD: Duration = Duration::from_secs(30);
/// What a failed renewal waits for at first.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// `wane cert`.
#[derive(Clone, Copy, Debug)]
pub struct Cert;

/// A certificate for a key made here, under a grant that is found or asked for.
#[derive(Debug, Parser)]
#[command(name = "wane cert", disable_version_flag = true)]
pub(super) struct Args {
    /// The resource.
    resource: String,
    /// The role; the only one there is if left out.
    #[arg(long)]
    role: Option<String>,
    /// For how long to ask, if access has to be asked for.
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<String>,
    /// Why, if access has to be asked for.
    #[arg(long, value_name = "WHY")]
    reason: Option<String>,
    /// Under which ticket, if access has to be asked for.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// The folder for the pair; it is found there as `current/cert.pem`, `current/key.pem`, `current/trust.pem`. Best in
    /// memory, such as `/run/user/1000/NAME`. `-` writes it to standard output.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// As what it is written to standard output: `pem`, or `exec-credential` for kubectl (client.authentication.k8s.io/v1).
    #[arg(long, value_enum, default_value_t = Format::Pem)]
    format: Format,
    /// Certify this signing request instead; its key stays where it is.
    #[arg(long, value_name = "FILE", conflicts_with = "keep")]
    csr: Option<PathBuf>,
    /// Stay, and keep the pair fresh until the grant is over; then take it away.
    #[arg(long)]
    keep: bool,
    /// Run this (through `sh`) whenever the pair changed.
    #[arg(long, value_name = "COMMAND", requires = "keep")]
    reload: Option<String>,
    /// Send SIGHUP to the process in this file whenever the pair changed.
    #[arg(long, value_name = "PID-FILE", requires = "keep")]
    reload_pid: Option<PathBuf>,
}

/// As what a pair is written to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Pem,
    ExecCredential,
}

#[async_trait]
impl Verb for Cert {
    fn words(&self) -> &'static [&'static str] {
        &["cert"]
    }

    fn about(&self) -> &'static str {
        "Get an X.509 certificate for a key made here, and keep it fresh, asking for access first if need be"
    }

    fn giver(&self) -> Option<&dyn Giver> {
        Some(self)
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane cert", args, port)? else { return Ok(0) };
        let want = Want {
            resource: args.resource.clone(),
            role: args.role.clone(),
            duration: args.duration.clone(),
            reason: args.reason.clone(),
            ticket: args.ticket.clone(),
            command: None,
        };
        if args.out.as_os_str() == "-" {
            if args.keep {
                return Err(VerbError::Usage("`--keep` needs a folder to keep the pair in".to_owned()));
            }
            let access = port.ensure(&want).await?;
            let pair = Pair::get(port, &access, args.csr.as_ref()).await?;
            match args.format {
                Format::Pem => port.put(&pair.json(), &pair.text()),
                Format::ExecCredential => {
                    let credential = pair.exec_credential()?;
                    port.put(&credential, &credential.to_string());
                }
            }
            return Ok(0);
        }
        if args.format != Format::Pem {
            return Err(VerbError::Usage("`--format exec-credential` is for standard output: `--out -`".to_owned()));
        }
        let mut folder = PairFolder::open(&args.out)?;
        let access = port.ensure(&want).await?;
        let pair = Pair::get(port, &access, args.csr.as_ref()).await?;
        pair.put(port, &mut folder)?;
        port.say(&format!("{} is good until {}", args.out.join("current").display(), pair.not_after));
        if !args.keep {
            return Ok(0);
        }
        let kept = keep(&args, port, access, pair, &mut folder).await;
        folder.clear();
        kept
    }
}

/// A certificate, and its key if that was made here.
pub(super) struct Pair {
    key: Option<Zeroizing<String>>,
    public: Value,
    from: Time,
    not_after: Time,
}

impl Pair {
    pub(super) async fn get(port: &dyn AccessPort, access: &Access, csr: Option<&PathBuf>) -> Result<Self, VerbError> {
        let from = port.now();
        let (key, input) = match csr {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| super::files::failed("read", path, &e))?;
                (None, json!({ "csr": text }))
            }
            None => {
                let (key, public) = new_key(port)?;
                (Some(key), json!({ "public_key": public }))
            }
        };
        let Credential { public, not_after, grant_end, .. } = port.credential(&access.grant, input).await?;
        Ok(Self { key, public, from, not_after: not_after.unwrap_or(grant_end) })
    }

    fn part(&self, name: &str) -> &str {
        self.public.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn chain(&self) -> String {
        format!("{}{}", self.part("certificate"), self.part("chain"))
    }

    pub(super) fn put(&self, port: &dyn AccessPort, folder: &mut PairFolder) -> Result<(), VerbError> {
        if self.part("certificate").is_empty() {
            return Err(VerbError::Failed(
                "the server handed out no certificate; is this an X.509 resource?".to_owned(),
            ));
        }
        let mut random = [0_u8; 8];
        port.entropy(&mut random);
        let name = format!("pair-{}", data_encoding::HEXLOWER.encode(&random));
        let chain = self.chain();
        let mut files = vec![("cert.pem", chain.as_bytes()), ("trust.pem", self.part("trust").as_bytes())];
        files.extend(self.key.as_ref().map(|key| ("key.pem", key.as_bytes())));
        folder.put(&name, &files)
    }

    fn text(&self) -> String {
        let key = self.key.as_ref().map_or("", |key| key.as_str());
        format!("{key}{}", self.chain()).trim_end().to_owned()
    }

    fn json(&self) -> Value {
        let mut out = self.public.clone();
        if let (Some(map), Some(key)) = (out.as_object_mut(), &self.key) {
            map.insert("key".to_owned(), json!(key.as_str()));
        }
        out
    }

    /// As kubectl reads it from a credential plugin.
    fn exec_credential(&self) -> Result<Value, VerbError> {
        let key = self
            .key
            .as_ref()
            .ok_or_else(|| VerbError::Usage("kubectl needs the key as well: leave `--csr` out".to_owned()))?;
        Ok(json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {
                "clientCertificateData": self.chain(),
                "clientKeyData": key.as_str(),
                "expirationTimestamp": self.not_after.to_string(),
            },
        }))
    }

    /// When to get the next one: with a third of its life left, so that a server that is away for a while is waited for.
    fn renew_at(&self) -> Time {
        let life = self.not_after.since(self.from);
        self.not_after.minus(Span::from_micros(life.micros() / 3))
    }
}

/// A new key on P-256 as PKCS#8, and its public half; both in PEM.
fn new_key(port: &dyn AccessPort) -> Result<(Zeroizing<String>, String), VerbError> {
    let failed = |e: String| VerbError::Failed(format!("the key cannot be written: {e}"));
    loop {
        let mut drawn = Zeroizing::new([0_u8; 32]);
        port.entropy(drawn.as_mut());
        // One draw in 2^32 is no scalar of the curve.
        let Ok(key) = SecretKey::from_slice(drawn.as_slice()) else { continue };
        let private = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| failed(e.to_string()))?;
        let public = key.public_key().to_public_key_pem(LineEnding::LF).map_err(|e| failed(e.to_string()))?;
        return Ok((private, public));
    }
}

/// Renews until the grant is over or somebody interrupts.
async fn keep(
    args: &Args,
    port: &dyn AccessPort,
    access: Access,
    pair: Pair,
    folder: &mut PairFolder,
) -> Result<i32, VerbError> {
    let signals = |e: std::io::Error| VerbError::Failed(format!("signals: {e}"));
    let mut interrupted = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).map_err(signals)?;
    let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(signals)?;
    reload(args, port).await;
    tokio::select! {
        _ = interrupted.recv() => Ok(130),
        _ = ended.recv() => Ok(143),
        kept = keep_pair(port, &access, pair, folder, Some(args)) => kept.map(|()| 0),
    }
}

/// Renews until the grant is over; `told` is who is told of each change.
pub(super) async fn keep_pair(
    port: &dyn AccessPort,
    access: &Access,
    mut pair: Pair,
    folder: &mut PairFolder,
    told: Option<&Args>,
) -> Result<(), VerbError> {
    let mut wait = FIRST_WAIT;
    loop {
        tokio::time::sleep(port.beat()).await;
        let looked = port.standing(&access.grant).await;
        let now = port.now();
        match looked {
            Err(VerbError::Denied(why)) => {
                port.say(&format!("the access is over, and the pair taken away: {why}"));
                if let Some(args) = told {
                    reload(args, port).await;
                }
                return Ok(());
            }
            Err(VerbError::Failed(why) | VerbError::Usage(why)) if now >= pair.not_after => {
                return Err(VerbError::Failed(format!("the pair ran out and could not be renewed: {why}")));
            }
            Ok(standing) if now >= standing.end => {
                port.say("the access is over, and the pair taken away");
                return Ok(());
            }
            Err(VerbError::Failed(_) | VerbError::Usage(_)) => continue,
            Ok(standing) => {
                // A grant that ends with the pair has nothing to renew.
                if now < pair.renew_at() || standing.end <= pair.not_after {
                    continue;
                }
            }
        }
        match Pair::get(port, access, None).await {
            Ok(fresh) => {
                fresh.put(port, folder)?;
                pair = fresh;
                wait = FIRST_WAIT;
                if let Some(args) = told {
                    reload(args, port).await;
                }
            }
            Err(VerbError::Denied(why)) => {
                port.say(&format!("the access is over, and the pair taken away: {why}"));
                return Ok(());
            }
            Err(VerbError::Failed(why) | VerbError::Usage(why)) => {
                port.say(&format!("not renewed, tried again: {why}"));
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(LONGEST_WAIT);
            }
        }
    }
}

/// Tells the program that uses the pair. That it could not be told is said, and keeps nothing from going on.
async fn reload(args: &Args, port: &dyn AccessPort) {
    if let Some(command) = &args.reload {
        let child = Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).kill_on_drop(true).status();
        match tokio::time::timeout(LONGEST_RELOAD, child).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => port.say(&format!("`{command}` came out with {status}")),
            Ok(Err(e)) => port.say(&format!("`{command}` cannot be run: {e}")),
            Err(_) => port.say(&format!("`{command}` took longer than {} s", LONGEST_RELOAD.as_secs())),
        }
    }
    if let Some(path) = &args.reload_pid {
        let read = std::fs::read_to_string(path).map_err(|e| e.to_string());
        let pid = read.and_then(|text| {
            text.trim().parse::<i32>().ok().filter(|pid| *pid > 1).ok_or("it holds no process id".to_owned())
        });
        let told = pid.and_then(|pid| kill(Pid::from_raw(pid), Signal::SIGHUP).map_err(|e| e.to_string()));
        if let Err(why) = told {
            port.say(&format!("the process of `{}` was not told: {why}", path.display()));
        }
    }
}
