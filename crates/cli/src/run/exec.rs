//! `wane exec`: a command that has access for as long as the access lasts.

mod facts;
mod job;
mod private;

use std::ffi::{OsStr, OsString};
use std::future::pending;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use super::Done;
use crate::access::{Held, Patience, Session, Want};
use crate::args::using::Exec;
use crate::exit::{Exit, Stop};

use job::{Job, Source};
pub(super) use private::PrivateDir;

/// How often to look whether the grant still stands.
const LOOK: Duration = Duration::from_secs(2);
/// How long a command may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// How long a job waits for approval if nothing is said: nobody looks at it waiting.
const JOB_WAITS: Duration = Duration::from_mins(15);

/// Says once that the job that the command is run in is over.
type Over = watch::Receiver<Option<String>>;
/// Keeps up what the command was given; comes back when there is no more to keep up.
type Keeping<'a> = BoxFuture<'a, Result<(), Stop>>;

pub(super) async fn exec(args: Exec, s: &Session) -> Done {
    let (resource, role) = args.whither()?;
    let want =
        Want { resource, role, duration: args.duration, reason: args.reason, ticket: args.ticket, command: None };
    let patience = args.wait.as_deref().map(|wait| Patience::parse(Some(wait))).transpose()?;
    let Some(source) = Source::find(s) else {
        if args.workload.is_some() {
            return Err(Stop::usage("there is no token of a job here")
                .todo("set WANE_ID_TOKEN or WANE_ID_TOKEN_FILE, or let the job have `id-token: write`"));
        }
        let held = s.ensure_within(&want, patience.unwrap_or(Patience::Forever)).await?;
        let never = watch::channel(None);
        let done = run(&args.command, &held, PrivateDir::make(s)?, never.1, s).await;
        if args.give_back {
            // The command's outcome counts; that the access stays is said.
            if let Err(error) = s.client()?.return_grant(&held.grant).await {
                let stop = Stop::from(error);
                s.say(&format!("the access could not be given back: {}", stop.message));
            }
        }
        return done;
    };
    // Before anything is asked for: where there is no place for it, nothing is to end.
    let dir = PrivateDir::in_memory(s)?;
    let job = Job::begin(source, args.workload, s).await?;
    let (tell, over) = watch::channel(None);
    let patience = patience.unwrap_or(Patience::For(JOB_WAITS));
    let done = tokio::select! {
        done = within_job(&args.command, &want, patience, (dir, over), s) => done,
        never = job.beat(s, &tell) => match never {},
    };
    job.end(s).await;
    done
}

/// What a job is for, whatever becomes of the job meanwhile.
async fn within_job(
    command: &[OsString],
    want: &Want,
    patience: Patience,
    (dir, mut over): (PrivateDir, Over),
    s: &Session,
) -> Done {
    let cannot = |e: std::io::Error| Stop::failed(format!("signals cannot be handled: {e}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let held = tokio::select! {
        held = s.ensure_within(want, patience) => held?,
        why = told(&mut over) => return Err(Stop::new(Exit::Refused, why)),
        _ = terminate.recv() => {
            s.say("stopped before there was access; the request is taken back");
            return Ok(Exit::Child(128 + 15));
        }
    };
    drop(terminate);
    run(command, &held, dir, over, s).await
}

/// Waits until the job is over.
async fn told(over: &mut Over) -> String {
    match over.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_default(),
        // Nobody tells anything: this is no job.
        Err(_) => pending().await,
    }
}

async fn run(command: &[OsString], held: &Held, dir: PrivateDir, over: Over, s: &Session) -> Done {
    let (program, rest) =
        command.split_first().ok_or_else(|| Stop::usage("no command is given").todo("write it after `--`"))?;
    let (held, environment, keeping) = given(held, &dir, s).await?;
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
    let done = supervise(child, &held, (keeping, over), s).await;
    drop(dir);
    done
}

/// What a command is given, by its kind or as facts and a secret, and what keeps it up.
async fn given<'a>(
    held: &'a Held,
    dir: &'a PrivateDir,
    s: &'a Session,
) -> Result<(Held, facts::Environment, Keeping<'a>), Stop> {
    let Some(giver) = s.givers.iter().find(|giver| giver.kind() == held.kind) else {
        let made = s.credential(&held.grant, serde_json::Value::Null).await?;
        let end = made.not_after.map_or(made.grant_end, |end| end.min(made.grant_end));
        let held = Held { end, ..held.clone() };
        let environment = facts::environment(&held, &made, dir)?;
        return Ok((held, environment, Box::pin(pending())));
    };
    let (tell, ready) = oneshot::channel();
    let mut keeping = giver.give(held, dir.path(), s, Box::new(move |given| drop(tell.send(given))));
    let early = || Stop::failed("the access was over before the command began");
    let given = tokio::select! {
        biased;
        given = ready => given.ok(),
        ended = &mut keeping => return Err(ended.err().unwrap_or_else(early)),
    };
    let Some(given) = given else { return Err(keeping.await.err().unwrap_or_else(early)) };
    let mut environment = facts::ours(held);
    environment.extend(given.into_iter().map(|(name, value)| (name, value.into())));
    Ok((held.clone(), environment, keeping))
}

/// Whether a variable of ours is one for the command. What one could speak to the server with is not, nor whatever libpq
/// would take from outside: another host, a weaker mode, options.
fn passes(name: &OsStr) -> bool {
    const OURS: [&str; 3] = ["WANE_TOKEN", "WANE_ID_TOKEN", "WANE_ID_TOKEN_FILE"];
    !OURS.iter().any(|ours| name == *ours) && !name.as_encoded_bytes().starts_with(b"PG")
}

/// Waits for the command, and ends it when the access ends.
async fn supervise(mut child: Child, held: &Held, (mut keeping, mut over): (Keeping<'_>, Over), s: &Session) -> Done {
    let cannot = |e: std::io::Error| Stop::failed(format!("signals cannot be handled: {e}"));
    // At a terminal Ctrl-C and Ctrl-\ reach the command by themselves; it decides what they mean.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut quit = signal(SignalKind::quit()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(cannot)?;
    let mut look = tokio::time::interval(LOOK);
    let mut keeps = true;
    let ended = loop {
        tokio::select! {
            biased;
            status = child.wait() => return came_out(status),
            _ = interrupt.recv() => if !s.interactive { send(&child, Signal::SIGINT) },
            _ = quit.recv() => if !s.interactive { send(&child, Signal::SIGQUIT) },
            _ = terminate.recv() => send(&child, Signal::SIGTERM),
            _ = hangup.recv() => send(&child, Signal::SIGHUP),
            why = told(&mut over) => break why,
            kept = &mut keeping, if keeps => {
                keeps = false;
                if let Err(stop) = kept {
                    s.say(&stop.message);
                }
            }
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
