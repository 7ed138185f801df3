//! `wane token`: an access token on standard output, in a file that is kept fresh, or in the environment of one program.
//!
//! INVARIANT: the token stands in no arguments, in no environment but where its role allows that, and in no file once the
//! grant is over (held by `a_token_is_kept_fresh_and_goes_with_its_grant`).

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use data_encoding::HEXLOWER;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use wane_connector::verb::{Access, AccessPort, Credential, Verb, VerbError, Want};
use wane_connector::words::parse;
use wane_domain::time::{Span, Time};
use zeroize::Zeroizing;

use super::files;
use super::key::HolderKey;

/// What a failed renewal waits for at first.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a program may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// `wane token`.
#[derive(Clone, Copy, Debug)]
pub struct Token;

/// An access token for a resource server, under a grant that is found or asked for. Without `--out` or `--env` it goes to
/// standard output.
#[derive(Debug, Parser)]
#[command(name = "wane token", disable_version_flag = true)]
struct Args {
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
    /// Some of the role's scopes, with a space between two; all of them if left out.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Bind the token to the key in this file (DPoP); it is made if there is none.
    #[arg(long, value_name = "FILE")]
    dpop_key: Option<PathBuf>,
    /// Bind the token to the client certificate in this file (mutual TLS).
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Put it into this file, for this account alone. Best in memory, such as `/run/user/1000/NAME`.
    #[arg(long, value_name = "FILE", conflicts_with = "env")]
    out: Option<PathBuf>,
    /// As the line of a header, `Authorization: Bearer …`, as `curl -H @FILE` takes it.
    #[arg(long, conflicts_with = "env")]
    header: bool,
    /// Stay, and keep the file fresh until the grant is over; then take it away.
    #[arg(long, requires = "out")]
    keep: bool,
    /// Run a program with the token in this variable, for as long as the token is good; only where the role allows that.
    #[arg(long, value_name = "NAME", requires = "command")]
    env: Option<String>,
    /// The program, behind `--`.
    #[arg(last = true, value_name = "COMMAND", requires = "env")]
    command: Vec<OsString>,
}

#[async_trait]
impl Verb for Token {
    fn words(&self) -> &'static [&'static str] {
        &["token"]
    }

    fn about(&self) -> &'static str {
        "Get an access token for an API, and keep it fresh, asking for access first if need be"
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane token", args, port)? else { return Ok(0) };
        let want = Want {
            resource: args.resource.clone(),
            role: args.role.clone(),
            duration: args.duration.clone(),
            reason: args.reason.clone(),
            ticket: args.ticket.clone(),
            command: None,
        };
        let access = port.ensure(&want).await?;
        let had = Had::get(&args, port, &access).await?;
        match (&args.out, &args.env) {
            (Some(out), _) => {
                had.put(&args, port, out)?;
                port.say(&format!("{} is good until {}", out.display(), had.not_after));
                if !args.keep {
                    return Ok(0);
                }
                let kept = keep(&args, port, &access, had, out).await;
                files::remove(out);
                kept
            }
            (None, Some(name)) => run(&args, port, &access, had, name).await,
            (None, None) => {
                let text = Zeroizing::new(had.text(args.header));
                port.put(&had.json(), text.trim_end());
                Ok(0)
            }
        }
    }
}

/// A token that was handed out.
struct Had {
    token: Zeroizing<String>,
    public: Value,
    from: Time,
    not_after: Time,
}

impl Had {
    async fn get(args: &Args, port: &dyn AccessPort, access: &Access) -> Result<Self, VerbError> {
        let mut input = json!({});
        let mut send = |key: &str, value: Option<String>| {
            if let (Some(map), Some(value)) = (input.as_object_mut(), value) {
                map.insert(key.to_owned(), json!(value));
            }
        };
        send("scope", args.scope.clone());
        if let Some(path) = &args.dpop_key {
            let key = HolderKey::read_or_make(path, port)?;
            let metadata = port
                .call("GET", &format!("/v1/published/{}/authorization-server.json", crate::NAME), None, None)
                .await?;
            let issuer = metadata.get("issuer").and_then(Value::as_str).unwrap_or_default();
            let url = format!("{issuer}/v1/grants/{}/credential", access.grant);
            send("dpop", Some(key.prove_here(port, "POST", &url)));
        }
        if let Some(path) = &args.certificate {
            let text = std::fs::read_to_string(path).map_err(|e| files::failed("read", path, &e))?;
            send("certificate", Some(first_certificate(&text)));
        }
        let from = port.now();
        let Credential { public, secret, not_after, grant_end } = port.credential(&access.grant, input).await?;
        let secret = secret.map(wane_domain::secret::SecretOnce::reveal);
        let token = secret.filter(|_| public.get("token_type").is_some());
        let token = token.ok_or_else(|| {
            VerbError::Failed("the server handed out no access token; is this a resource of that kind?".to_owned())
        })?;
        Ok(Self { token, public, from, not_after: not_after.unwrap_or(grant_end) })
    }

