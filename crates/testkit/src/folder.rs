//! Folders on disk: one throw-away folder per server, and one folder per machine account for what
//! test processes share (locks, the database template).

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Servers run as accounts of their own and must be able to walk through, but not to list.
const WALK_ONLY: u32 = 0o711;

/// A new folder that vanishes with the returned value.
pub(crate) fn throw_away(prefix: &str) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir().context("cannot make a temporary folder")?;
    fs::set_permissions(folder.path(), Permissions::from_mode(WALK_ONLY))?;
    Ok(folder)
}

/// The folder all test processes of this account share.
///
/// Its name is predictable, so it is used only if it is a real folder that belongs to us.
pub(crate) fn shared() -> Result<PathBuf> {
    let uid = nix::unistd::geteuid().as_raw();
    let path = std::env::temp_dir().join(format!("wane-testkit-{uid}"));
    match DirBuilder::new().mode(WALK_ONLY).create(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot create `{}`", path.display()));
        }
    }
    let found = fs::symlink_metadata(&path)?;
    ensure!(
        found.is_dir() && found.uid() == uid,
        "`{}` is not a folder of this account; remove it and try again",
        path.display()
    );
    Ok(path)
}

/// Holds a machine-wide lock until the returned file is dropped or the process ends.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = open_lock(path)?;
    file.lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
    Ok(file)
}

/// Opens, without taking it, the file behind a lock.
pub(crate) fn open_lock(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open the lock `{}`", path.display()))
}
