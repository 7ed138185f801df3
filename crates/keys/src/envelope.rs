//! Envelope encryption of stored secrets: data keys under a seal, records under data keys.
//!
//! Owns the binding of a ciphertext to the place it is stored in. Refuses to know the store: it is
//! told the place, and returns bytes.
//!
//! INVARIANT: what was sealed for one organisation, table, row and column opens nowhere else, and
//! not after any byte of it changed (held by `a_moved_ciphertext_does_not_open`,
//! `every_changed_byte_is_noticed`).

use std::collections::BTreeMap;
use std::fmt;

use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use zeroize::Zeroizing;

use crate::aead;
use crate::seal::{Seal, SealName};

/// The longest secret that can be sealed.
pub const MOST_PLAINTEXT: usize = 1024 * 1024;
/// The first byte of everything sealed here.
const FORMAT: u8 = 1;
const RECORD: &[u8] = b"wane.record.v1";
const WRAPPED: &[u8] = b"wane.keyring.v1";
const VERSION: usize = size_of::<u32>();

type DataKey = Zeroizing<[u8; aead::KEY]>;

/// Where a sealed secret lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The row's key.
    pub row: &'a str,
    /// The column.
    pub column: &'a str,
}

/// The data keys of one organisation under one seal: the newest seals, all of them open.
pub struct Keyring {
    org: OrgId,
    seal: SealName,
    keys: BTreeMap<u32, DataKey>,
    newest: u32,
    ambient: Ambient,
}

impl Keyring {
    /// Makes a keyring with a first key, and the wrapped form to store.
    ///
    /// # Errors
    /// When the cipher refuses.
    pub fn create(seal: &Seal, org: OrgId, ambient: &Ambient) -> Result<(Self, Vec<u8>), KeyringError> {
        let newest = 1;
        let keys = BTreeMap::from([(newest, Zeroizing::new(ambient.bytes()))]);
        let ring = Self { org, seal: seal.name(), keys, newest, ambient: ambient.clone() };
        let wrapped = ring.wrap(seal)?;
        Ok((ring, wrapped))
    }

    /// Unlocks a stored keyring.
    ///
    /// # Errors
    /// When it was wrapped under another seal, for another organisation, or changed since.
    pub fn unlock(seal: &Seal, org: OrgId, wrapped: &[u8], ambient: &Ambient) -> Result<Self, KeyringError> {
        let refuse = || KeyringError::DoesNotOpen { seal: seal.name() };
        let plain = seal.unwrap(&bound_ring(seal.name(), org), wrapped).map_err(|aead::Refused| refuse())?;
        let mut keys = BTreeMap::new();
        let mut rest = plain.as_slice();
        while let Some((version, after)) = rest.split_first_chunk::<VERSION>() {
            let (key, after) = after.split_first_chunk::<{ aead::KEY }>().ok_or_else(refuse)?;
            keys.insert(u32::from_be_bytes(*version), Zeroizing::new(*key));
            rest = after;
        }
        let newest = *keys.keys().next_back().filter(|_| rest.is_empty()).ok_or_else(refuse)?;
        Ok(Self { org, seal: seal.name(), keys, newest, ambient: ambient.clone() })
    }

    /// A keyring with one more key, which seals from now on, and the wrapped form to store. Store it
    /// before anything is sealed with it. What older keys sealed still opens.
    ///
    /// # Errors
    /// When `seal` is not the one this keyring is under.
    pub fn rotated(&self, seal: &Seal) -> Result<(Self, Vec<u8>), KeyringError> {
        let newest = self.newest.checked_add(1).ok_or(KeyringError::Full)?;
        let mut keys = self.keys.clone();
        keys.insert(newest, Zeroizing::new(self.ambient.bytes()));
        let ring = Self { org: self.org, seal: self.seal, keys, newest, ambient: self.ambient.clone() };
        let wrapped = ring.wrap(seal)?;
        Ok((ring, wrapped))
    }

