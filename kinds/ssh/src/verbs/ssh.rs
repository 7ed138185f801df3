//! `wane ssh`: the plain `ssh`, with a key and certificate that exist in memory only.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use data_encoding::HEXLOWER;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use russh::keys::Certificate;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use wane_connector::verb::{AccessPort, Giver, Verb, VerbError, Want};
use wane_connector::words::parse;
use wane_domain::time::{Span, Time};
use zeroize::Zeroizing;

use super::config::Gateway;
use super::files::{PrivateFolder, Written, failed, put};
use crate::agent::Agent;
use crate::role::is_principal;
use crate::settings::Settings;

const GRACE: Duration = Duration::from_secs(5);

/// `wane ssh`.
#[derive(Clone, Copy, Debug)]
pub struct Ssh;

/// Logs in to a host with a certificate that lives in memory only, asking for access if you have none. Goes
/// through the gateway, where there is one.
#[derive(Debug, Parser)]
#[command(name = "wane ssh", disable_version_flag = true)]
struct Args {
    /// The host, as it is registered; with a login name if the role has several.
    #[arg(value_name = "[USER@]HOST")]
    host: String,
    /// The role to take or ask for.
    #[arg(long)]
    role: Option<String>,
    /// For how long, if access has to be asked for.
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
    /// Why, if access has to be asked for.
    #[arg(long)]
    reason: Option<String>,
    /// Under which ticket, if access has to be asked for.
    #[arg(long)]
    ticket: Option<String>,
    /// Straight to the host, although there is a gateway.
    #[arg(long)]
    direct: bool,
    /// An option for ssh, such as `LocalForward=8080 localhost:80`.
    #[arg(short = 'o', value_name = "OPTION")]
    options: Vec<String>,
    /// What to run there instead of a shell.
    #[arg(trailing_var_arg = true)]
    command: Vec<String>,
}

#[async_trait]
impl Verb for Ssh {
    fn words(&self) -> &'static [&'static str] {
        &["ssh"]
    }

    fn about(&self) -> &'static str {
        "log in to a host, asking for access if you have none"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["ssh"]
    }

    fn giver(&self) -> Option<&dyn Giver> {
        Some(self)
    }

    async fn run(&self, args: &[String], port: &dyn AccessPort) -> Result<i32, VerbError> {
        let Some(args) = parse::<Args>("wane ssh", args, port)? else { return Ok(0) };
        let (user, resource) = match args.host.split_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host.to_owned()),
            None => (None, args.host.clone()),
        };
        // As ssh itself makes one command of several words.
        let command = (!args.command.is_empty()).then(|| args.command.join(" "));
        let (role, duration, reason, ticket) = (args.role, args.duration, args.reason, args.ticket);
        let want = Want { resource, role, duration, reason, ticket, command };
        let gateway = if args.direct { None } else { Gateway::find(port).await? };
        let access = port.ensure(&want).await?;
        let agent = agent(port)?;
        let handed = obtain(port, &access.grant, &agent).await?;
        let user = handed.user(user)?;
        let way = Way::choose(&handed, &user, &want.resource, gateway)?;
        let folder = folder(port)?;
        let known_hosts = folder.join("known_hosts");
        let _: Written = put(&known_hosts, format!("{}\n", way.known_by).as_bytes(), 0o600)?;
        let socket = folder.join("agent");
        let listener = UnixListener::bind(&socket).map_err(|e| failed("listen on", &socket, &e))?;
        let mut child = Command::new("ssh")
            .args(client_arguments(&way, &socket, &known_hosts, &args.options))
            .args(&args.command)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| VerbError::Failed(format!("cannot start `ssh`: {e}; install the OpenSSH client")))?;
        let status = tokio::select! {
            status = outlive(&mut child) => status?,
            () = agent.serve(&listener) => return Err(VerbError::Failed("the agent stopped".to_owned())),
            () = keep(port, &access.grant, &agent, (&handed, &way)) => return Err(VerbError::Failed("the grant is no longer watched".to_owned())),
        };
        drop(folder);
        Ok(exit_code(status))
    }
}

/// What the server handed out, checked.
pub(super) struct HandedOut {
    settings: Settings,
    principals: Vec<String>,
    host_ca: String,
    gateway_only: bool,
    issued: Time,
    not_after: Time,
    grant_end: Time,
}

