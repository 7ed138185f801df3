//! What a signer knows by itself: whose signatures count, what they are asked for, what was used.
//!
//! Owns: its one file, sealed, written whole and before anything that rests on it. Refuses to know the store: nothing
//! in there adds a key or takes a guard away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wane_domain::approval::KeyMaterial;
use wane_domain::id::{ApproverKeyId, GrantId, PersonId, ResourceId};
use wane_domain::time::{Span, Time};

use super::names::{Bound, Names};
use crate::envelope::{Keyring, Place};

const PLACE: Place<'static> = Place { table: "signer", row: "root", column: "root" };

/// What it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Counts up with each change.
    pub version: u64,
    /// Keys that count.
    pub keys: BTreeMap<ApproverKeyId, Known>,
    /// What has to be signed for.
    pub guards: BTreeMap<String, Guard>,
    /// What was signed for and used, by the digest of the request and the item.
    pub used: BTreeMap<String, Used>,
    /// Grants that are over.
    pub ended: BTreeMap<GrantId, Time>,
    /// Keys that some vouched for, and too few yet.
    #[serde(default)]
    pub vouched: Vec<Pending>,
    /// Keys that were told to count no more: nobody vouches for them again.
    #[serde(default)]
    pub forgotten: BTreeSet<ApproverKeyId>,
    /// Whether names stay with who had them first.
    #[serde(default)]
    pub holds: Names,
    /// Names that were certified.
    #[serde(default)]
    pub names: BTreeMap<String, Bound>,
    /// Keys that were asked for more signatures than they give.
    #[serde(default)]
    pub limited: BTreeMap<String, Limited>,
}

/// That a key was asked for more than it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limited {
    /// In how many minutes.
    pub minutes: u64,
    /// When last.
    pub last: Time,
}

/// A key that some vouched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Which.
    pub key: ApproverKeyId,
    /// Whose.
    pub person: PersonId,
    /// Its public part.
    pub material: KeyMaterial,
    /// Who vouched, and when.
    pub by: BTreeMap<PersonId, Time>,
}

/// A key that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Whose.
    pub person: PersonId,
    /// Its public part.
    pub material: KeyMaterial,
    /// Since when.
    pub since: Time,
}

/// What has to be signed for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// By how many people.
    pub quorum: u16,
    /// For how long at most.
    pub most: Span,
    /// Of which resource it is, where nothing that people sign says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<ResourceId>,
}

/// That something was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Under which grant.
    pub grant: GrantId,
    /// When first.
    pub first: Time,
    /// Until when at the latest; forgotten some time after that.
    pub until: Time,
}

/// What of a root may be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Which state of it.
    pub version: u64,
    /// Keys that count.
    pub keys: BTreeMap<ApproverKeyId, Known>,
    /// What has to be signed for.
    pub guards: BTreeMap<String, Guard>,
}

/// Why a root could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// Reading or writing failed.
    #[error("the signer's file `{}` cannot be {doing}: {why}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// Not what was written there, or older than what was seen.
    #[error("the signer's file `{}` is not as it was left ({why}); restore it from the backup", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Where a root lies.
#[derive(Debug)]
pub struct RootFile {
    path: PathBuf,
    ring: Keyring,
}

impl RootFile {
    /// At a path, sealed by the issuing keyring.
    #[must_use]
    pub fn at(path: PathBuf, ring: Keyring) -> Self {
        Self { path, ring }
    }

    /// Holds it against others who would change it.
    ///
    /// # Errors
    /// When the lock cannot be had.
    pub fn hold(&self) -> Result<File, RootError> {
        let path = self.path.with_extension("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let io = |why| RootError::Io { doing: "held", path: path.clone(), why };
        let lock = lock.map_err(io)?;
        lock.lock().map_err(io)?;
        Ok(lock)
    }

    /// What is there; nothing if it was never written.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was written.
    pub fn read(&self) -> Result<Root, RootError> {
        let damaged = |why: String| RootError::Damaged { path: self.path.clone(), why };
        let sealed = match fs::read(&self.path) {
            Ok(sealed) => sealed,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Root::default()),
            Err(why) => return Err(RootError::Io { doing: "read", path: self.path.clone(), why }),
        };
        let plain = self.ring.open(&PLACE, &sealed).map_err(|e| damaged(e.to_string()))?;
        serde_json::from_slice(plain.expose()).map_err(|e| damaged(e.to_string()))
    }

    /// Puts it in place of what was there; returns once it is on disk.
    ///
    /// # Errors
    /// When it cannot be written; then what was there is there.
    pub fn write(&self, root: &Root) -> Result<(), RootError> {
        let damaged = |why: String| RootError::Damaged { path: self.path.clone(), why };
        let plain = serde_json::to_vec(root).map_err(|e| damaged(e.to_string()))?;
        let sealed = self.ring.seal(&PLACE, &plain).map_err(|e| damaged(e.to_string()))?;
        let beside = self.path.with_extension("new");
        put(&self.path, &beside, &sealed).map_err(|why| RootError::Io {
            doing: "written",
            path: self.path.clone(),
            why,
        })
    }
}

/// Puts a file in place of what was there; returns once it is on disk.
pub(super) fn put(path: &Path, beside: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
