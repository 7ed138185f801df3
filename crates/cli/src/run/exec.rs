//! `wane exec`: a command that has access for as long as the access lasts.

mod facts;
mod private;

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::Done;
use crate::access::{Held, Session, Want};
use crate::args::using::Exec;
use crate::exit::{Exit, Stop};

pub(super) use private::PrivateDir;

/// How often to look whether the grant still stands.
const LOOK: Duration = Duration::from_secs(2);
/// How long a command may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

pub(super) async fn exec(args: Exec, s: &Session) -> Done {
    let want = Want {
        resource: args.place.0.resource,
        role: args.place.0.role,
        duration: args.duration,
        reason: args.reason,
        ticket: args.ticket,
        command: None,
    };
    let held = s.ensure(&want).await?;
    let done = run(&args.command, &held, s).await;
    if args.give_back {
        // The command's outcome counts; that the access stays is said.
        if let Err(error) = s.client()?.return_grant(&held.grant).await {
            let stop = Stop::from(error);
            s.say(&format!("the access could not be given back: {}", stop.message));
        }
    }
    done
}

async fn run(command: &[OsString], held: &Held, s: &Session) -> Done {
    let made = s.credential(&held.grant, serde_json::Value::Null).await?;
    let dir = PrivateDir::make(s)?;
    let held = Held { end: made.not_after.map_or(made.grant_end, |end| end.min(made.grant_end)), ..held.clone() };
    let environment = facts::environment(&held, &made, &dir)?;
    let Some((program, rest)) = command.split_first() else {
        return Err(Stop::usage("no command is given").todo("write it after `--`"));
    };
    let child = Command::new(program)
        .args(rest)
        .env_clear()
        .envs(s.vars.iter().filter(|(name, _)| passes(name)))
        .envs(environment)
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|e| Stop::failed(format!("`{}` cannot be run: {e}", program.to_string_lossy())))?;
    let done = supervise(child, &held, s).await;
    drop(dir);
    done
}

/// Whether a variable of ours is one for the command. The session's token is not, nor whatever libpq
/// would take from outside: another host, a weaker mode, options.
fn passes(name: &OsStr) -> bool {
    name != "WANE_TOKEN" && !name.as_encoded_bytes().starts_with(b"PG")
}

/// Waits for the command, and ends it when the access ends.
async fn supervise(mut child: Child, held: &Held, s: &Session) -> Done {
    let cannot = |e: std::io::Error| Stop::failed(format!("signals cannot be handled: {e}"));
    // Ctrl-C and Ctrl-\ reach the command by themselves; it decides what they mean.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut quit = signal(SignalKind::quit()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(cannot)?;
    let mut look = tokio::time::interval(LOOK);
    let ended = loop {
        tokio::select! {
            biased;
            status = child.wait() => return came_out(status),
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
            _ = terminate.recv() => send(&child, Signal::SIGTERM),
            _ = hangup.recv() => send(&child, Signal::SIGHUP),
            _ = look.tick() => {
                // Our own copy of the deadline holds whether or not the server can be reached.
                if s.now() >= held.end {
                    break format!("the access to {} as {} has ended: expired", held.resource, held.role);
                }
                match s.standing(&held.grant).await {
                    Err(stop) if stop.exit == Exit::Refused && stop.problem.is_none() => break stop.message,
                    Ok(_) | Err(_) => {}
                }
            }
        }
    };
    send(&child, Signal::SIGTERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
    Err(Stop::new(Exit::Refused, format!("{ended}; the command was stopped")).todo("ask again if you still need it"))
}

fn send(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may have ended just now; then there is nothing to tell.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

fn came_out(status: std::io::Result<ExitStatus>) -> Done {
    let status = status.map_err(|e| Stop::failed(format!("the command cannot be waited for: {e}")))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(Exit::Child(code.and_then(|c| u8::try_from(c).ok()).unwrap_or(1)))
}
