//! The mutants that no test kills and why that is right. The list only shrinks: who is on it and
//! dies is struck off, and nobody is added but with a reason.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::command;

/// Where the list is, from the root.
pub(super) const LIST: &str = "xtask/mutants.toml";

/// A mutant that may survive.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Survivor {
    /// Its file and what was changed, without line and column: they move.
    pub(super) mutant: String,
    /// Why no test has to notice.
    pub(super) why: String,
    /// How many mutants of the file read the same.
    #[serde(default = "one")]
    pub(super) times: usize,
}

const fn one() -> usize {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    survivor: Vec<Survivor>,
}

/// The listed survivors of one crate.
pub(super) fn listed(name: &str) -> Result<Vec<Survivor>> {
    let text = fs::read_to_string(command::root().join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    let list: List = toml::from_str(&text).with_context(|| format!("{LIST} is not a list of survivors"))?;
    for survivor in &list.survivor {
        ensure!(!survivor.why.trim().is_empty(), "{LIST}: say why `{}` may survive", survivor.mutant);
    }
    let folder = format!("crates/{name}/");
    Ok(list.survivor.into_iter().filter(|survivor| survivor.mutant.starts_with(&folder)).collect())
}

/// How what survived differs from what may.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Survived, and not on the list.
    pub(super) unlisted: Vec<String>,
    /// On the list, and killed.
    pub(super) killed: Vec<String>,
}

/// Compares the lines that cargo-mutants wrote with the list.
pub(super) fn compare(survived: &str, listed: &[Survivor]) -> Difference {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for line in survived.lines().filter(|line| !line.is_empty()) {
        *found.entry(without_place(line)).or_default() += 1;
    }
    let mut allowed: BTreeMap<&str, usize> = BTreeMap::new();
    for survivor in listed {
        *allowed.entry(&survivor.mutant).or_default() += survivor.times;
    }
    let more = |mutant: &str, times: usize| (times > 0).then(|| format!("{mutant} ({times}×)"));
    Difference {
        unlisted: found
            .iter()
            .filter_map(|(mutant, times)| {
                more(mutant, times.saturating_sub(allowed.get(mutant.as_str()).copied().unwrap_or(0)))
            })
            .collect(),
        killed: allowed
            .iter()
            .filter_map(|(mutant, times)| more(mutant, times.saturating_sub(found.get(*mutant).copied().unwrap_or(0))))
            .collect(),
    }
}

/// `file:line:column: what` as `file: what`.
fn without_place(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}:{what}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Survivor, compare};

    #[test]
    fn only_listed_mutants_survive_and_dead_ones_are_struck_off() {
        let listed = |mutant: &str, times| Survivor { mutant: mutant.to_owned(), why: "w".to_owned(), times };
        for (survived, list, unlisted, killed) in [
            ("a.rs:3:9: replace f -> T with ()", vec![listed("a.rs: replace f -> T with ()", 1)], 0, 0),
            ("a.rs:3:9: x\na.rs:8:1: x", vec![listed("a.rs: x", 2)], 0, 0),
            ("a.rs:3:9: x\na.rs:8:1: x", vec![listed("a.rs: x", 1)], 1, 0),
            ("a.rs:3:9: x", vec![], 1, 0),
            ("", vec![listed("a.rs: x", 1)], 0, 1),
            ("a.rs:3:9: y", vec![listed("a.rs: x", 1)], 1, 1),
            ("", vec![], 0, 0),
        ] {
            let found = compare(survived, &list);
            assert_eq!((found.unlisted.len(), found.killed.len()), (unlisted, killed), "{survived}");
        }
    }
}
