//! The files of a pair: written whole or not at all, and for this account alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use wane_connector::verb::VerbError;

/// The folder that a pair is in. Certificate and key change together: each pair has a folder of its own, and `current`
/// leads to the one that counts, so that a program which opens `current/…` never sees halves of two.
#[derive(Debug)]
pub(super) struct PairFolder {
    path: PathBuf,
    kept: Option<PathBuf>,
}

/// The link by which programs find the pair.
const CURRENT: &str = "current";

impl PairFolder {
    pub(super) fn open(path: &Path) -> Result<Self, VerbError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|e| failed("make the folder", path, &e))?;
        let kept = fs::read_link(path.join(CURRENT)).ok().map(|name| path.join(name));
        Ok(Self { path: path.to_owned(), kept })
    }

    /// Puts a pair in place of the one before, which goes.
    pub(super) fn put(&mut self, name: &str, files: &[(&str, &[u8])]) -> Result<(), VerbError> {
        let folder = self.path.join(name);
        DirBuilder::new().mode(0o700).create(&folder).map_err(|e| failed("make the folder", &folder, &e))?;
        for (file, content) in files {
            let path = folder.join(file);
            write(&path, content).map_err(|e| failed("write", &path, &e))?;
        }
        let (beside, link) = (self.path.join(format!("{name}.link")), self.path.join(CURRENT));
        let linked = std::os::unix::fs::symlink(name, &beside).and_then(|()| fs::rename(&beside, &link));
        linked.map_err(|e| failed("write", &link, &e))?;
        if let Some(before) = self.kept.replace(folder) {
            remove(&before);
        }
        Ok(())
    }

    /// Takes the pair away: the access it stood for is over.
    pub(super) fn clear(&mut self) {
        if let Some(kept) = self.kept.take() {
            let _ = fs::remove_file(self.path.join(CURRENT));
            remove(&kept);
        }
    }
}

fn remove(folder: &Path) {
    // What cannot be removed is of no use to anybody an hour later.
    let _ = fs::remove_dir_all(folder);
}

pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

pub(super) fn failed(what: &str, path: &Path, e: &io::Error) -> VerbError {
    VerbError::Failed(format!("cannot {what} `{}`: {e}", path.display()))
}
