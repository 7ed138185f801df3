//! The signer of this process: one key per purpose, Ed25519 (RFC 8032) or ECDSA on P-256 (FIPS 186-5).
//!
//! Owns which road each key signs on. Refuses to know any format it signs; a kind brings the
//! checker that reads it.
//!
//! INVARIANT: a key with a checker signs only what a permit allows, and through `publish` nothing but what its own
//! reader says is a document (held by `the_user_ca_cannot_be_reached_through_publish`, `the_checker_has_the_last_word`,
//! `an_authority_publishes_lists_and_nothing_else`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature as EcdsaSignature, SigningKey as EcdsaKey};
use wane_connector::{Checker, Document, PublicKey, PublishPermit, SignError, Signature, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::issue::{IssuePermit, Right};
use wane_domain::secret::Secret;
use zeroize::Zeroizing;

/// Length of a stored Ed25519 key: the seed of RFC 8032.
pub const SEED: usize = 32;
/// What a stored P-256 key begins with; the scalar follows.
const P256: &[u8] = b"p256";

/// Makes signing keys on first start.
#[derive(Debug)]
pub struct SignerKeys;

impl SignerKeys {
    /// A new seed for each purpose, to be sealed and stored by the caller.
    #[must_use]
    pub fn generate(purposes: &[&'static str], ambient: &Ambient) -> Vec<(&'static str, Secret)> {
        purposes.iter().map(|purpose| (*purpose, Secret::new(ambient.bytes::<SEED>().to_vec()))).collect()
    }

    /// A new ECDSA key on P-256, to be sealed and stored by the caller.
    #[must_use]
    pub fn p256(ambient: &Ambient) -> Secret {
        loop {
            // One draw in 2^32 is no scalar of the curve.
            let drawn = Zeroizing::new(ambient.bytes::<SEED>());
            if EcdsaKey::from_slice(drawn.as_slice()).is_ok() {
                return Secret::new([P256, drawn.as_slice()].concat());
            }
        }
    }
}

/// A key, of either sort.
enum Pair {
    Ed25519(Ed25519KeyPair),
    // Its nonces follow from key and message (RFC 6979), so that signing draws no random bytes.
    P256(Box<EcdsaKey>),
}

impl Pair {
    fn read(stored: &[u8]) -> Option<Self> {
        match stored.strip_prefix(P256) {
            Some(scalar) if stored.len() == P256.len() + SEED => {
                EcdsaKey::from_slice(scalar).ok().map(|key| Self::P256(Box::new(key)))
            }
            Some(_) | None => Ed25519KeyPair::from_seed_unchecked(stored).ok().map(Self::Ed25519),
        }
    }

    fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Ed25519(pair) => PublicKey::read(pair.public_key().as_ref()),
            Self::P256(key) => PublicKey::read(key.verifying_key().to_sec1_point(false).as_bytes()),
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Signature> {
        match self {
            Self::Ed25519(pair) => pair.try_sign(message).ok()?.as_ref().try_into().ok().map(Signature),
            Self::P256(key) => {
                let signature: EcdsaSignature = key.try_sign(message).ok()?;
                Some(Signature(signature.to_bytes().into()))
            }
        }
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
    /// What a purpose that issues publishes besides.
    documents: BTreeMap<&'static str, Document>,
    keys: RwLock<BTreeMap<&'static str, Pair>>,
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
        let signer = Self { checkers: by_purpose, documents: BTreeMap::new(), keys: RwLock::default(), awaited };
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

    /// Lets purposes that issue also publish what these take for a document.
    #[must_use]
    pub fn publishing(mut self, documents: Vec<(&'static str, Document)>) -> Self {
        self.documents.extend(documents);
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
            let pair = Pair::read(seed.expose()).ok_or(SignerKeyError::Unusable { purpose })?;
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
        act: impl FnOnce(&Pair) -> Result<T, SignError>,
    ) -> Result<T, SignError> {
        let held = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        match held.get(purpose) {
            Some(pair) => act(pair),
            None if self.awaited.contains(purpose) => Err(SignError::Sealed),
            None => Err(SignError::NoKey(purpose.to_owned())),
        }
    }

    fn sign(&self, purpose: &'static str, message: &[u8]) -> Result<Signature, SignError> {
        self.with_key(purpose, |pair| pair.sign(message).ok_or_else(|| unusable(purpose)))
    }
}

impl Signer for LocalSigner {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        self.with_key(purpose, |pair| pair.public().ok_or_else(|| unusable(purpose)))
    }

    fn issue(&self, purpose: &'static str, permit: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        self.issue_right(purpose, &permit, message)
    }

    fn publish(&self, purpose: &'static str, _permit: PublishPermit, message: &[u8]) -> Result<Signature, SignError> {
        if self.checkers.contains_key(purpose) {
            let Some(is_document) = self.documents.get(purpose) else {
                return Err(SignError::WrongRoad {
                    purpose: purpose.to_owned(),
                    why: "it signs only what a grant's permit allows",
                });
            };
            is_document(message).map_err(SignError::Exceeds)?;
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
    /// Not a key.
    #[error(
        "the stored key for `{purpose}` is neither an Ed25519 seed of {SEED} bytes nor a P-256 key; restore it from the backup"
    )]
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
