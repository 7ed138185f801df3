//! Doing what the plan says. Only a debug build has this file.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::plan::{Action, Plan, Side, place};
use crate::{PlanError, Point};

const PLAN: &str = "WANE_FAILPOINTS";
const TRACE: &str = "WANE_FAILPOINT_TRACE";
/// How often a held place looks whether it may go on.
const LOOK: Duration = Duration::from_millis(5);
/// A held place goes on by itself after so many looks: two minutes.
const MOST_LOOKS: u32 = 24_000;

struct Armed {
    source: Source,
    trace: Option<File>,
}

enum Source {
    Said(Plan),
    /// The plan as it stood when it was last looked at.
    File(PathBuf, Mutex<(String, Arc<Plan>)>),
}

static ARMED: OnceLock<Armed> = OnceLock::new();

pub(crate) fn arm() -> Result<(), PlanError> {
    let said = std::env::var(PLAN).unwrap_or_default();
    let trace = std::env::var_os(TRACE);
    if said.is_empty() && trace.is_none() {
        return Ok(());
    }
    let source = match said.strip_prefix('@') {
        Some(file) => {
            let text = read(Path::new(file))?;
            let plan = Arc::new(text.parse()?);
            Source::File(PathBuf::from(file), Mutex::new((text, plan)))
        }
        None => Source::Said(said.parse()?),
    };
    let trace = match trace {
        Some(file) => Some(
            OpenOptions::new().append(true).create(true).open(&file).map_err(|e| unreadable(Path::new(&file), &e))?,
        ),
        None => None,
    };
    // Armed once; who comes second finds the first one's plan.
    let _ = ARMED.set(Armed { source, trace });
    Ok(())
}

fn unreadable(file: &Path, why: &std::io::Error) -> PlanError {
    PlanError::File { file: file.display().to_string(), why: why.to_string() }
}

fn read(file: &Path) -> Result<String, PlanError> {
    fs::read_to_string(file).map_err(|e| unreadable(file, &e))
}

pub(crate) async fn hit(point: Point, side: Option<Side>) {
    for action in actions(point, side) {
        match action {
            Action::Kill => die(),
            Action::Delay(wait) => tokio::time::sleep(wait).await,
            Action::Hold(file) => {
                reached(&file);
                let mut looks = 0;
                while looks < MOST_LOOKS && !file.exists() {
                    looks += 1;
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }
}

pub(crate) fn hit_blocking(point: Point, side: Option<Side>) {
    for action in actions(point, side) {
        match action {
            Action::Kill => die(),
            Action::Delay(wait) => std::thread::sleep(wait),
            Action::Hold(file) => {
                reached(&file);
                let mut looks = 0;
                while looks < MOST_LOOKS && !file.exists() {
                    looks += 1;
                    std::thread::sleep(LOOK);
                }
            }
        }
    }
}

/// Traces the hit, and says what is to happen.
fn actions(point: Point, side: Option<Side>) -> Vec<Action> {
    let Some(armed) = ARMED.get() else { return Vec::new() };
    let place = place(point.name(), side);
    if let Some(mut trace) = armed.trace.as_ref() {
        // One write, so that two threads never share a line. A trace that cannot be written fails the
        // test that reads it.
        let _ = trace.write_all(format!("{place}\n").as_bytes());
    }
    match &armed.source {
        Source::Said(plan) => plan.hit(&place),
        Source::File(file, last) => current(file, last).hit(&place),
    }
}

/// The plan of a file. A plan that is as it was goes on counting; a new one begins anew.
fn current(file: &Path, last: &Mutex<(String, Arc<Plan>)>) -> Arc<Plan> {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let (text, plan) = &mut *last;
    match read(file).and_then(|now| if now == *text { Ok(None) } else { Ok(Some((now.parse()?, now))) }) {
        Ok(None) => {}
        Ok(Some((new, now))) => (*text, *plan) = (now, Arc::new(new)),
        // Nobody would notice a plan that silently does nothing. Not `SIGKILL`: that is what a test waits for.
        Err(_) => std::process::abort(),
    }
    Arc::clone(plan)
}

fn reached(file: &Path) {
    let mut name = file.as_os_str().to_owned();
    name.push(".reached");
    // If it cannot be made, whoever waits for it says so.
    let _ = File::create(name);
}

/// The end of this process, as sudden as the system allows.
fn die() {
    let _ = kill(Pid::this(), Signal::SIGKILL);
}
