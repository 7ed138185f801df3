//! The signer of this process: one Ed25519 key (RFC 8032) per purpose.
//!
//! Owns which road each key signs on. Refuses to know any format it signs; a kind brings the
//! checker that reads it.
//!
//! INVARIANT: a key with a checker signs only what a permit allows, and never through `publish`
//! (held by `the_user_ca_cannot_be_reached_through_publish`, `the_checker_has_the_last_word`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use wane_connector::{Checker, PublishPermit, SignError, Signature, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::issue::{IssuePermit, Right};
use wane_domain::secret::Secret;

/// Length of a stored signing key: the seed of RFC 8032.
pub const SEED: usize = 32;

/// Makes signing keys on first start.
#[derive(Debug)]
pub struct SignerKeys;

impl SignerKeys {
    /// A new seed for each purpose, to be sealed and stored by the caller.
    #[must_use]
    pub fn generate(purposes: &[&'static str], ambient: &Ambient) -> Vec<(&'static str, Secret)> {
        purposes.iter().map(|purpose| (*purpose, Secret::new(ambient.bytes::<SEED>().to_vec()))).collect()
    }
}

/// Signs in this process with keys that never leave it.
///
/// Nothing is issued without a permit, and a permit is used up by one signature:
/// ```compile_fail
/// use wane_connector::Signer;
/// fn sign(signer: &wane_keys::signer::LocalSigner) { let _ = signer.issue("ssh-user-ca", b"certificate"); }
/// ```
/// ```compile_fail
/// use wane_connector::Signer;
/// fn twice(signer: &wane_keys::signer::LocalSigner, permit: wane_domain::issue::IssuePermit) {
///     let _ = signer.issue("ssh-user-ca", permit, b"one");
///     let _ = signer.issue("ssh-user-ca", permit, b"two");
/// }
/// ```
/// The same with one permit each compiles:
/// ```
/// use wane_connector::Signer;
/// fn once(signer: &wane_keys::signer::LocalSigner, permit: wane_domain::issue::IssuePermit) {
///     let _ = signer.issue("ssh-user-ca", permit, b"one");
/// }
/// ```
pub struct LocalSigner {
    /// A purpose that is here issues; any other publishes.
    checkers: BTreeMap<&'static str, Checker>,
    keys: RwLock<BTreeMap<&'static str, Ed25519KeyPair>>,
    /// Purposes whose keys lie behind a seal that may not be open yet.
    awaited: BTreeSet<&'static str>,
}

impl LocalSigner {
    /// A signer with these keys. A purpose with a checker issues under permits, a purpose without one
    /// publishes. A checker whose key is not given awaits it: until [`Self::unseal`] it is sealed.
    ///
    /// # Errors
    /// When a key is unusable, or a purpose is named twice.
    pub fn new(
        keys: Vec<(&'static str, Secret)>,
        checkers: Vec<(&'static str, Checker)>,
    ) -> Result<Self, SignerKeyError> {
        let mut by_purpose = BTreeMap::new();
        for (purpose, checker) in checkers {
            if by_purpose.insert(purpose, checker).is_some() {
                return Err(SignerKeyError::Twice { purpose });
            }
        }
        let awaited = by_purpose.keys().copied().collect();
        let signer = Self { checkers: by_purpose, keys: RwLock::default(), awaited };
        signer.unseal(keys)?;
        Ok(signer)
    }

    /// Names further purposes whose keys come later, so that asking for them says "sealed" and not
    /// "no such key".
    #[must_use]
    pub fn awaiting(mut self, purposes: &[&'static str]) -> Self {
        self.awaited.extend(purposes);
        self
    }

    /// Takes in keys from behind a seal that was opened now. All or none.
    ///
    /// # Errors
    /// When a key is unusable, or there is one for its purpose already.
    pub fn unseal(&self, keys: Vec<(&'static str, Secret)>) -> Result<(), SignerKeyError> {
        let mut held = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = BTreeMap::new();
        for (purpose, seed) in keys {
            let pair =
                Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| SignerKeyError::Unusable { purpose })?;
            if held.contains_key(purpose) || fresh.insert(purpose, pair).is_some() {
                return Err(SignerKeyError::Twice { purpose });
            }
        }
        held.append(&mut fresh);
        Ok(())
    }

    /// Whether a key that is waited for is missing: nothing can be issued with it.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        let held = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        self.awaited.iter().any(|purpose| !held.contains_key(purpose))
    }

    /// Every purpose it has, or waits for, a key for.
    #[must_use]
    pub fn purposes(&self) -> BTreeSet<&'static str> {
        let held = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        held.keys().chain(&self.awaited).copied().collect()
    }

    /// Signs what a right allows, as whoever says so.
    ///
    /// # Errors
    /// As [`Signer::issue`].
    pub(crate) fn issue_right(
        &self,
        purpose: &'static str,
        right: &Right,
        message: &[u8],
    ) -> Result<Signature, SignError> {
        let Some(checker) = self.checkers.get(purpose) else {
            return Err(SignError::WrongRoad {
                purpose: purpose.to_owned(),
                why: "it has no checker, so nothing is issued with it",
            });
        };
        checker(right, message).map_err(SignError::Exceeds)?;
        self.sign(purpose, message)
    }

    fn with_key<T>(
        &self,
        purpose: &'static str,
        act: impl FnOnce(&Ed25519KeyPair) -> Result<T, SignError>,
    ) -> Result<T, SignError> {
        let held = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        match held.get(purpose) {
            Some(pair) => act(pair),
            None if self.awaited.contains(purpose) => Err(SignError::Sealed),
            None => Err(SignError::NoKey(purpose.to_owned())),
        }
    }

    fn sign(&self, purpose: &'static str, message: &[u8]) -> Result<Signature, SignError> {
        self.with_key(purpose, |pair| {
            let signature = pair.try_sign(message).map_err(|_| unusable(purpose))?;
            signature.as_ref().try_into().map(Signature).map_err(|_| unusable(purpose))
        })
    }
}

impl Signer for LocalSigner {
    fn public_key(&self, purpose: &'static str) -> Result<[u8; 32], SignError> {
        self.with_key(purpose, |pair| pair.public_key().as_ref().try_into().map_err(|_| unusable(purpose)))
    }

    fn issue(&self, purpose: &'static str, permit: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        self.issue_right(purpose, &permit, message)
    }

    fn publish(&self, purpose: &'static str, _permit: PublishPermit, message: &[u8]) -> Result<Signature, SignError> {
        if self.checkers.contains_key(purpose) {
            return Err(SignError::WrongRoad {
                purpose: purpose.to_owned(),
                why: "it signs only what a grant's permit allows",
            });
        }
        self.sign(purpose, message)
    }
}

fn unusable(purpose: &'static str) -> SignError {
    SignError::NoKey(purpose.to_owned())
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("LocalSigner")
            .field("issues", &self.checkers.keys().collect::<Vec<_>>())
            .field("holds", &held.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Why signing keys were not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerKeyError {
    /// Not a seed.
    #[error("the stored key for `{purpose}` is not an Ed25519 seed of {SEED} bytes; restore it from the backup")]
    Unusable {
        /// Which purpose.
        purpose: &'static str,
    },
    /// Two keys or checkers for one purpose.
    #[error("the purpose `{purpose}` has a key or checker already; each purpose has exactly one")]
    Twice {
        /// Which purpose.
        purpose: &'static str,
    },
}
