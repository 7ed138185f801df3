//! What can be broken in a crate, as cargo-mutants lists it.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command;

/// One way to break one line.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Mutant {
    /// Its file, from the root.
    pub(super) file: String,
    /// Its place and what is changed, in cargo-mutants' words.
    pub(super) name: String,
    pub(super) genre: Genre,
    /// What stands at the place instead.
    pub(super) replacement: String,
    pub(super) span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub(super) enum Genre {
    /// A function answers something at once.
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArmGuard,
    MatchArm,
    StructField,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Span {
    pub(super) start: Place,
    pub(super) end: Place,
}

/// Both counted from one, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// Every mutant of a crate. What is left out and why is in `.cargo/mutants.toml`.
pub(super) fn of(package: &str) -> Result<Vec<Mutant>> {
    let list = command::output(&command::cargo(), &["mutants", "--list", "--json", "--package", package])?;
    serde_json::from_str(&list).context("cargo-mutants lists in another format than the version we ask for")
}
