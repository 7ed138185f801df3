//! A folder that only its owner can read, and that is gone afterwards.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::access::Session;
use crate::exit::Stop;

/// Memory that every account may use.
const SHARED_MEMORY: &str = "/dev/shm";

/// A private folder; removed with what is in it when dropped.
#[derive(Debug)]
pub(in crate::run) struct PrivateDir(PathBuf);

impl PrivateDir {
    /// Makes one: in the session's own memory-backed folder if there is one.
    pub(in crate::run) fn make(s: &Session) -> Result<Self, Stop> {
        let place = runtime_dir(s)
            .or_else(|| Some(PathBuf::from(SHARED_MEMORY)).filter(|dir| is_in_memory(dir)))
            .or_else(|| s.var("TMPDIR").map(PathBuf::from).filter(|dir| dir.is_absolute()))
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        Self::under(&place, &s.hex(16))
    }

    /// Makes one in memory and nowhere else: a machine that many take turns on keeps what is on its disk.
    pub(super) fn in_memory(s: &Session) -> Result<Self, Stop> {
        let places = runtime_dir(s).into_iter().chain([PathBuf::from(SHARED_MEMORY)]);
        let place = places.into_iter().find(|dir| is_in_memory(dir)).ok_or_else(|| {
            Stop::failed("there is no folder in memory for what a job is given")
                .todo(format!("mount a tmpfs at {SHARED_MEMORY}, or set XDG_RUNTIME_DIR to one"))
        })?;
        Self::under(&place, &s.hex(16))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn under(place: &Path, name: &str) -> Result<Self, Stop> {
        let dir = place.join(format!("wane-{name}"));
        // Not recursive: a folder that is there already was made by somebody else.
        DirBuilder::new().mode(0o700).create(&dir).map_err(|e| {
            Stop::failed(format!("no private folder can be made in `{}`: {e}", place.display()))
                .todo("set XDG_RUNTIME_DIR to a folder of yours")
        })?;
        Ok(Self(dir))
    }

    /// Writes a new file.
    pub(in crate::run) fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Stop> {
        let path = self.0.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|e| Stop::failed(format!("`{}` cannot be written: {e}", path.display())))?;
        Ok(path)
    }
}

fn runtime_dir(s: &Session) -> Option<PathBuf> {
    s.var("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute() && dir.is_dir())
}

/// Whether a folder is there and lies in memory.
#[cfg(target_os = "linux")]
fn is_in_memory(dir: &Path) -> bool {
    use nix::sys::statfs::{TMPFS_MAGIC, statfs};
    statfs(dir).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC)
}

/// Whether a folder is there and lies in memory; elsewhere nobody can tell.
#[cfg(not(target_os = "linux"))]
const fn is_in_memory(_: &Path) -> bool {
    false
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn it_is_private_and_gone_afterwards() {
        let place = tempfile::tempdir().unwrap();
        let dir = PrivateDir::under(place.path(), "x").unwrap();
        let file = dir.file("secret", b"canary").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&dir.0), mode(&file)), (0o700, 0o600));
        assert!(PrivateDir::under(place.path(), "x").is_err(), "one that is there is never taken");
        assert!(dir.file("secret", b"other").is_err());
        drop(dir);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
