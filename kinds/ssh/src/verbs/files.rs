//! Files on the host and beside the client: written whole or not at all, and folders that leave
//! nothing behind.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use wane_connector::verb::VerbError;

/// Whether a file had to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    New,
    Changed,
    Unchanged,
}

impl Written {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::New => "wrote",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Puts a file in place: a temporary one beside it, to disk, then renamed over it, so that a reader
/// sees the old content or the new and never a part.
pub(super) fn put(path: &Path, content: &[u8], mode: u32) -> Result<Written, VerbError> {
    let before = fs::read(path).ok();
    let same_mode = fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o7777 == mode);
    if same_mode && before.as_deref() == Some(content) {
        return Ok(Written::Unchanged);
    }
    put_anyway(path, content, mode).map_err(|e| failed("write", path, &e))?;
    Ok(if before.is_some() { Written::Changed } else { Written::New })
}

fn put_anyway(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".wane-new");
    let beside = path.with_file_name(name);
    // Left over from a run that was cut off, or laid as a trap: either way not ours to write into.
    match fs::remove_file(&beside) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// What went wrong with which file.
pub(super) fn failed(what: &str, path: &Path, e: &io::Error) -> VerbError {
    VerbError::Failed(format!("cannot {what} `{}`: {e}", path.display()))
}

/// A folder only this account can enter, removed with everything in it when the value goes.
#[derive(Debug)]
pub(super) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// In `parent`, under a name nobody can guess.
    pub(super) fn create(parent: &Path, name: &str) -> Result<Self, VerbError> {
        let path = parent.join(name);
        DirBuilder::new().mode(0o700).create(&path).map_err(|e| failed("make the folder", &path, &e))?;
        Ok(Self(path))
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // Nothing secret is in it; if it cannot be removed there is nobody left to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}
