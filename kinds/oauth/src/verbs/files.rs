//! Files that hold a secret: written whole or not at all, and for this account alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use wane_connector::verb::VerbError;

/// Puts a file in place of the one before.
pub(super) fn put(path: &Path, content: &[u8], mark: &str) -> Result<(), VerbError> {
    let beside = beside(path, mark);
    let written = write(&beside, content).and_then(|()| fs::rename(&beside, path));
    written.map_err(|e| {
        let _ = fs::remove_file(&beside);
        failed("write", path, &e)
    })
}

/// Puts a file where none is.
pub(super) fn new(path: &Path, content: &[u8]) -> Result<(), VerbError> {
    write(path, content).map_err(|e| failed("write", path, &e))
}

/// Takes a file away: the access it stood for is over.
pub(super) fn remove(path: &Path) {
    // What cannot be removed is of no use to anybody an hour later.
    let _ = fs::remove_file(path);
}

fn beside(path: &Path, mark: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{mark}"))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

pub(super) fn failed(what: &str, path: &Path, e: &io::Error) -> VerbError {
    VerbError::Failed(format!("cannot {what} `{}`: {e}", path.display()))
}
