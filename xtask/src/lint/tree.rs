//! The files of the checkout as git sees them: committed, or new and not ignored.

use std::fs;

use anyhow::Result;

use crate::command;

/// A text file: its path from the root, and what it says.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct Tree {
    files: Vec<Source>,
}

impl Tree {
    pub(super) fn read() -> Result<Self> {
        let listed = command::output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let files = listed
            .split('\0')
            .filter(|path| !path.is_empty())
            // Deleted files are still listed, and binary files hold no text: both have no rules.
            .filter_map(|path| {
                let text = fs::read_to_string(command::root().join(path)).ok()?;
                let path = path.to_owned();
                Some(Source { path, text })
            })
            .collect();
        Ok(Self { files })
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files =
            files.iter().map(|(path, text)| Source { path: (*path).to_owned(), text: (*text).to_owned() }).collect();
        Self { files }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

impl Source {
    /// Whether the file exists only for tests: an integration test or a sibling `tests.rs`.
    pub(super) fn is_test(&self) -> bool {
        let under =
            |folder: &str| self.path.starts_with(&format!("{folder}/")) || self.path.contains(&format!("/{folder}/"));
        under("tests") || under("benches") || under("examples") || self.path.ends_with("/tests.rs")
    }
}
