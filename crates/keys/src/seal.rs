//! Seals: where the key-encryption keys come from, and nothing about what they encrypt.
//!
//! Owns the two ways to open a seal: a key file bound to this machine, and a passphrase. Refuses
//! to know what lies under a seal; [`crate::envelope`] wraps data keys with it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use zeroize::Zeroizing;

use crate::aead;

mod file;
mod machine;
mod passphrase;

/// Which of the seals. A key wrapped by one never opens under the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SealName {
    /// What ending access needs: connector credentials. Opens unattended.
    Ends,
    /// What giving access needs: CA keys, the pepper. May need a person.
    Issuing,
    /// The CA keys of a signer that is a process of its own. May need a person.
    Signing,
}

impl SealName {
    /// Its name: `ends`, `issuing`, `signing`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ends => "ends",
            Self::Issuing => "issuing",
            Self::Signing => "signing",
        }
    }
}

impl fmt::Display for SealName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An opened seal: a key-encryption key that wraps data keys. Wiped when dropped.
pub struct Seal {
    name: SealName,
    kek: Zeroizing<[u8; aead::KEY]>,
}

impl Seal {
    /// Opens the seal whose key is the file at `path`: 32 random bytes that only this user can
    /// read. If there is no such file it is made, in a folder made for it if need be.
    ///
    /// # Errors
    /// When the file or its folder is open to others, belongs to somebody else, or is unusable.
    pub fn open_machine(name: SealName, path: &Path, ambient: &Ambient) -> Result<Self, SealError> {
        Ok(Self { name, kek: machine::open(path, ambient)? })
    }

    /// Opens the seal whose key is derived from a passphrase (Argon2id, 64 MiB, 3 passes) with the
    /// salt in the header file at `path`. If there is no header it is made, and this passphrase is
    /// the one that counts from now on.
    ///
    /// Takes a fraction of a second of work: not for an async thread.
    ///
    /// # Errors
    /// When the passphrase is not the one the header was made with, or too short for a new one, or
    /// the header is unusable.
    pub fn open_passphrase(
        name: SealName,
        path: &Path,
        passphrase: &Secret,
        ambient: &Ambient,
    ) -> Result<Self, SealError> {
        Ok(Self { name, kek: passphrase::open(name, path, passphrase, ambient)? })
    }

    /// Which seal it is.
    #[must_use]
    pub fn name(&self) -> SealName {
        self.name
    }

    pub(crate) fn wrap(&self, ambient: &Ambient, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, aead::Refused> {
        aead::seal(&self.kek, ambient, aad, plaintext)
    }

    pub(crate) fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, aead::Refused> {
        aead::open(&self.kek, aad, wrapped)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a seal did not open.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Reading or writing failed.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried: `read`, `create`.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else could read or change it.
    #[error("`{}` is open to others (mode {mode:04o}); run `chmod {wanted} {}` and consider its content known to whoever could read it", path.display(), path.display())]
    OpenToOthers {
        /// Which file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What `chmod` should be given.
        wanted: &'static str,
    },
    /// It belongs to another user.
    #[error("`{}` belongs to user id {owner}, and this process runs as {us}; run it as the owner, or `chown {us} {}`", path.display(), path.display())]
    ForeignOwner {
        /// Which file or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// A symbolic link, a pipe, a folder.
    #[error("`{}` is not a plain file; name the file itself", path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
    },
    /// Not what was written there once.
    #[error("`{}` is damaged ({what}); restore it from the backup, or remove it if nothing was sealed with it yet", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The header belongs to the other seal.
    #[error("`{}` is the header of the seal `{found}`, not of `{wanted}`; check which path is configured for which seal", path.display())]
    OtherSeal {
        /// Where.
        path: PathBuf,
        /// Whose header it is.
        found: SealName,
        /// Which seal was to be opened.
        wanted: SealName,
    },
    /// Not the passphrase it was made with.
    #[error("wrong passphrase for the seal `{seal}`; nothing was opened, try again")]
    WrongPassphrase {
        /// Which seal.
        seal: SealName,
    },
    /// Too easy to guess for a new seal.
    #[error("a passphrase for a new seal has at least {least} characters; choose a longer one")]
    PassphraseTooShort {
        /// The least.
        least: usize,
    },
    /// The derivation could not run.
    #[error("cannot derive a key from the passphrase: {why}")]
    Derive {
        /// Why, such as too little memory.
        why: String,
    },
}