impl HandedOut {
    fn read(public: &Value, issued: Time, not_after: Option<Time>, grant_end: Time) -> Option<Self> {
        let settings =
            Settings::read(&json!({ "address": public.get("address")?, "host_names": public.get("host_names")? }))
                .ok()?;
        let principals: Vec<String> = public
            .get("principals")?
            .as_array()?
            .iter()
            .map(|p| p.as_str().map(str::to_owned))
            .collect::<Option<_>>()?;
        // A login name ends up among the arguments of ssh: nothing but a login name may.
        if principals.is_empty() || !principals.iter().all(|name| is_principal(name)) {
            return None;
        }
        let host_ca = public
            .get("host_ca")?
            .as_str()
            .filter(|line| line.starts_with("@cert-authority ") && !line.contains('\n'))?
            .to_owned();
        let gateway_only = public.get("gateway_only").and_then(Value::as_bool).unwrap_or(false);
        Some(Self { settings, principals, host_ca, gateway_only, issued, not_after: not_after?, grant_end })
    }

    pub(super) fn user(&self, wanted: Option<String>) -> Result<String, VerbError> {
        match wanted {
            None => self
                .principals
                .first()
                .cloned()
                .ok_or_else(|| VerbError::Failed("the certificate is for nobody".to_owned())),
            Some(user) if self.principals.contains(&user) => Ok(user),
            Some(user) => {
                Err(VerbError::Usage(format!("the role is for `{}`, not for `{user}`", self.principals.join("`, `"))))
            }
        }
    }

    /// When two thirds of its life are over.
    fn renew_at(&self) -> Time {
        let life = self.not_after.since(self.issued).micros();
        self.issued.plus(Span::from_micros(life / 3 * 2))
    }
}

/// Where ssh connects to, and by what it knows that.
pub(super) struct Way {
    host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) known_by: String,
    /// The name that a host's own certificate is for; none at the gateway, which is known by its address.
    alias: Option<String>,
}

impl Way {
    pub(super) fn choose(
        handed: &HandedOut,
        user: &str,
        resource: &str,
        gateway: Option<Gateway>,
    ) -> Result<Self, VerbError> {
        if let Some(Gateway { host, port, known_by, .. }) = gateway {
            return Ok(Self { host, port, user: format!("{user}%{resource}"), known_by, alias: None });
        }
        if handed.gateway_only {
            let why = "this access is good through the gateway only; leave `--direct` out";
            return Err(VerbError::Denied(why.to_owned()));
        }
        let address = &handed.settings.address;
        let alias = handed.settings.host_names.first().unwrap_or(&address.host).clone();
        let (host, port, known_by) = (address.host.clone(), address.port, handed.host_ca.clone());
        Ok(Self { host, port, user: user.to_owned(), known_by, alias: Some(alias) })
    }
}

pub(super) fn agent(port: &dyn AccessPort) -> Result<Agent, VerbError> {
    let mut seed = Zeroizing::new([0; 32]);
    port.entropy(seed.as_mut_slice());
    Agent::new(&seed, geteuid().as_raw()).map_err(|e| VerbError::Failed(format!("cannot make a key: {e}")))
}

/// Has the agent's key certified and serves the certificate.
pub(super) async fn obtain(port: &dyn AccessPort, grant: &str, agent: &Agent) -> Result<HandedOut, VerbError> {
    let wrong = |why: String| VerbError::Failed(format!("the server handed out something unusable: {why}"));
    let key = agent.public_line().map_err(|e| wrong(e.to_string()))?;
    let issued = port.now();
    let given = port.credential(grant, json!({ "public_key": key })).await?;
    let text = given.public.get("certificate").and_then(Value::as_str).unwrap_or_default();
    let cert = Certificate::from_openssh(text).map_err(|e| wrong(e.to_string()))?;
    agent.renew(&cert).map_err(wrong)?;
    HandedOut::read(&given.public, issued, given.not_after, given.grant_end)
        .ok_or_else(|| wrong(given.public.to_string()))
}

/// A folder in the account's runtime folder, or else among the temporary ones.
fn folder(port: &dyn AccessPort) -> Result<PrivateFolder, VerbError> {
    let parent = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_dir())
        .unwrap_or_else(std::env::temp_dir);
    let mut name = [0; 8];
    port.entropy(&mut name);
    PrivateFolder::create(&parent, &format!("wane-ssh-{}", HEXLOWER.encode(&name)))
}

/// Our options stand first, and in ssh the first value wins, also over the person's own configuration.
fn client_arguments(way: &Way, socket: &Path, known_hosts: &Path, more: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for option in options(way, socket, known_hosts).into_iter().chain(more.iter().cloned()) {
        out.extend(["-o".to_owned(), option]);
    }
    out.extend([
        "-p".to_owned(),
        way.port.to_string(),
        "-l".to_owned(),
        way.user.clone(),
        "--".to_owned(),
        way.host.clone(),
    ]);
    out
}

