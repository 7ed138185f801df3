//! Each mutant before the tests that come by it until one turns red: first those that caught most of
//! its file, then those that are named after it, then those that see most of it. A slow test has its turn only where no quicker one comes
//! by, and what the tests of so many seconds do not notice is not noticed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::listed::Mutant;
use super::switched::TestBinary;
use super::switches::{CHOSEN, MET};

/// What only the compiler can turn red, and no changed function body does.
const LEFT_OUT: &str = "evidence_cannot_be_forged";
/// A test that takes so much longer than unbroken is caught in a loop.
const SLOWER: u32 = 4;
const AT_LEAST: Duration = Duration::from_secs(20);
/// A test that takes longer than this, unbroken, is slow.
const SLOW: Duration = Duration::from_secs(10);
/// After so much time of tests that stay green a mutant has survived.
const PATIENCE: Duration = Duration::from_secs(90);
/// The most memory of one test; a loop may gather things.
const MEMORY: &str = "--as=12884901888";

/// A test, and how long it takes when nothing is broken.
pub(super) struct Test<'built> {
    binary: &'built TestBinary,
    name: String,
    took: Duration,
}

impl Test<'_> {
    /// `asking::…` and `ask::tests::…` are named after `ask.rs`.
    fn is_named_after(&self, file: &str) -> bool {
        let stem = file.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
        let begin: String = stem.chars().take(4).collect();
        self.name.split("::").any(|room| room.starts_with(&begin))
    }
}

/// Names the program that the end-to-end tests start.
const PROGRAM: &str = "WANE_BIN";

/// What became of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Caught,
    /// A test took for ever, or all the memory.
    OutOfTime,
    Survived,
    /// No test comes by it.
    NeverMet,
}

/// The tests in the order of their time, and which of them come by each mutant.
pub(super) struct Meetings<'built> {
    tests: Vec<Test<'built>>,
    by: BTreeMap<usize, Vec<usize>>,
    /// How many of a file's mutants each test comes by, and how many of them it has caught.
    sees: HashMap<(String, usize), usize>,
    catches: Mutex<HashMap<(String, usize), usize>>,
}