    /// The same keys wrapped under `seal`: to move to a new key file or passphrase.
    ///
    /// # Errors
    /// When `seal` is not the one this keyring is under.
    pub fn wrap(&self, seal: &Seal) -> Result<Vec<u8>, KeyringError> {
        if seal.name() != self.seal {
            return Err(KeyringError::OtherSeal { wanted: self.seal, given: seal.name() });
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(self.keys.len() * (VERSION + aead::KEY)));
        for (version, key) in &self.keys {
            plain.extend_from_slice(&version.to_be_bytes());
            plain.extend_from_slice(key.as_slice());
        }
        seal.wrap(&self.ambient, &bound_ring(self.seal, self.org), &plain).map_err(|aead::Refused| KeyringError::Cipher)
    }

    /// Which seal it is under.
    #[must_use]
    pub fn seal_name(&self) -> SealName {
        self.seal
    }

    /// The version of the key that seals now.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// Seals a secret for the place it will be stored in.
    ///
    /// # Errors
    /// When it is longer than [`MOST_PLAINTEXT`].
    pub fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        if plaintext.len() > MOST_PLAINTEXT {
            return Err(EnvelopeError::TooLong { length: plaintext.len() });
        }
        let key = self.keys.get(&self.newest).ok_or(EnvelopeError::NoKey { version: self.newest })?;
        let body = aead::seal(key, &self.ambient, &self.bound(place, self.newest), plaintext)
            .map_err(|aead::Refused| EnvelopeError::TooLong { length: plaintext.len() })?;
        Ok([&[FORMAT], self.newest.to_be_bytes().as_slice(), &body].concat())
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// When it is not what was sealed for this place, or its key is not in this keyring.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, EnvelopeError> {
        let refuse = || EnvelopeError::DoesNotOpen {
            table: place.table.to_owned(),
            row: place.row.to_owned(),
            column: place.column.to_owned(),
        };
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or_else(refuse)?;
        let (version, body) = rest.split_first_chunk::<VERSION>().ok_or_else(refuse)?;
        let version = u32::from_be_bytes(*version);
        let key = self.keys.get(&version).ok_or(EnvelopeError::NoKey { version })?;
        let mut plain = aead::open(key, &self.bound(place, version), body).map_err(|aead::Refused| refuse())?;
        Ok(Secret::new(std::mem::take(&mut *plain)))
    }

    fn bound(&self, place: &Place<'_>, version: u32) -> Vec<u8> {
        aead::join_with_lengths(&[
            RECORD,
            self.seal.as_str().as_bytes(),
            self.org.to_string().as_bytes(),
            place.table.as_bytes(),
            place.row.as_bytes(),
            place.column.as_bytes(),
            &version.to_be_bytes(),
        ])
    }
}

fn bound_ring(seal: SealName, org: OrgId) -> Vec<u8> {
    aead::join_with_lengths(&[WRAPPED, seal.as_str().as_bytes(), org.to_string().as_bytes()])
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("org", &self.org)
            .field("seal", &self.seal)
            .field("newest", &self.newest)
            .finish_non_exhaustive()
    }
}

/// Why there is no keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Another key, another organisation, or damage.
    #[error(
        "the stored data keys do not open under the seal `{seal}`; restore the key file or passphrase header they were wrapped with"
    )]
    DoesNotOpen {
        /// Which seal was tried.
        seal: SealName,
    },
    /// The wrong one of the seals.
    #[error("this keyring is under the seal `{wanted}`, not `{given}`; open that one")]
    OtherSeal {
        /// Which one it is under.
        wanted: SealName,
        /// Which one was given.
        given: SealName,
    },
    /// No more versions.
    #[error("this keyring has used up its key versions; make a new one")]
    Full,
    /// The cipher refused to wrap.
    #[error("the cipher refused to wrap the data keys; report this as a bug")]
    Cipher,
}

/// Why a secret was not sealed or not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Over the bound.
    #[error("a secret of {length} bytes is longer than the {MOST_PLAINTEXT} that can be sealed; shorten it")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Sealed with a key that is not here.
    #[error("there is no data key of version {version}; restore the keyring that belongs to this database")]
    NoKey {
        /// The version named in the sealed bytes.
        version: u32,
    },
    /// Changed, moved, or sealed under another key.
    #[error(
        "the secret stored in `{table}`, row `{row}`, column `{column}` does not open: it was changed, moved from another place, or sealed elsewhere; restore it or set it anew"
    )]
    DoesNotOpen {
        /// The table.
        table: String,
        /// The row.
        row: String,
        /// The column.
        column: String,
    },
}
