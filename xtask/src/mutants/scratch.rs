//! A copy of the checkout to break things in. It keeps its own build between runs, so that only
//! what changed is built again; the checkout itself is never touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};

use crate::{command, web};

#[derive(Debug)]
pub(super) struct Scratch {
    tree: PathBuf,
    build: PathBuf,
}

impl Scratch {
    /// Brings the copy of a chore up to date, whatever an interrupted run left in it.
    pub(super) fn prepare(chore: &str) -> Result<Self> {
        let folder = command::root().join("target").join(chore);
        let scratch = Self { tree: folder.join("tree"), build: folder.join("build") };
        let listed = command::output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        // What is built of the web UI is not the project's, and has to be there to be served.
        web::build()?;
        let built = command::output("git", &["ls-files", "-z", "--others", "--", web::BUILT])?;
        let wanted: BTreeSet<PathBuf> = listed
            .split('\0')
            .chain(built.split('\0'))
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .filter(|path| command::root().join(path).is_file())
            .collect();
        scratch.remove_all_but(&wanted)?;
        for path in &wanted {
            scratch.write(path, &fs::read(command::root().join(path))?)?;
        }
        Ok(scratch)
    }

    /// Reads a file of the copy.
    pub(super) fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.tree.join(path)).with_context(|| format!("cannot read `{path}`"))
    }

    /// Writes a file of the copy, if that changes it: cargo looks at the time of the last change.
    pub(super) fn write(&self, path: impl AsRef<Path>, text: &[u8]) -> Result<()> {
        let file = self.tree.join(path);
        if fs::read(&file).is_ok_and(|present| present == text) {
            return Ok(());
        }
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))
    }

    /// Runs cargo in the copy and waits for what it says.
    pub(super) fn cargo(&self, arguments: &[String]) -> Result<Output> {
        Command::new(command::cargo())
            .args(arguments)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_INCREMENTAL", "1")
            .output()
            .context("cannot run cargo")
    }

    fn remove_all_but(&self, wanted: &BTreeSet<PathBuf>) -> Result<()> {
        let mut folders = vec![self.tree.clone()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().into_iter().flatten() {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.strip_prefix(&self.tree).is_ok_and(|own| !wanted.contains(own)) {
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }
}
