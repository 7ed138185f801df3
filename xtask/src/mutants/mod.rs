//! Whether the tests would notice. Guards are taken away one at a time and their tests must turn
//! red; the crates that decide are broken line by line, and only what is listed may survive.

pub(crate) mod guard;
mod guards;
mod scratch;
mod survivor;
mod survivors;

use anyhow::{Result, bail};

/// The crates whose every line decides about access or its end.
const CRATES: &[&str] = &["domain", "reconcile", "policy", "app"];

/// Runs what the words behind `mutants` ask for.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    match words {
        ["guards", about @ ..] => guards::run(about),
        [] => CRATES.iter().try_for_each(|name| survivors::run(name, None)),
        [name] if CRATES.contains(name) => survivors::run(name, None),
        [name, shard] if CRATES.contains(name) => survivors::run(name, Some(shard)),
        _ => bail!("ask for `mutants guards [WORD…]` or `mutants [{}] [K/N]`", CRATES.join("|")),
    }
}
