//! Processes we started and must end: signals to one process or to its whole tree, always by id.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::wait_until;

/// How long a server may take to end when asked politely, on a machine that is busy. Wane's own takes twenty seconds if
/// somebody keeps it waiting.
const GRACE: Duration = Duration::from_secs(60);

/// A server process that ends with this value.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    name: &'static str,
    child: Child,
    polite: Signal,
}

impl ServerProcess {
    /// `polite` is the signal on which this kind of server ends and clears up after itself.
    pub(crate) fn spawn(name: &'static str, command: &mut Command, polite: Signal) -> Result<Self> {
        // A stray Ctrl-C still reaches the server: it stays in our process group.
        command.current_dir("/");
        let child = command.spawn().with_context(|| format!("cannot start {name}: `{command:?}`"))?;
        Ok(Self { name, child, polite })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = raw(self.child.id()).context("process id out of range")?;
        kill(pid, signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Signals the server first, so that it starts no further children, then all below it.
    pub(crate) fn signal_tree(&self, signal: Signal) {
        let _ = self.signal(signal);
        for pid in descendants(self.child.id()) {
            send(pid, signal);
        }
    }

    /// Stops the server where it stands, and waits until it does: of several threads some go on for a moment.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        wait_until("the server to stand still", GRACE, || stands_still(self.child.id()))
    }

    /// Ends the server with `signal` and waits until it is gone, with everything below it.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<()> {
        if self.exited().is_some() {
            crate::clock_off::sweep(self.child.id());
            return Ok(());
        }
        let mut below: Vec<_> = descendants(self.child.id()).into_iter().map(|pid| (pid, started_at(pid))).collect();
        let _ = self.signal(signal);
        self.signal_tree(Signal::SIGCONT);
        let asked = wait_until("the server to end", GRACE, || self.exited().is_some());
        if asked.is_err() {
            self.signal_tree(Signal::SIGKILL);
            let _ = self.child.wait();
        }
        // sshd leaves open sessions running when its listener ends. What is killed holds its ports until it is gone.
        let _ = wait_until("what was below the server to end", GRACE, || {
            below.retain(|(pid, began)| is_the_same(*pid, *began));
            for (pid, _) in &below {
                send(*pid, Signal::SIGKILL);
            }
            below.is_empty()
        });
        crate::clock_off::sweep(self.child.id());
        if asked.is_err() {
            bail!("{} did not end on {signal} and was killed", self.name);
        }
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.end(self.polite);
    }
}

/// Sends a signal to a process that may be gone already.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = raw(pid) {
        let _ = kill(pid, signal);
    }
}

/// All processes below `root`, nearest first.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = numbered_processes().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(all.iter().filter(|(_, up)| *up == pid).map(|(own, _)| own));
        next += 1;
    }
    found.split_off(1)
}

/// All processes whose real account is `uid`, without those that ended and wait to be collected by
/// a parent that may take its time.
pub(crate) fn of_account(uid: u32) -> Vec<u32> {
    numbered_processes()
        .filter(|pid| real_account(*pid) == Some(uid))
        .filter(|pid| stat_field(*pid, 3).is_some_and(|state| state != "Z"))
        .collect()
}

/// When a process started, in clock ticks since boot: tells a process from a later one with the
/// same id.
pub(crate) fn started_at(pid: u32) -> Option<u64> {
    stat_field(pid, 22)?.parse().ok()
}

/// Whether this is the process that began then, and has not ended: one that ended may wait to be collected for long.
fn is_the_same(pid: u32, began: Option<u64>) -> bool {
    began.is_some() && started_at(pid) == began && stat_field(pid, 3).is_some_and(|state| state != "Z")
}

/// Whether no thread of a process runs.
fn stands_still(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut states = threads.filter_map(|thread| field(&thread.path().join("stat"), 3));
    states.all(|state| ["T", "Z", "X"].contains(&state.as_str()))
}

/// Runs `command` as another account, with nothing of our own environment: a leaked `HOME` makes
/// PostgreSQL look for keys in a folder it cannot read.
pub(crate) fn as_account(account: &str, home: &str, words: impl IntoIterator<Item = std::path::PathBuf>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", account, "--regid", account, "--init-groups"])
        .args(words)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C");
    command.current_dir("/");
    command
}

fn raw(pid: u32) -> Option<Pid> {
    // Zero and negative ids address whole groups: never those.
    i32::try_from(pid).ok().filter(|id| *id > 1).map(Pid::from_raw)
}

fn numbered_processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    stat_field(pid, 4)?.parse().ok()
}

/// A field of `/proc/PID/stat`.
fn stat_field(pid: u32, number: usize) -> Option<String> {
    field(Path::new(&format!("/proc/{pid}/stat")), number)
}

/// A field, counted from 1 as in proc(5). The program's name, field 2, may hold spaces and brackets, so counting starts
/// behind its last bracket.
fn field(stat: &Path, number: usize) -> Option<String> {
    let stat = fs::read_to_string(stat).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?).map(str::to_owned)
}

fn real_account(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}