/// Runs every test unbroken and writes down which mutants it comes by.
pub(super) fn meet<'built>(
    binaries: &'built [TestBinary],
    mutants: &[Mutant],
    folder: &Path,
) -> Result<Meetings<'built>> {
    let mut tests = Vec::new();
    for binary in binaries {
        let listed = Command::new(&binary.executable)
            .args(["--list", "--format", "terse"])
            .current_dir(&binary.package_folder)
            .output()?;
        let listed = String::from_utf8(listed.stdout).context("a test has a strange name")?;
        let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
        let names = names.filter(|name| !name.contains(LEFT_OUT));
        tests.extend(names.map(|name| Test { binary, name: name.to_owned(), took: Duration::ZERO }));
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let numbered: Vec<(usize, &Test<'_>)> = tests.iter().enumerate().collect();
    let met = side_by_side(&numbered, |(number, test)| {
        let file = folder.join(number.to_string());
        let _ = fs::remove_file(&file);
        let (status, took) = run(test, (MET, file.as_os_str()), Duration::from_secs(600))?;
        let ids: Vec<usize> =
            fs::read_to_string(&file).unwrap_or_default().lines().filter_map(|id| id.parse().ok()).collect();
        Ok((status == Some(0), ids, took))
    });
    let mut order = Vec::new();
    for (test, met) in tests.into_iter().zip(met) {
        let (is_green, ids, took) = met?;
        if is_green {
            order.push((Test { took, ..test }, ids));
        } else {
            println!("  `{}` is red with nothing broken, so it says nothing", test.name);
        }
    }
    order.sort_by_key(|(test, _)| test.took);
    let mut meetings =
        Meetings { tests: Vec::new(), by: BTreeMap::new(), sees: HashMap::new(), catches: Mutex::default() };
    for (number, (test, ids)) in order.into_iter().enumerate() {
        meetings.tests.push(test);
        // Who comes by in two processes is one test.
        for id in ids.into_iter().collect::<BTreeSet<_>>() {
            meetings.by.entry(id).or_default().push(number);
            if let Some(mutant) = mutants.get(id) {
                *meetings.sees.entry((mutant.file.clone(), number)).or_default() += 1;
            }
        }
    }
    for tests in meetings.by.values_mut() {
        let is_quick = |number: &usize| meetings.tests.get(*number).is_some_and(|test| test.took <= SLOW);
        if tests.iter().any(is_quick) {
            tests.retain(is_quick);
        }
    }
    Ok(meetings)
}

impl Meetings<'_> {
    pub(super) fn tests(&self) -> usize {
        self.tests.len()
    }

    /// Whether any test comes by this mutant.
    pub(super) fn come_by(&self, mutant: usize) -> bool {
        self.by.contains_key(&mutant)
    }

    /// Tries these mutants; each verdict is told as it falls.
    pub(super) fn try_all(&self, mutants: &[(usize, &Mutant)], tell: impl Fn(usize, Verdict) + Sync) -> Result<()> {
        let tried = side_by_side(mutants, |(id, mutant)| {
            tell(*id, self.one(*id, &mutant.file)?);
            Ok(())
        });
        tried.into_iter().collect()
    }

    fn one(&self, id: usize, file: &str) -> Result<Verdict> {
        let Some(tests) = self.by.get(&id) else { return Ok(Verdict::NeverMet) };
        let mut green = Duration::ZERO;
        for (number, test) in self.in_turn(tests, file) {
            if green > PATIENCE {
                break;
            }
            let limit = test.took.saturating_mul(SLOWER).max(AT_LEAST);
            let (status, took) = run(test, (CHOSEN, id.to_string().as_ref()), limit)?;
            if status == Some(0) {
                green = green.saturating_add(took);
                continue;
            }
            if let Ok(mut catches) = self.catches.lock() {
                *catches.entry((file.to_owned(), number)).or_default() += 1;
            }
            return Ok(if took >= limit { Verdict::OutOfTime } else { Verdict::Caught });
        }
        Ok(Verdict::Survived)
    }

    fn in_turn(&self, tests: &[usize], file: &str) -> Vec<(usize, &Test<'_>)> {
        let mut turns: Vec<_> = tests.iter().filter_map(|number| Some((*number, self.tests.get(*number)?))).collect();
        if let Ok(catches) = self.catches.lock() {
            turns.sort_by_key(|(number, test)| {
                let of_file = (file.to_owned(), *number);
                let count = |map: &HashMap<_, usize>| Reverse(map.get(&of_file).copied().unwrap_or_default());
                (count(&catches), Reverse(test.is_named_after(file)), count(&self.sees), test.took)
            });
        }
        turns
    }
}

/// One test in a process of its own, killed with all it started when its time is over.
#[expect(clippy::disallowed_methods, reason = "how long a test takes is what is asked")]
fn run(test: &Test<'_>, (variable, value): (&str, &OsStr), limit: Duration) -> Result<(Option<i32>, Duration)> {
    let began = Instant::now();
    let mut command = Command::new("timeout");
    command.args(["--signal", "KILL", &limit.as_secs().to_string()]);
    match &test.binary.starts {
        // Without a bound: a browser asks for more memory than anybody has.
        Some(program) => command.env(PROGRAM, with_variable(program, variable, value)?),
        None => command.args(["prlimit", MEMORY]),
    };
    let status = command
        .arg(&test.binary.executable)
        .args(["--exact", &test.name])
        .current_dir(&test.binary.package_folder)
        .env(variable, value)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run `timeout`")?;
    Ok((status.code(), began.elapsed()))
}

/// A script that starts the program with a variable: the end-to-end tests give it nothing of their own environment.
fn with_variable(program: &Path, variable: &str, value: &OsStr) -> Result<PathBuf> {
    let folder = program.with_extension("started").join(Path::new(value).file_name().unwrap_or(value));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let script = folder.join("wane");
    let text = format!("#!/bin/sh\nexport {variable}='{}'\nexec '{}' \"$@\"\n", value.display(), program.display());
    fs::write(&script, text).with_context(|| format!("cannot write `{}`", script.display()))?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    Ok(script)
}

/// One answer for each. Tests of an engine wait most of their time, so more run at once than there are processors.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Vec<Result<R>> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from).saturating_mul(2);
    let mut done: Vec<(usize, Result<R>)> = thread::scope(|scope| {
        let hands: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let mut own = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(number) else { return own };
                        own.push((number, work(item)));
                    }
                })
            })
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().unwrap_or_default()).collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, answer)| answer).collect()
}
