//! The file on disk: who may read it, that nobody else writes it, that its disk is a local one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statfs::{FsType, statfs};
use rusqlite::{Connection, OpenFlags};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use wane_store::StoreError;

use crate::step;

/// Only the account that runs Wane reads or writes the store.
const MODE: u32 = 0o600;

/// How long another process may hold the file, as a backup does.
const BUSY: Duration = Duration::from_secs(5);
/// Statements that a connection keeps ready: more than there are.
const STATEMENTS: usize = 256;

/// File systems whose locks or syncs cannot be relied on, by the magic number of `statfs(2)`.
const NOT_LOCAL: &[(FsType, &str)] = &[
    (FsType(0x6969), "NFS"),
    (FsType(0x517B), "SMB"),
    (FsType(0xFF53_4D42), "SMB"),
    (FsType(0xFE53_4D42), "SMB"),
    (FsType(0x6573_5546), "FUSE"),
    (FsType(0x0102_1997), "9P"),
    (FsType(0x5346_414F), "AFS"),
    (FsType(0x7375_7245), "Coda"),
    (FsType(0x00C3_6400), "Ceph"),
];

/// What the writer's connection has to say of itself: answers leave after the disk has what they say, a table refers
/// to what is there, and a file that was tampered with is not trusted.
const TAKEN: &[(&str, &str)] = &[
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("foreign_keys", "1"),
    ("trusted_schema", "0"),
    ("cell_size_check", "1"),
];

/// The file, held by this process until it is released or this value is gone.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    lock: File,
}

impl Place {
    /// Takes the file, making it if it is not there.
    ///
    /// The lock is on a file of its own next to it: closing any descriptor of the data file would drop
    /// the POSIX locks that SQLite holds on it in this process.
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let failed =
            |what: &str, e: std::io::Error| StoreError::Unavailable(format!("{what} `{}`: {e}", path.display()));
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        refuse_remote(folder)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(MODE)
            .open(&beside)
            .map_err(|e| failed("cannot open the lock of", e))?;
        lock.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => StoreError::Unavailable(format!(
                "`{}` is in use by another process; stop it first, one store has one writer",
                path.display()
            )),
            TryLockError::Error(e) => failed("cannot lock", e),
        })?;
        // Made here and not by SQLite, so that there is no moment at which others could open it.
        match OpenOptions::new().create_new(true).write(true).mode(MODE).open(path) {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let mode = fs::metadata(path).map_err(|e| failed("cannot read", e))?.permissions().mode() & 0o777;
                if mode != MODE {
                    tracing::warn!(path = %path.display(), mode = format!("{mode:o}"), "the store was open to others; closing it to them");
                    fs::set_permissions(path, fs::Permissions::from_mode(MODE))
                        .map_err(|e| failed("cannot close to others", e))?;
                }
            }
            Err(e) => return Err(failed("cannot make", e)),
        }
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Lets others have it, once nobody here uses it any more.
    pub(crate) fn release(&self) {
        if let Err(e) = self.lock.unlock() {
            tracing::warn!(path = %self.path.display(), error = %e, "the lock of the store could not be given back; it ends with this process");
        }
    }

    /// A connection that writes as a store has to be written.
    ///
    /// INVARIANT: what was asked of SQLite has taken; a pragma that does not take says nothing
    /// (held by `a_file_that_is_written_otherwise_is_refused`).
    pub(crate) fn writer(&self) -> Result<Connection, StoreError> {
        self.opened("")
    }

    /// What a statement or savepoint might have to undo is kept in memory, not in a file; pages that are written
    /// again and again go back to the data file once in 8 MiB.
    fn opened(&self, otherwise: &str) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags).map_err(step::unavailable)?;
        conn.busy_timeout(BUSY).map_err(step::unavailable)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        let asked = "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
                     PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000;
                     PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;";
        conn.execute_batch(asked).and_then(|()| conn.execute_batch(otherwise)).map_err(step::unavailable)?;
        self.has_taken(&conn)?;
        Ok(conn)
    }

    fn has_taken(&self, conn: &Connection) -> Result<(), StoreError> {
        for (pragma, wanted) in TAKEN {
            let asked = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
            let is: String = conn.query_row(&asked, (), |row| row.get(0)).map_err(step::unavailable)?;
            if is != *wanted {
                return Err(StoreError::Unavailable(format!(
                    "SQLite does not do what was asked of it for `{}`: `{pragma}` is `{is}` and has to be `{wanted}`; \
                     put the store on a local disk that nothing else uses",
                    self.path.display()
                )));
            }
        }
        Ok(())
    }

    /// How it is opened to bring its tables up to date.
    pub(crate) fn for_migrating(&self) -> SqliteConnectOptions {
        self.options().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
    }

    /// How readers open it.
    pub(crate) fn for_reading(&self) -> SqliteConnectOptions {
        self.options().read_only(true)
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .busy_timeout(BUSY)
            .statement_cache_capacity(STATEMENTS)
    }
}

fn refuse_remote(folder: &Path) -> Result<(), StoreError> {
    let on = statfs(folder).map_err(|e| {
        StoreError::Unavailable(format!("cannot look at the folder `{}`: {e}; make it first", folder.display()))
    })?;
    match remote(on.filesystem_type()) {
        None => Ok(()),
        Some(name) => Err(StoreError::Unavailable(format!(
            "`{}` is on {name}, where locks and syncs cannot be relied on; put the store on a local disk",
            folder.display()
        ))),
    }
}

fn remote(on: FsType) -> Option<&'static str> {
    NOT_LOCAL.iter().find(|(n, _)| *n == on).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_otherwise_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::take(&folder.path().join("store")).unwrap();
        place.writer().unwrap();
        for (pragma, otherwise) in [
            ("journal_mode", "DELETE"),
            ("synchronous", "NORMAL"),
            ("foreign_keys", "OFF"),
            ("trusted_schema", "ON"),
            ("cell_size_check", "OFF"),
        ] {
            let refused = place.opened(&format!("PRAGMA {pragma} = {otherwise}")).unwrap_err().to_string();
            assert!(refused.contains(pragma), "{pragma}: {refused}");
        }
    }

    #[test]
    fn only_local_disks_will_do() {
        for (magic, want) in [
            (0xEF53, None),
            (0x9123_683E, None),
            (0x6969, Some("NFS")),
            (0xFE53_4D42, Some("SMB")),
            (0x6573_5546, Some("FUSE")),
        ] {
            assert_eq!(remote(FsType(magic)), want, "{magic:x}");
        }
    }
}
