//! Breaks a crate line by line, in a copy of the tree, and compares what survived with the list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::listed;
use super::scratch::Scratch;
use super::survivor::{self, LIST};
use super::switched;
use super::trial::{self, Verdict};
use crate::{command, deps};

/// Breaks a crate, or a shard of it (`K/N`, from 0). What is excluded and why is in `.cargo/mutants.toml`.
#[expect(clippy::disallowed_methods, reason = "how long it took is told to the person who waits")]
pub(super) fn run(name: &str, packages: &[&str], shard: Option<&str>) -> Result<()> {
    let shard = shard.map(shard_of).transpose()?;
    deps::ensure()?;
    deps::mutation_tester()?;
    let listed = survivor::listed(name)?;
    let began = Instant::now();
    let mutants = listed::of(&format!("wane-{name}"))?;
    println!("\n{name}: {} mutants, all in one build", mutants.len());
    let scratch = Scratch::prepare("mutants")?;
    let built = switched::build(&scratch, name, &mutants, packages)?;
    let folder = command::root().join("target/mutants").join(name);
    let meetings = trial::meet(&built.tests, &folder.join("met"))?;
    println!("  {} tests, built and run unbroken after {} s", meetings.tests(), began.elapsed().as_secs());
    let tried: Vec<_> = mutants
        .iter()
        .enumerate()
        .filter(|(id, _)| !built.without.contains_key(id) && shard.is_none_or(|(one, of)| id % of == one))
        .collect();
    let verdicts = Mutex::new(BTreeMap::new());
    meetings.try_all(&tried, |id, verdict| {
        if let Ok(mut verdicts) = verdicts.lock() {
            verdicts.insert(id, verdict);
            if verdicts.len().is_multiple_of(50) {
                println!("  {} of {} after {} s", verdicts.len(), tried.len(), began.elapsed().as_secs());
            }
        }
    })?;
    let verdicts = verdicts.into_inner().map_err(|_| anyhow::anyhow!("a trial broke off"))?;
    let named = |wanted: &[Verdict]| -> String {
        let of = verdicts.iter().filter(|(_, verdict)| wanted.contains(verdict)).filter_map(|(id, _)| mutants.get(*id));
        of.map(|mutant| format!("{}\n", mutant.name)).collect()
    };
    let left_out: String = built
        .without
        .iter()
        .filter_map(|(id, why)| Some(format!("{why:?}: {}\n", mutants.get(*id)?.name)))
        .collect();
    let survived = named(&[Verdict::Survived, Verdict::NeverMet]);
    write(&folder, "caught", &named(&[Verdict::Caught]))?;
    write(&folder, "out-of-time", &named(&[Verdict::OutOfTime]))?;
    write(&folder, "never-met", &named(&[Verdict::NeverMet]))?;
    write(&folder, "survived", &survived)?;
    write(&folder, "left-out", &left_out)?;
    let count = |wanted: Verdict| verdicts.values().filter(|verdict| **verdict == wanted).count();
    println!(
        "{name}: {} caught, {} caught by running out of time, {} survived, {} of them met by no test; {} not tried, for \
         they do not build or the compiler works them out; {} s; all are named in `{}`",
        count(Verdict::Caught),
        count(Verdict::OutOfTime),
        survived.lines().count(),
        count(Verdict::NeverMet),
        built.without.len(),
        began.elapsed().as_secs(),
        folder.display(),
    );
    tell(&survivor::compare(&survived, &listed), name, shard.is_none())
}

fn shard_of(word: &str) -> Result<(usize, usize)> {
    let parts = word.split_once('/').and_then(|(one, of)| Some((one.parse().ok()?, of.parse().ok()?)));
    parts.filter(|(one, of)| one < of).with_context(|| format!("`{word}` is no shard; write `0/4` to `3/4`"))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let file = folder.join(format!("{name}.txt"));
    fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))
}

fn tell(difference: &survivor::Difference, name: &str, is_whole: bool) -> Result<()> {
    for mutant in &difference.unlisted {
        println!("survived, and is not in {LIST}: {mutant}");
    }
    // A shard does not meet every mutant, so it cannot say that one no longer survives.
    let killed = if is_whole { difference.killed.as_slice() } else { &[] };
    for mutant in killed {
        println!("is in {LIST} and no longer survives; strike it off: {mutant}");
    }
    ensure!(difference.unlisted.is_empty() && killed.is_empty(), "{LIST} is not what survived in {name}");
    Ok(())
}
