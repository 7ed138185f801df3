//! Breaks a crate line by line, in a copy of the tree, and compares what survived with the list.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::listed::{self, Mutant};
use super::scratch::Scratch;
use super::survivor::{self, LIST};
use super::switched::TestBinary;
use super::trial::{self, Meetings, Verdict};
use super::{Decides, switched};
use crate::{command, deps};

/// Breaks a crate, or the lines of it that one of the words is about. What is excluded and why is in `.cargo/mutants.toml`.
#[expect(clippy::disallowed_methods, reason = "how long it took is told to the person who waits")]
pub(super) fn run(Decides { name, packages, end_to_end }: &Decides, about: &[&str]) -> Result<()> {
    deps::ensure()?;
    deps::mutation_tester()?;
    let listed = survivor::listed(name)?;
    let began = Instant::now();
    let mutants = listed::of(&format!("wane-{name}"))?;
    println!("\n{name}: {} mutants, all in one build", mutants.len());
    let scratch = Scratch::prepare("mutants")?;
    let built = switched::build(&scratch, name, &mutants, packages)?;
    let folder = command::root().join("target/mutants").join(name);
    let meetings = meet(&built.tests, &mutants, &folder.join("met"), began)?;
    let is_meant = |mutant: &Mutant| about.is_empty() || about.iter().any(|word| mutant.name.contains(word));
    let tried: Vec<_> =
        mutants.iter().enumerate().filter(|(id, mutant)| !built.without.contains_key(id) && is_meant(mutant)).collect();
    ensure!(!tried.is_empty(), "no mutant of {name} is about `{}`", about.join("`, `"));
    let verdicts = Mutex::new(BTreeMap::new());
    // Said at once as well: who breaks a long run off has what was found so far.
    let so_far = File::create(folder.join("so-far.txt"))?;
    let tell = |id: usize, verdict: Verdict| {
        if let Ok(mut verdicts) = verdicts.lock() {
            verdicts.insert(id, verdict);
            if let Some(mutant) = mutants.get(id) {
                let _ = writeln!(&so_far, "{verdict:?}: {}", mutant.name);
            }
            if verdicts.len().is_multiple_of(50) {
                println!("  {} of {} after {} s", verdicts.len(), tried.len(), began.elapsed().as_secs());
            }
        }
    };
    let (near, far): (Vec<_>, Vec<_>) = tried.iter().partition(|(id, _)| !end_to_end || meetings.come_by(*id));
    meetings.try_all(&near, tell)?;
    if !far.is_empty() {
        println!("  {} are left to the end-to-end tests", far.len());
        let tests = switched::end_to_end(&scratch)?;
        meet(&tests, &mutants, &folder.join("met-end-to-end"), began)?.try_all(&far, tell)?;
    }
    let verdicts = verdicts.into_inner().map_err(|_| anyhow::anyhow!("a trial broke off"))?;
    let named = |wanted: &[Verdict]| -> String {
        let of = verdicts.iter().filter(|(_, verdict)| wanted.contains(verdict)).filter_map(|(id, _)| mutants.get(*id));
        of.map(|mutant| format!("{}\n", mutant.name)).collect()
    };
    let left_out: String =
        built.without.iter().filter_map(|(id, why)| Some(format!("{why:?}: {}\n", mutants.get(*id)?.name))).collect();
    let survived = named(&[Verdict::Survived]);
    write(&folder, "caught", &named(&[Verdict::Caught]))?;
    write(&folder, "out-of-time", &named(&[Verdict::OutOfTime]))?;
    write(&folder, "never-met", &named(&[Verdict::NeverMet]))?;
    write(&folder, "survived", &survived)?;
    write(&folder, "left-out", &left_out)?;
    let count = |wanted: Verdict| verdicts.values().filter(|verdict| **verdict == wanted).count();
    println!(
        "{name}: {} caught, {} caught by running out of time, {} survived, {} are met by none of these tests; {} not tried, for \
         they do not build or the compiler works them out; {} s; all are named in `{}`",
        count(Verdict::Caught),
        count(Verdict::OutOfTime),
        survived.lines().count(),
        count(Verdict::NeverMet),
        built.without.len(),
        began.elapsed().as_secs(),
        folder.display(),
    );
    let difference = survivor::compare(&survived, &listed);
    for mutant in &difference.unlisted {
        println!("survived, and is not in {LIST}: {mutant}");
    }
    let never_met = count(Verdict::NeverMet);
    ensure!(never_met == 0, "{never_met} mutants of {name} are met by no test");
    ensure!(
        difference.unlisted.is_empty(),
        "{} kinds of mutants of {name} survive without a word",
        difference.unlisted.len()
    );
    // Who tries some of them cannot say that one no longer survives.
    if !about.is_empty() {
        return Ok(());
    }
    for mutant in &difference.killed {
        println!("is in {LIST} and no longer survives; strike it off: {mutant}");
    }
    ensure!(difference.killed.is_empty(), "{LIST} is not what survived in {name}");
    Ok(())
}

fn meet<'built>(
    tests: &'built [TestBinary],
    mutants: &[Mutant],
    folder: &Path,
    began: Instant,
) -> Result<Meetings<'built>> {
    let meetings = trial::meet(tests, mutants, folder)?;
    println!("  {} tests, built and run unbroken after {} s", meetings.tests(), began.elapsed().as_secs());
    Ok(meetings)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let file = folder.join(format!("{name}.txt"));
    fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))
}
