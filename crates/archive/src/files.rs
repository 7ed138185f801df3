//! The folder: a file per session, named after it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use wane_domain::id::SessionId;
use wane_recording::{ReadError, holds_until};

/// Only the account that runs Wane reads them; they are sealed besides.
const MODE: u32 = 0o600;
const SUFFIX: &str = "wane-recording";

/// The folder, or a file in it, cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("the recording `{path}` cannot be {what}: {why}", path = .path.display())]
pub struct FolderError {
    path: PathBuf,
    what: &'static str,
    why: io::Error,
}

/// Where the recordings lie.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(path: &Path) -> Result<Self, FolderError> {
        std::fs::create_dir_all(path).map_err(|why| FolderError { path: path.to_owned(), what: "made", why })?;
        Ok(Self(path.to_owned()))
    }

    /// The recording of a session, to be read; nothing if there is none. Grows while the session lasts.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn read(&self, session: SessionId) -> Result<Option<File>, FolderError> {
        match File::open(self.path(session)) {
            Ok(file) => Ok(Some(file)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.failed(session, "opened", why)),
        }
    }

    /// The sessions of which there is a recording.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sessions(&self) -> Result<Vec<SessionId>, FolderError> {
        let failed = |why| FolderError { path: self.0.clone(), what: "listed", why };
        let mut sessions = Vec::new();
        for entry in std::fs::read_dir(&self.0).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let session: Option<SessionId> =
                name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.strip_suffix('.')?.parse().ok());
            sessions.extend(session);
        }
        Ok(sessions)
    }

    /// Removes the recording of a session, if there is one.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, session: SessionId) -> Result<(), FolderError> {
        match std::fs::remove_file(self.path(session)) {
            Ok(()) => self.sync(),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(why) => Err(self.failed(session, "removed", why)),
        }
    }

    /// A file for a session that has none.
    pub(crate) fn begin(&self, session: SessionId) -> Result<File, FolderError> {
        let mut options = OpenOptions::new();
        options.create_new(true).write(true).mode(MODE);
        options.open(self.path(session)).map_err(|why| self.failed(session, "made", why))
    }

    /// The names in the folder last.
    pub(crate) fn sync(&self) -> Result<(), FolderError> {
        let synced = File::open(&self.0).and_then(|folder| folder.sync_all());
        synced.map_err(|why| FolderError { path: self.0.clone(), what: "synced", why })
    }

    /// Puts pieces where they belong, whatever is there, and cuts off what is not part of the recording behind them.
    /// A file that is not there and whose beginning is not among them was there once, and was removed.
    pub(crate) fn restore(&self, session: SessionId, pieces: &[(u64, Vec<u8>)]) -> Result<(), FolderError> {
        let whole = pieces.iter().any(|(at, _)| *at == 0);
        let mut options = OpenOptions::new();
        options.create(whole).truncate(false).read(true).write(true).mode(MODE);
        let mut file = match options.open(self.path(session)) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(why) => return Err(self.failed(session, "opened", why)),
        };
        for (at, bytes) in pieces {
            file.write_all_at(bytes, *at).map_err(|why| self.failed(session, "written", why))?;
        }
        let known = pieces.iter().map(|(at, bytes)| at + bytes.len() as u64).max().unwrap_or(0);
        let end = match holds_until(&mut file, known) {
            Ok(end) => end,
            Err(ReadError::Io(why)) => return Err(self.failed(session, "read", why)),
            Err(ReadError::Foreign | ReadError::Header) => known,
        };
        file.set_len(end).and_then(|()| file.sync_all()).map_err(|why| self.failed(session, "synced", why))
    }

    fn path(&self, session: SessionId) -> PathBuf {
        self.0.join(format!("{session}.{SUFFIX}"))
    }

    pub(crate) fn failed(&self, session: SessionId, what: &'static str, why: io::Error) -> FolderError {
        FolderError { path: self.path(session), what, why }
    }
}
