//! Takes each guard away, in a copy, and demands that its test turns red: by a failed assertion,
//! not because something no longer builds.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::guard::{Guard, all};
use super::scratch::Scratch;
use crate::deps;

/// What nextest's exit code says: <https://nexte.st/docs/integration-options/exit-codes>.
const TEST_RUN_FAILED: i32 = 100;
const NO_TESTS_RUN: i32 = 4;

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// It failed.
    Red,
    /// It passed.
    Green,
    /// Nothing can be said, for this reason.
    Broken(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Red => f.write_str("red"),
            Self::Green => f.write_str("GREEN: nothing noticed that the guard is gone"),
            Self::Broken(why) => write!(f, "BROKEN: {why}"),
        }
    }
}

/// Takes away every guard that one of the words is about, or all, and prints what each test said.
#[expect(clippy::disallowed_methods, reason = "how long it took is told to the person who waits")]
pub(super) fn run(about: &[&str]) -> Result<()> {
    deps::ensure()?;
    let guards = chosen(all()?, about)?;
    let scratch = Scratch::prepare("guards")?;
    println!("{} guards; each test is run as it is, then without its guard\n", guards.len());
    let mut sound = BTreeMap::new();
    let mut unheld = Vec::new();
    for guard in &guards {
        let began = Instant::now();
        let whole = match sound.get(&guard.test) {
            Some(known) => Verdict::clone(known),
            None => test(&scratch, guard)?,
        };
        sound.insert(&guard.test, whole.clone());
        let verdict = match whole {
            Verdict::Green => without(&scratch, guard)?,
            Verdict::Red => Verdict::Broken("the test is red with the guard in place".to_owned()),
            Verdict::Broken(why) => Verdict::Broken(why),
        };
        println!("{:<11} {verdict} ({} s) {}", guard.id, began.elapsed().as_secs(), guard.what);
        if verdict != Verdict::Red {
            unheld.push(guard.id.as_str());
        }
    }
    println!(
        "\n{} guards: {} turned their test red, {} did not",
        guards.len(),
        guards.len() - unheld.len(),
        unheld.len()
    );
    ensure!(unheld.is_empty(), "not held by their tests: {}", unheld.join(", "));
    Ok(())
}

/// The guards that a word is about, those of one crate's tests beside each other: less is built anew.
fn chosen(all: Vec<Guard>, about: &[&str]) -> Result<Vec<Guard>> {
    let strange: Vec<&str> =
        about.iter().filter(|word| !all.iter().any(|guard| guard.is_about(word))).copied().collect();
    ensure!(strange.is_empty(), "no guard is about `{}`", strange.join("`, `"));
    let mut chosen: Vec<Guard> =
        all.into_iter().filter(|guard| about.is_empty() || about.iter().any(|word| guard.is_about(word))).collect();
    chosen.sort_by(|a, b| (&a.test, &a.id).cmp(&(&b.test, &b.id)));
    Ok(chosen)
}

fn without(scratch: &Scratch, guard: &Guard) -> Result<Verdict> {
    let whole = scratch.read(&guard.file)?;
    let Some(less) = guard.taken_from(&whole) else {
        return Ok(Verdict::Broken(format!("its text does not stand exactly once in {}", guard.file)));
    };
    scratch.write(&guard.file, less.as_bytes())?;
    let verdict = test(scratch, guard);
    scratch.write(&guard.file, whole.as_bytes())?;
    verdict
}

fn test(scratch: &Scratch, guard: &Guard) -> Result<Verdict> {
    let arguments = guard.test_arguments();
    // The end-to-end tests start the binary, which nobody builds for them.
    if arguments.iter().any(|word| word == "wane-e2e") {
        let built = scratch.cargo(&["build", "-p", "wane"].map(str::to_owned))?;
        if !built.status.success() {
            return Ok(does_not_build(&built.stderr));
        }
    }
    let nextest = |more: &str| {
        let words = ["nextest", "run", more].map(str::to_owned);
        scratch.cargo(&[&words[..], &arguments[..]].concat())
    };
    let built = nextest("--no-run")?;
    if !built.status.success() {
        return Ok(does_not_build(&built.stderr));
    }
    let done = nextest("--no-fail-fast")?;
    let said = String::from_utf8_lossy(&done.stderr);
    Ok(judge(done.status.code(), &said))
}

fn judge(code: Option<i32>, said: &str) -> Verdict {
    match code {
        Some(0) => Verdict::Green,
        Some(TEST_RUN_FAILED) if said.contains("TIMEOUT [") => Verdict::Broken("the test did not end".to_owned()),
        Some(TEST_RUN_FAILED) => Verdict::Red,
        Some(NO_TESTS_RUN) => Verdict::Broken("there is no such test".to_owned()),
        other => Verdict::Broken(format!("nextest ended with {other:?}")),
    }
}

fn does_not_build(said: &[u8]) -> Verdict {
    let said = String::from_utf8_lossy(said);
    let first = said.lines().find(|line| line.starts_with("error")).unwrap_or("error: cargo failed");
    Verdict::Broken(format!("it does not build: {first}"))
}

#[cfg(test)]
mod tests {
    use super::{Verdict, does_not_build, judge};

    #[test]
    fn only_a_failed_assertion_is_red() {
        for (code, said, expected) in [
            (Some(0), "", "GREEN"),
            (Some(100), "FAIL [", "red"),
            (Some(100), "TIMEOUT [ 60 s]", "BROKEN: the test did not end"),
            (Some(4), "", "BROKEN: there is no such test"),
            (Some(101), "", "BROKEN"),
            (None, "", "BROKEN"),
        ] {
            let shown = judge(code, said).to_string();
            assert!(shown.starts_with(expected), "{code:?} `{said}`: {shown}");
        }
        let verdict = does_not_build(b"   Compiling x\nerror[E0382]: moved\n");
        assert_eq!(verdict, Verdict::Broken("it does not build: error[E0382]: moved".to_owned()));
    }
}
