//! Where a signer of its own keeps its keys: one file in its folder, under a seal of its own.
//!
//! Owns that file. Refuses to know what the keys sign, and the store: nothing of this is in there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;

use super::message::Bytes;
use super::root::RootFile;
use crate::envelope::{EnvelopeError, Keyring, KeyringError, Place};
use crate::seal::Seal;

/// What it knows by itself.
const ROOT: &str = "signer.root";

/// What lies in a signer's folder.
#[derive(Debug)]
pub struct Chest {
    /// Whose it is.
    pub org: OrgId,
    ring: Keyring,
    wrapped: Bytes,
    keys: BTreeMap<String, Bytes>,
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    org: OrgId,
    ring: Bytes,
    keys: BTreeMap<String, Bytes>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum ChestError {
    /// Nobody made them.
    #[error("there are no signing keys in `{}`; make them with `wane signer init`", .0.display())]
    NotThere(PathBuf),
    /// There is none of that purpose.
    #[error("there is no key `{0}` here")]
    NoKey(String),
    /// Somebody did.
    #[error("there are signing keys in `{}` already; nothing was changed", .0.display())]
    ThereAlready(PathBuf),
    /// What a signer with other keys knew is there still.
    #[error(
        "`{}` is of a signer with other keys; move it away, and say to the new one whose signatures count and what has to be \
         signed for",
        .0.display()
    )]
    Left(PathBuf),
    /// Reading or writing failed.
    #[error("`{}` cannot be {doing}: {why}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// Not what was written there.
    #[error("`{}` is damaged ({why}); restore it from the backup", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The seal does not open it.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A key does not open.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl Chest {
    /// Puts keys into a folder in which there are none; returns once they are on disk.
    ///
    /// # Errors
    /// When there are some, or they cannot be written.
    pub fn make(
        folder: &Path,
        seal: &Seal,
        org: OrgId,
        keys: &[(&str, Secret)],
        ambient: &Ambient,
    ) -> Result<Self, ChestError> {
        let path = path(folder);
        if path.exists() {
            return Err(ChestError::ThereAlready(folder.to_owned()));
        }
        // What other keys' signer knew would not open, and what it asks people to sign for would be forgotten.
        if folder.join(ROOT).exists() {
            return Err(ChestError::Left(folder.join(ROOT)));
        }
        let (ring, wrapped) = Keyring::create(seal, org, ambient)?;
        let empty = Self { org, ring, wrapped: Bytes(wrapped), keys: BTreeMap::new(), folder: folder.to_owned() };
        empty.with(keys)
    }

    /// With more keys; returns once they are on disk.
    ///
    /// # Errors
    /// When they cannot be written; then what was there is there.
    pub fn with(mut self, more: &[(&str, Secret)]) -> Result<Self, ChestError> {
        for (purpose, key) in more {
            let sealed = Bytes(self.ring.seal(&place(purpose), key.expose())?);
            self.keys.insert((*purpose).to_owned(), sealed);
        }
        self.keep()
    }

    /// Without the key of a purpose; returns once that is on disk.
    ///
    /// # Errors
    /// When there is none, or it cannot be written; then what was there is there.
    pub fn without(mut self, purpose: &str) -> Result<Self, ChestError> {
        if self.keys.remove(purpose).is_none() {
            return Err(ChestError::NoKey(purpose.to_owned()));
        }
        self.keep()
    }

    fn keep(self) -> Result<Self, ChestError> {
        let path = path(&self.folder);
        let kept = Kept { org: self.org, ring: self.wrapped.clone(), keys: self.keys.clone() };
        let damaged = |e: serde_json::Error| ChestError::Damaged { path: path.clone(), why: e.to_string() };
        let text = serde_json::to_vec_pretty(&kept).map_err(damaged)?;
        super::root::put(&path, &path.with_extension("new"), &text).map_err(|why| ChestError::Io {
            doing: "written",
            path,
            why,
        })?;
        Ok(self)
    }

    /// Opens what is in a folder.
    ///
    /// # Errors
    /// When nothing is, or it does not open under this seal.
    pub fn open(folder: &Path, seal: &Seal, ambient: &Ambient) -> Result<Self, ChestError> {
        let path = path(folder);
        let text = fs::read(&path).map_err(|why| match why.kind() {
            std::io::ErrorKind::NotFound => ChestError::NotThere(folder.to_owned()),
            _ => ChestError::Io { doing: "read", path: path.clone(), why },
        })?;
        let kept: Kept = serde_json::from_slice(&text).map_err(|e| ChestError::Damaged { path, why: e.to_string() })?;
        let ring = Keyring::unlock(seal, kept.org, &kept.ring.0, ambient)?;
        Ok(Self { org: kept.org, ring, wrapped: kept.ring, keys: kept.keys, folder: folder.to_owned() })
    }

    /// The key of a purpose, if there is one.
    ///
    /// # Errors
    /// When it does not open.
    pub fn key(&self, purpose: &str) -> Result<Option<Secret>, ChestError> {
        let Some(Bytes(sealed)) = self.keys.get(purpose) else { return Ok(None) };
        Ok(Some(self.ring.open(&place(purpose), sealed)?))
    }

    /// The file beside it in which the signer keeps what it knows by itself.
    #[must_use]
    pub fn root(self) -> RootFile {
        RootFile::at(self.folder.join(ROOT), self.ring)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("signer.keys")
}

fn place(purpose: &str) -> Place<'_> {
    Place { table: "signer", row: purpose, column: "key" }
}
