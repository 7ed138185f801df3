//! Programs from PyPI that look at Wane from outside, each in a virtual environment of its own under
//! `target/`, at a version named by whoever wants it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{command, deps};

/// The environment of a package, made if it is not there at this version.
pub(crate) fn environment(package: &str, version: &str, folder: &Path) -> Result<PathBuf> {
    deps::python()?;
    let (venv, marker) = (folder.join("venv"), folder.join("version"));
    if fs::read_to_string(&marker).is_ok_and(|kept| kept == version) && venv.is_dir() {
        return Ok(venv);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    command::run("python3", &["-m", "venv", "--clear", &venv.display().to_string()])?;
    let pip = venv.join("bin/pip").display().to_string();
    command::run(&pip, &["install", "--quiet", "--disable-pip-version-check", &format!("{package}=={version}")])?;
    fs::write(&marker, version)?;
    Ok(venv)
}