/// What ssh is told besides port and login name.
pub(super) fn options(way: &Way, socket: &Path, known_hosts: &Path) -> Vec<String> {
    let places = [
        format!("IdentityAgent={}", socket.display()),
        format!("UserKnownHostsFile={}", known_hosts.display()),
        format!("HostName={}", way.host),
    ];
    let alias = way.alias.iter().map(|alias| format!("HostKeyAlias={alias}"));
    let fixed = [
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "CheckHostIP=no",
        "CanonicalizeHostname=no",
        // The agent's certificate, and none of the keys that lie about.
        "IdentityFile=none",
        "IdentitiesOnly=no",
        "PreferredAuthentications=publickey",
        "AddKeysToAgent=no",
        // Our agent never goes along to the host.
        "ForwardAgent=no",
        // A connection shared with an earlier login would not be this grant's.
        "ControlMaster=no",
        "ControlPath=none",
    ];
    places.into_iter().chain(alias).chain(fixed.map(str::to_owned)).collect()
}

/// Watches the grant: a new certificate at two thirds of the old one's life, and word when it ends.
pub(super) async fn keep(port: &dyn AccessPort, grant: &str, agent: &Agent, (handed, way): (&HandedOut, &Way)) {
    let (mut renew_at, mut not_after, mut end) = (handed.renew_at(), handed.not_after, handed.grant_end);
    let mut troubled = false;
    loop {
        tokio::time::sleep(port.beat()).await;
        let trouble = match port.standing(grant).await {
            Ok(access) => {
                end = access.end;
                if port.now() >= renew_at && end > not_after {
                    renew(port, grant, agent, &mut renew_at, &mut not_after).await
                } else {
                    Ok(())
                }
            }
            Err(e) => Err(e),
        };
        match trouble {
            Ok(()) => troubled = false,
            Err(VerbError::Denied(why)) => return ended(port, agent, way, &why).await,
            Err(VerbError::Failed(why) | VerbError::Usage(why)) if !troubled => {
                troubled = true;
                port.say(&format!("the server cannot be asked whether the grant stands: {why}"));
            }
            Err(VerbError::Failed(_) | VerbError::Usage(_)) => {}
        }
        if port.now() >= end {
            return ended(port, agent, way, "its time is up").await;
        }
    }
}

async fn renew(
    port: &dyn AccessPort,
    grant: &str,
    agent: &Agent,
    renew_at: &mut Time,
    not_after: &mut Time,
) -> Result<(), VerbError> {
    let handed = obtain(port, grant, agent).await?;
    (*renew_at, *not_after) = (handed.renew_at(), handed.not_after);
    Ok(())
}

async fn ended(port: &dyn AccessPort, agent: &Agent, way: &Way, why: &str) {
    agent.forget();
    port.say(&format!("the grant has ended: {why}"));
    if way.alias.is_none() {
        // The gateway ends the session, and ssh with it.
        return std::future::pending().await;
    }
    port.say("no new login is possible with it; this session stays open until you close it, because a direct certificate ends logins, not open sessions");
    std::future::pending().await
}

/// Waits for ssh and passes on the signals that are meant to end us, so that ssh ends first.
async fn outlive(child: &mut Child) -> Result<ExitStatus, VerbError> {
    let caught = |kind| signal(kind).map_err(|e| VerbError::Failed(format!("cannot catch signals: {e}")));
    let (mut term, mut int, mut hup) =
        (caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?, caught(SignalKind::hangup())?);
    let lost = |e: std::io::Error| VerbError::Failed(format!("lost sight of `ssh`: {e}"));
    loop {
        let pass_on = tokio::select! {
            status = child.wait() => return status.map_err(lost),
            _ = term.recv() => Signal::SIGTERM,
            _ = int.recv() => Signal::SIGINT,
            _ = hup.recv() => Signal::SIGHUP,
        };
        if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended in this moment; then the next round says so.
            let _ = kill(Pid::from_raw(id), pass_on);
        }
        if pass_on != Signal::SIGINT {
            return match tokio::time::timeout(GRACE, child.wait()).await {
                Ok(status) => status.map_err(lost),
                Err(_) => {
                    child.kill().await.map_err(lost)?;
                    child.wait().await.map_err(lost)
                }
            };
        }
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
