//! A folder that only its owner can read, and that is gone afterwards.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::access::Session;
use crate::exit::Stop;

/// A private folder; removed with what is in it when dropped.
#[derive(Debug)]
pub(in crate::run) struct PrivateDir(PathBuf);

impl PrivateDir {
    /// Makes one: in the session's own memory-backed folder if there is one.
    pub(in crate::run) fn make(s: &Session) -> Result<Self, Stop> {
        let place = s
            .var("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute() && dir.is_dir())
            .or_else(|| s.var("TMPDIR").map(PathBuf::from).filter(|dir| dir.is_absolute()))
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        Self::under(&place, &s.hex(16))
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
