//! A crate with all its mutants in it, built: what does not build is left out until the rest does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::listed::Mutant;
use super::scratch::Scratch;
use super::switches::{Switched, Without, module, switched};
use crate::command;

/// A crate's tests, every one of which can be run with any mutant.
pub(super) struct Built {
    pub(super) tests: Vec<TestBinary>,
    /// The mutants that are not in it.
    pub(super) without: BTreeMap<usize, Without>,
}

pub(super) struct TestBinary {
    pub(super) executable: PathBuf,
    pub(super) package_folder: PathBuf,
    /// The program that it starts, if what is broken is in that.
    pub(super) starts: Option<PathBuf>,
}

/// A line of `cargo --message-format=json`
/// (<https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>).
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    CompilerMessage {
        message: Complaint,
    },
    CompilerArtifact {
        executable: Option<PathBuf>,
        manifest_path: PathBuf,
        profile: Profile,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Complaint {
    level: String,
    message: String,
    code: Option<Code>,
    spans: Vec<Place>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Clone, Deserialize)]
struct Place {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    is_primary: bool,
    expansion: Option<Box<Expansion>>,
}

#[derive(Clone, Deserialize)]
struct Expansion {
    span: Place,
}

/// Builds the crate with every mutant in it, and the tests of these packages on it.
pub(super) fn build(scratch: &Scratch, name: &str, mutants: &[Mutant], packages: &[&str]) -> Result<Built> {
    let mut files: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (id, mutant) in mutants.iter().enumerate() {
        files.entry(&mutant.file).or_default().push(id);
    }
    let root = format!("crates/{name}/src/lib.rs");
    files.entry(&root).or_default();
    let whole: BTreeMap<&str, String> =
        files.keys().map(|file| Ok((*file, scratch.read(file)?))).collect::<Result<_>>()?;
    let mut without: BTreeMap<usize, Without> = BTreeMap::new();
    let mut consts = BTreeSet::new();
    loop {
        let mut written = BTreeMap::new();
        for (file, ids) in &files {
            let inside: Vec<(usize, &Mutant)> = ids
                .iter()
                .filter(|id| !without.contains_key(id))
                .filter_map(|id| Some((*id, mutants.get(*id)?)))
                .collect();
            let text = whole.get(file).context("it was just read")?;
            let (mut switched, left_out) = switched(text, &inside, &consts).with_context(|| format!("in `{file}`"))?;
            without.extend(left_out);
            if *file == root {
                switched.text.push_str(&module(mutants.len()));
            }
            scratch.write(file, switched.text.as_bytes())?;
            written.insert(*file, switched);
        }
        let package = format!("wane-{name}");
        let check = ["check", "--quiet", "--message-format=json", "--package", &package].map(str::to_owned);
        let said = lines(&scratch.cargo(&check)?.stdout)?;
        if errors(&said).next().is_none() {
            break;
        }
        let (blamed, kept) = judge(&said, &written);
        ensure!(!blamed.is_empty() || kept.iter().any(|name| !consts.contains(name)), "{}", first_error(&said));
        println!("  {} do not build, {} must stay `const`", blamed.len(), kept.len());
        without.extend(blamed.into_iter().map(|id| (id, Without::Unviable)));
        consts.extend(kept);
    }
    let mut words = vec!["test", "--no-run", "--quiet", "--message-format=json"];
    words.extend(packages.iter().flat_map(|package| ["--package", package]));
    let said = lines(&scratch.cargo(&words.into_iter().map(str::to_owned).collect::<Vec<_>>())?.stdout)?;
    ensure!(errors(&said).next().is_none(), "{}", first_error(&said));
    Ok(Built { tests: said.into_iter().filter_map(|line| test_binary(line, None)).collect(), without })
}

/// The end-to-end tests as they stand in the checkout, over a `wane` with every mutant in it.
pub(super) fn end_to_end(scratch: &Scratch) -> Result<Vec<TestBinary>> {
    const FOLDER: &str = "tests/e2e";
    let build = ["build", "--quiet", "--message-format=json", "--workspace", "--bin", "wane"].map(str::to_owned);
    let said = lines(&scratch.cargo(&build)?.stdout)?;
    ensure!(errors(&said).next().is_none(), "{}", first_error(&said));
    let wane = said.into_iter().find_map(|line| match line {
        Line::CompilerArtifact { executable, .. } => executable.filter(|program| program.ends_with("wane")),
        _ => None,
    });
    let wane = wane.context("cargo built no `wane`")?;
    // As `cargo xtask test` builds them, so that nothing is built twice.
    let tests = ["test", "--no-run", "--quiet", "--message-format=json", "--workspace"];
    let said = lines(command::output(&command::cargo(), &tests)?.as_bytes())?;
    let tests = said.into_iter().filter_map(|line| test_binary(line, Some(&wane)));
    Ok(tests.filter(|test| test.package_folder.ends_with(FOLDER)).collect())
}

fn lines(out: &[u8]) -> Result<Vec<Line>> {
    let text = String::from_utf8_lossy(out);
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("cargo said: {line}"))).collect()
}

fn errors(said: &[Line]) -> impl Iterator<Item = &Complaint> {
    said.iter().filter_map(|line| match line {
        Line::CompilerMessage { message } if message.level.starts_with("error") => Some(message),
        _ => None,
    })
}

fn first_error(said: &[Line]) -> &str {
    errors(said).find_map(|error| error.rendered.as_deref()).unwrap_or("it does not build")
}

fn test_binary(line: Line, starts: Option<&Path>) -> Option<TestBinary> {
    let Line::CompilerArtifact { executable, manifest_path, profile: Profile { test: true } } = line else {
        return None;
    };
    let package_folder = manifest_path.parent()?.to_path_buf();
    Some(TestBinary { executable: executable?, package_folder, starts: starts.map(Path::to_path_buf) })
}

/// The mutants that do not build, and the functions that have to stay `const`.
fn judge(said: &[Line], written: &BTreeMap<&str, Switched>) -> (BTreeSet<usize>, BTreeSet<String>) {
    /// A function that is no longer `const` is called where only those may be.
    const NOT_CONST: &str = "E0015";
    let (mut blamed, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for message in errors(said) {
        if message.code.as_ref().is_some_and(|code| code.code == NOT_CONST) {
            kept.extend(function_named(&message.message));
            continue;
        }
        let mut places: BTreeMap<&str, [Vec<Range<usize>>; 2]> = BTreeMap::new();
        for span in &message.spans {
            let mut next = Some(span);
            while let Some(place) = next {
                let [primary, others] = places.entry(&place.file_name).or_default();
                let list = if span.is_primary { primary } else { others };
                list.push(place.byte_start..place.byte_end);
                next = place.expansion.as_ref().map(|expansion| &expansion.span);
            }
        }
        for (file, [primary, others]) in places {
            blamed.extend(written.get(file).map(|file| file.blamed(&primary, &others)).unwrap_or_default());
        }
    }
    (blamed, kept)
}

/// ``cannot call non-const method `a::b::<T>::name` in constants``
fn function_named(message: &str) -> Option<String> {
    let path = message.split('`').nth(1)?;
    let name = path.rsplit("::").find(|part| part.starts_with(|first: char| first.is_alphabetic() || first == '_'))?;
    Some(name.to_owned())
}
