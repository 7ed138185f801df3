//! What comes from npm for the tests: a certified OpenID Connect provider, and what drives a browser. Installed
//! under `target/`, at the versions of a lock file, without running anything of the packages.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{command, deps};

/// Where the packages and their lock file are named.
const NAMED: &str = "tests/e2e/node";
/// Where they are put.
const FOLDER: &str = "target/node";
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs them, if they are not there as the lock file has them.
pub(crate) fn install() -> Result<()> {
    deps::node()?;
    let (named, folder) = (Path::new(NAMED), Path::new(FOLDER));
    let marker = folder.join("installed");
    let wanted = fs::read_to_string(named.join("package-lock.json")).context("the lock file cannot be read")?;
    if fs::read_to_string(&marker).is_ok_and(|kept| kept == wanted) {
        return Ok(());
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{FOLDER}`"))?;
    for file in FILES {
        fs::copy(named.join(file), folder.join(file)).with_context(|| format!("cannot copy `{file}`"))?;
    }
    let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    command::run("npm", &[&["ci", "--prefix", FOLDER], &quiet[..]].concat())?;
    fs::write(&marker, wanted)?;
    Ok(())
}
