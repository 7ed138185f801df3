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

/// A crate whose every line decides about access or its end.
struct Decides {
    name: &'static str,
    /// The packages whose tests say so.
    packages: &'static [&'static str],
    /// Whether what none of these comes by is for the end-to-end tests to say.
    end_to_end: bool,
}

const CRATES: &[Decides] = &[
    Decides { name: "domain", packages: &["wane-domain"], end_to_end: false },
    Decides { name: "reconcile", packages: &["wane-reconcile"], end_to_end: false },
    Decides { name: "policy", packages: &["wane-policy"], end_to_end: false },
    Decides { name: "app", packages: &["wane-app", "wane-reconcile"], end_to_end: true },
];

/// Runs what the words behind `mutants` ask for.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    match words {
        ["guards", about @ ..] => guards::run(about),
        [] => CRATES.iter().try_for_each(|one| survivors::run(one, &[])),
        [name, about @ ..] => match CRATES.iter().find(|one| one.name == *name) {
            Some(one) => survivors::run(one, about),
            None => {
                let names: Vec<&str> = CRATES.iter().map(|one| one.name).collect();
                bail!("ask for `mutants guards [WORD…]` or `mutants [{}] [WORD…]`", names.join("|"))
            }
        },
    }
}
