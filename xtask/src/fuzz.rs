//! Coverage-guided runs of the fuzz targets, on the stable compiler.
//!
//! libFuzzer comes as a crate and is built with the system's C++ compiler; rustc's own sanitizer pass
//! tells it which branches an input reached. Build scripts stay without it, which is why a target is
//! named. What is found lies under `target/fuzz` and is printed as a line for `tests/fuzz/corpus`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{command, deps};

const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";
/// The memory one run may take, in MiB; one input may take no longer than `TIMEOUT_SECS`.
const MEMORY: u32 = 256;
const TIMEOUT_SECS: u32 = 10;
const LONGEST_INPUT: u32 = 16 * 1024;

/// How many seconds each target is tried, unless told.
const USUAL: u32 = 60;

/// Reads `[TARGET] [--minutes N | --seconds N]`.
pub(crate) fn run_words(words: &[&str]) -> Result<()> {
    let (target, rest) = match words {
        [target, rest @ ..] if !target.starts_with('-') => (Some(*target), rest),
        rest => (None, rest),
    };
    let number = |n: &str| n.parse::<u32>().with_context(|| format!("`{n}` is not a number"));
    let seconds = match rest {
        [] => USUAL,
        ["--seconds", n] => number(n)?,
        ["--minutes", n] => number(n)?.saturating_mul(60),
        other => bail!(
            "`{}` is not understood; write `cargo xtask fuzz [TARGET] [--minutes N | --seconds N]`",
            other.join(" ")
        ),
    };
    run(target, seconds)
}

/// Tries each target in turn, all of them together within so many seconds.
pub(crate) fn run_all_within(seconds: u32) -> Result<()> {
    let targets = u32::try_from(targets()?.len())?;
    run(None, seconds.checked_div(targets).unwrap_or_default().max(1))
}

/// Tries one target, or each in turn, for so many seconds each.
fn run(target: Option<&str>, seconds: u32) -> Result<()> {
    let targets = targets()?;
    let chosen: Vec<&String> = targets.iter().filter(|name| target.is_none_or(|wanted| wanted == *name)).collect();
    ensure!(!chosen.is_empty(), "`{}` is no target; there are: {}", target.unwrap_or_default(), targets.join(", "));
    deps::cxx()?;
    let binary = build()?;
    // One failure is no reason not to try the others.
    let failed: Vec<&str> =
        chosen.iter().filter(|name| !survives(&binary, name, seconds)).map(|name| name.as_str()).collect();
    ensure!(
        failed.is_empty(),
        "found something in: {}. Put the printed Base64 line into `tests/fuzz/corpus/TARGET.txt`, so that `cargo xtask test` \
         finds it as well, and mend the room",
        failed.join(", ")
    );
    println!("\n{} targets, {seconds} s each: nothing found", chosen.len());
    Ok(())
}

/// The names of the targets, out of the one list there is.
fn targets() -> Result<Vec<String>> {
    let path = command::root().join("tests/fuzz/src/lib.rs");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let list = text
        .split_once("$then! {")
        .and_then(|(_, rest)| rest.split_once('}'))
        .context("the list of targets has moved")?;
    let names = list.0.split(',').filter_map(|entry| entry.split_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

fn build() -> Result<PathBuf> {
    let version = command::output("rustc", &["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not say its host")?;
    let words = ["build", "--package", "wane-fuzz", "--bin", "wane-fuzz", "--features", "guided", "--profile", "fuzz"];
    let words = [&words[..], &["--target", host, "--target-dir", "target/fuzz"]].concat();
    command::run_with(&command::cargo(), &words, &[("RUSTFLAGS", FLAGS)])?;
    Ok(command::root().join("target/fuzz").join(host).join("fuzz/wane-fuzz"))
}

fn survives(binary: &std::path::Path, target: &str, seconds: u32) -> bool {
    let folder = command::root().join("target/fuzz/inputs").join(target);
    let (found, seeds) = (folder.join("found"), folder.join("seeds"));
    for made in [&found, &seeds] {
        if let Err(why) = std::fs::create_dir_all(made) {
            eprintln!("`{}` cannot be made: {why}", made.display());
            return false;
        }
    }
    println!("\n$ fuzz {target}");
    let ran = Command::new(binary)
        .env("WANE_FUZZ_TARGET", target)
        .env("WANE_FUZZ_SEEDS", &seeds)
        .args([&found, &seeds])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-timeout={TIMEOUT_SECS}"))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .current_dir(command::root())
        .status();
    match ran {
        Ok(status) => status.success(),
        Err(why) => {
            eprintln!("`{}` cannot be run: {why}", binary.display());
            false
        }
    }
}
