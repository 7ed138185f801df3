//! Breaks a crate line by line with cargo-mutants, in its copy of the tree, and compares what
//! survived with the list.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::survivor::{self, LIST};
use crate::{command, deps};

/// cargo-mutants' own words for a run that went through: all caught, some missed, some timed out.
const WENT_THROUGH: &[i32] = &[0, 2, 3];

/// Breaks a crate, or a shard of it (`K/N`, from 0). What is excluded and why is in `.cargo/mutants.toml`.
pub(super) fn run(name: &str, shard: Option<&str>) -> Result<()> {
    deps::ensure()?;
    deps::mutation_tester()?;
    let listed = survivor::listed(name)?;
    let folder = command::root().join("target/mutants").join(name);
    fs::create_dir_all(&folder)?;
    let package = format!("wane-{name}");
    let mut words = vec!["mutants", "--package", &package, "--jobs", "1", "--no-shuffle", "--colors", "never"];
    if let Some(shard) = shard {
        words.extend(["--shard", shard]);
    }
    println!("\n$ cargo {}", words.join(" "));
    // Not with our own word for failure: that some mutant survived is not yet a failure.
    let status = Command::new(command::cargo())
        .args(&words)
        .arg("--output")
        .arg(&folder)
        // The crates of others are built once, not for each run.
        .env("CARGO_TARGET_DIR", command::root().join("target/mutants/build"))
        .current_dir(command::root())
        .status()
        .context("cannot run cargo mutants")?;
    ensure!(status.code().is_some_and(|code| WENT_THROUGH.contains(&code)), "cargo mutants failed with {status}");
    tell(name, shard, &folder.join("mutants.out"), &listed)
}

fn tell(name: &str, shard: Option<&str>, folder: &Path, listed: &[survivor::Survivor]) -> Result<()> {
    let lines = |file: &str| fs::read_to_string(folder.join(file)).with_context(|| format!("there is no {file}"));
    let (missed, caught) = (lines("missed.txt")?, lines("caught.txt")?);
    let (slow, unviable) = (lines("timeout.txt")?, lines("unviable.txt")?);
    let difference = survivor::compare(&missed, listed);
    println!(
        "{name}{}: {} caught, {} caught by running out of time, {} survived, {} did not build",
        shard.map_or(String::new(), |shard| format!(" (shard {shard})")),
        caught.lines().count(),
        slow.lines().count(),
        missed.lines().count(),
        unviable.lines().count(),
    );
    for mutant in &difference.unlisted {
        println!("survived, and is not in {LIST}: {mutant}");
    }
    // A shard does not meet every mutant, so it cannot say that one no longer survives.
    let killed = if shard.is_none() { difference.killed.as_slice() } else { &[] };
    for mutant in killed {
        println!("is in {LIST} and no longer survives; strike it off: {mutant}");
    }
    ensure!(difference.unlisted.is_empty() && killed.is_empty(), "{LIST} is not what survived in {name}");
    Ok(())
}