    fn word(&self, name: &str) -> &str {
        self.public.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn text(&self, header: bool) -> String {
        if header {
            return format!("Authorization: {} {}\n", self.word("token_type"), self.token.as_str());
        }
        // Alone: programs that read it from a file send what is in there, to the last byte.
        self.token.as_str().to_owned()
    }

    fn json(&self) -> Value {
        let mut out = self.public.clone();
        if let Some(map) = out.as_object_mut() {
            map.insert("token".to_owned(), json!(self.token.as_str()));
        }
        out
    }

    fn put(&self, args: &Args, port: &dyn AccessPort, out: &std::path::Path) -> Result<(), VerbError> {
        let mut mark = [0_u8; 8];
        port.entropy(&mut mark);
        let text = Zeroizing::new(self.text(args.header));
        files::put(out, text.as_bytes(), &HEXLOWER.encode(&mark))
    }

    /// When to get the next one: with a third of its life left, so that a server that is away for a while is waited for.
    fn renew_at(&self) -> Time {
        let life = self.not_after.since(self.from);
        self.not_after.minus(Span::from_micros(life.micros() / 3))
    }
}

/// The first certificate of a file: a chain behind it is the server's business.
fn first_certificate(text: &str) -> String {
    const END: &str = "-----END CERTIFICATE-----";
    let from = text.find("-----BEGIN CERTIFICATE-----").unwrap_or_default();
    let rest = text.get(from..).unwrap_or_default();
    rest.split_inclusive(END).next().unwrap_or_default().to_owned()
}

/// Renews until the grant is over or somebody interrupts.
async fn keep(
    args: &Args,
    port: &dyn AccessPort,
    access: &Access,
    mut had: Had,
    out: &std::path::Path,
) -> Result<i32, VerbError> {
    let signals = |e: std::io::Error| VerbError::Failed(format!("signals: {e}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(signals)?;
    let mut ended = signal(SignalKind::terminate()).map_err(signals)?;
    let mut wait = FIRST_WAIT;
    loop {
        let looked = tokio::select! {
            _ = interrupted.recv() => return Ok(130),
            _ = ended.recv() => return Ok(143),
            () = tokio::time::sleep(port.beat()) => port.standing(&access.grant).await,
        };
        let now = port.now();
        match looked {
            Err(VerbError::Denied(why)) => {
                port.say(&format!("the access is over, and the token taken away: {why}"));
                return Ok(0);
            }
            Err(VerbError::Failed(why) | VerbError::Usage(why)) if now >= had.not_after => {
                return Err(VerbError::Failed(format!("the token ran out and could not be renewed: {why}")));
            }
            Ok(standing) if now >= standing.end => {
                port.say("the access is over, and the token taken away");
                return Ok(0);
            }
            Err(VerbError::Failed(_) | VerbError::Usage(_)) => continue,
            // A grant that ends with the token has nothing to renew.
            Ok(standing) if now < had.renew_at() || standing.end <= had.not_after => continue,
            Ok(_) => {}
        }
        match Had::get(args, port, access).await {
            Ok(fresh) => {
                fresh.put(args, port, out)?;
                had = fresh;
                wait = FIRST_WAIT;
            }
            Err(VerbError::Denied(why)) => {
                port.say(&format!("the access is over, and the token taken away: {why}"));
                return Ok(0);
            }
            Err(VerbError::Failed(why) | VerbError::Usage(why)) => {
                port.say(&format!("not renewed, tried again: {why}"));
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(LONGEST_WAIT);
            }
        }
    }
}

/// Runs the program with the token in its environment, and ends it when that is good no more.
async fn run(args: &Args, port: &dyn AccessPort, access: &Access, had: Had, name: &str) -> Result<i32, VerbError> {
    if had.public.get("environment") != Some(&json!(true)) {
        return Err(VerbError::Denied(
            "the role does not let its tokens stand in a program's environment; use `--out FILE`".to_owned(),
        ));
    }
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    if name.is_empty() || !name.bytes().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(VerbError::Usage("the name of a variable has letters, digits and `_`".to_owned()));
    }
    let (program, rest) =
        args.command.split_first().ok_or_else(|| VerbError::Usage("write the program after `--`".to_owned()))?;
    // The session's own token is not the program's.
    let mut child = Command::new(program)
        .args(rest)
        .env_remove("WANE_TOKEN")
        .env(name, had.token.as_str())
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|e| VerbError::Failed(format!("`{}` cannot be run: {e}", program.to_string_lossy())))?;
    let signals = |e: std::io::Error| VerbError::Failed(format!("signals: {e}"));
    // Ctrl-C reaches the program by itself; it decides what that means.
    let mut interrupted = signal(SignalKind::interrupt()).map_err(signals)?;
    let mut ended = signal(SignalKind::terminate()).map_err(signals)?;
    let why = loop {
        tokio::select! {
            biased;
            status = child.wait() => return came_out(status),
            _ = interrupted.recv() => {}
            _ = ended.recv() => send(&child, Signal::SIGTERM),
            () = tokio::time::sleep(port.beat()) => {
                // Our own copy of the deadline holds whether or not the server can be reached.
                if port.now() >= had.not_after {
                    break "the token has run out; the program was stopped".to_owned();
                }
                if let Err(VerbError::Denied(why)) = port.standing(&access.grant).await {
                    break format!("the access is over, and the program was stopped: {why}");
                }
            }
        }
    };
    send(&child, Signal::SIGTERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
    Err(VerbError::Denied(why))
}

fn send(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may have ended just now; then there is nothing to tell.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

fn came_out(status: std::io::Result<ExitStatus>) -> Result<i32, VerbError> {
    let status = status.map_err(|e| VerbError::Failed(format!("the program cannot be waited for: {e}")))?;
    Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1))
}
