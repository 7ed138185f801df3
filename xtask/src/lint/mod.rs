//! Formatting, clippy, and the project's own rules. Each rule is a file that looks at the tree and
//! returns findings; this one runs them all before it complains.

mod code;
mod commands;
mod direction;
mod entropy;
mod evidence;
mod failpoints;
mod finding;
mod headers;
mod kinds;
mod lock_files;
mod machine_paths;
mod metadata;
mod names;
mod purity;
mod threats;
mod tree;

use anyhow::{Result, ensure};

use crate::command;
use finding::Finding;
use metadata::Metadata;
use tree::Tree;

/// Checks everything that can be checked without running the project.
pub(crate) fn run() -> Result<()> {
    let findings = own_rules()?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    ensure!(findings.is_empty(), "{} broken rules", findings.len());
    println!("the project's own rules hold");

    let cargo = command::cargo();
    // Both are run before either is complained about: one pass shows all there is to mend.
    let formatted = command::run(&cargo, &["fmt", "--all", "--check"]);
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    formatted.and(command::run(&cargo, &clippy))
}

fn own_rules() -> Result<Vec<Finding>> {
    let tree = Tree::read()?;
    let metadata = Metadata::read()?;
    let kinds = metadata.kinds();
    Ok([
        direction::check(&metadata),
        purity::check(&metadata),
        names::check(&tree),
        kinds::check(&tree, &kinds),
        evidence::check(&tree),
        failpoints::check(&tree),
        entropy::check(&tree),
        headers::check(&tree),
        machine_paths::check(&tree),
        lock_files::check(&tree),
        commands::check(&tree),
        threats::check(&tree),
    ]
    .concat())
}
