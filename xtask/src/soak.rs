//! Hours instead of minutes: kills at random with fresh seeds, then very many ends in one second and at one
//! start, then very many busy sessions that end at once, then guided fuzzing, then many calls of the API. A part that fails keeps no other from its turn; what failed is said at the end, with its seed.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use crate::{command, deps, fuzz, schemathesis};

const USUAL_MINUTES: u32 = 60;
/// One deployment is killed for so long, then comes the next one with another seed.
const ROUND_MINUTES: u32 = 3;
/// The share of the others: one minute for so many minutes of kills.
const SHARE: u32 = 4;
const TEST: &str = "package(wane-e2e) & test(=crash::random::killed_at_random_while_people_work_nothing_is_forgotten)";

const ENDS: &str =
    "package(wane-e2e) & test(=burst::very_many_ends_in_one_second_and_at_one_start_keep_nobody_waiting)";
const SO_MANY_ENDS: &str = "50000";
const SESSIONS: &str = "package(wane-e2e) & test(=gateway::stalled::very_many_busy_sessions_end_at_once)";
const SO_MANY_SESSIONS: &str = "2000";

/// How a part came out, in one line, and what failed in it.
struct Part {
    name: &'static str,
    line: String,
    failed: Vec<String>,
}

/// Reads `[--minutes N]`.
pub(crate) fn run_words(words: &[&str]) -> Result<()> {
    let minutes = match words {
        [] => USUAL_MINUTES,
        ["--minutes", n] => n.parse().with_context(|| format!("`{n}` is not a number of minutes"))?,
        other => bail!("`{}` is not understood; write `cargo xtask soak [--minutes N]`", other.join(" ")),
    };
    ensure!(minutes > 0, "`0` minutes find nothing; say at least 1");
    run(minutes)
}

fn run(minutes: u32) -> Result<()> {
    deps::ensure()?;
    deps::cxx()?;
    deps::python()?;
    let share = minutes.saturating_mul(60) / SHARE;
    let parts = [
        kills(minutes)?,
        part("ends", || many("ends", ENDS, ("WANE_ENDS", SO_MANY_ENDS))),
        part("sessions", || many("sessions", SESSIONS, ("WANE_SESSIONS", SO_MANY_SESSIONS))),
        part("fuzz", || fuzz::run_all_within(share)),
        part("schemathesis", || schemathesis::run(schemathesis::Length::Within(share))),
    ];
    println!("\nsoak, {minutes} min of kills and {} s each of the rest:", share);
    for part in &parts {
        println!("  {:<13} {}", part.name, part.line);
        for failed in &part.failed {
            println!("                {failed}");
        }
    }
    let failed: Vec<&str> = parts.iter().filter(|part| !part.failed.is_empty()).map(|part| part.name).collect();
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn part(name: &'static str, chore: impl FnOnce() -> Result<()>) -> Part {
    match chore() {
        Ok(()) => Part { name, line: "nothing found".to_owned(), failed: Vec::new() },
        Err(error) => Part { name, line: "failed".to_owned(), failed: vec![format!("{error:#}")] },
    }
}

/// One deployment after the other until the time is over.
#[expect(clippy::disallowed_methods, reason = "a chore of so many minutes, with seeds nobody chose")]
fn kills(minutes: u32) -> Result<Part> {
    let folder = command::root().join("target/soak");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    // The tests alone would be run against the server that was built last.
    command::run(&command::cargo(), &["build", "--workspace", "--bin", "wane"])?;
    command::run(&command::cargo(), &["nextest", "run", "--workspace", "--profile", "soak", "--no-run"])?;
    let first = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() % 1_000_000;
    let until = Instant::now() + Duration::from_secs(60 * u64::from(minutes));
    let mut part = Part { name: "kills", line: String::new(), failed: Vec::new() };
    let report = folder.join(format!("kills-{first}.txt"));
    for seed in first.. {
        let rest = until.saturating_duration_since(Instant::now()).as_secs().div_ceil(60);
        let minutes = u64::from(ROUND_MINUTES).min(rest);
        if minutes == 0 {
            break;
        }
        println!("\n$ kills: seed {seed}, {minutes} min");
        if !round(seed, minutes, &report)? {
            part.failed.push(format!(
                "seed {seed}, said in `{}`; again: WANE_SEED={seed} WANE_SOAK_MINUTES={minutes} cargo nextest run --workspace --profile soak -E '{TEST}'",
                log(seed).display()
            ));
        }
    }
    let told = fs::read_to_string(&report).unwrap_or_default();
    let killed: u64 =
        told.lines().filter_map(|line| line.split_once(": ")?.1.split_once(" kills")?.0.parse::<u64>().ok()).sum();
    part.line = format!("{} rounds, {killed} kills, {} failed", told.lines().count(), part.failed.len());
    Ok(part)
}

/// Very many at once; how long it took is said in the report.
fn many(name: &str, test: &str, (variable, so_many): (&str, &str)) -> Result<()> {
    let folder = command::root().join("target/soak");
    let (report, log) = (folder.join(format!("{name}.txt")), folder.join(format!("{name}.log")));
    let file = File::create(&log).with_context(|| format!("cannot write `{}`", log.display()))?;
    let status = Command::new(command::cargo())
        .args(["nextest", "run", "--workspace", "--profile", "soak", "-E", test])
        .env(variable, so_many)
        .env("WANE_SOAK_REPORT", &report)
        .stdout(file.try_clone()?)
        .stderr(file)
        .current_dir(command::root())
        .status()?;
    ensure!(
        status.success(),
        "said in `{}`; again: {variable}={so_many} cargo nextest run --workspace --profile soak -E '{test}'",
        log.display()
    );
    print!("{}", fs::read_to_string(&report).unwrap_or_default());
    Ok(())
}

/// Whether a deployment came through it. What it said lies in its log.
fn round(seed: u64, minutes: u64, report: &std::path::Path) -> Result<bool> {
    let log = log(seed);
    let file = File::create(&log).with_context(|| format!("cannot write `{}`", log.display()))?;
    let status = Command::new(command::cargo())
        .args(["nextest", "run", "--workspace", "--profile", "soak", "-E", TEST])
        .env("WANE_SEED", seed.to_string())
        .env("WANE_SOAK_MINUTES", minutes.to_string())
        .env("WANE_SOAK_REPORT", report)
        .stdout(file.try_clone()?)
        .stderr(file)
        .current_dir(command::root())
        .status()?;
    Ok(status.success())
}

fn log(seed: u64) -> PathBuf {
    command::root().join("target/soak").join(format!("kills-{seed}.log"))
}
