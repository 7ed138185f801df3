//! Whether the tests would notice. Guards are taken away one at a time and their tests must turn
//! red; the crates that decide are broken line by line, and only what is listed may survive.

pub(crate) mod guard;
mod guards;
mod listed;
mod scratch;
mod sites;
mod survivor;
mod survivors;
mod switched;
mod switches;
mod trial;

use anyhow::{Result, bail};

/// The crates whose every line decides about access or its end, and the packages whose tests say so.
const CRATES: &[(&str, &[&str])] = &[
    ("domain", &["wane-domain"]),
    ("reconcile", &["wane-reconcile"]),
    ("policy", &["wane-policy"]),
    ("app", &["wane-app", "wane-reconcile"]),
];

/// Runs what the words behind `mutants` ask for.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    match words {
        ["guards", about @ ..] => guards::run(about),
        [] => CRATES.iter().try_for_each(|(name, packages)| survivors::run(name, packages, &[])),
        [name, about @ ..] => match CRATES.iter().find(|(known, _)| known == name) {
            Some((name, packages)) => survivors::run(name, packages, about),
            None => {
                let names: Vec<&str> = CRATES.iter().map(|(name, _)| *name).collect();
                bail!("ask for `mutants guards [WORD…]` or `mutants [{}] [WORD…]`", names.join("|"))
            }
        },
    }
}
