//! The signer a kind needs, as a trait: `keys` holds the keys, a kind only knows this.

use serde::{Deserialize, Serialize};
use wane_domain::approval::Signature as Signed;
use wane_domain::catalogue::Role;
use wane_domain::id::GrantId;
use wane_domain::issue::{IssuePermit, Right};
use wane_domain::time::{Span, Time};

/// Signs with keys that never leave it, one key per purpose: Ed25519, or ECDSA on P-256 where a purpose has that.
pub trait Signer: Send + Sync {
    /// The public key of a purpose, of either sort.
    ///
    /// # Errors
    /// When there is no such key, or the issuing seal is closed.
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError>;

    /// The 32-byte Ed25519 public key of a purpose that has one, such as `ssh-user-ca`.
    ///
    /// # Errors
    /// As [`key`](Self::key), and when the key is of the other sort.
    fn public_key(&self, purpose: &'static str) -> Result<[u8; 32], SignError> {
        match self.key(purpose)? {
            PublicKey::Ed25519(bytes) => Ok(bytes),
            PublicKey::P256(_) => Err(SignError::NoKey(purpose.to_owned())),
        }
    }

    /// Signs what a grant's permit allows. The signer checks the bytes against the permit with
    /// the checker registered for the purpose, so that nothing outlives or exceeds the grant.
    ///
    /// # Errors
    /// When the bytes exceed the permit, or the key is not to be had.
    fn issue(&self, purpose: &'static str, permit: IssuePermit, message: &[u8]) -> Result<Signature, SignError>;

    /// Signs what stands under no grant: a revocation list, a host certificate.
    ///
    /// # Errors
    /// When the key is not to be had.
    fn publish(&self, purpose: &'static str, permit: PublishPermit, message: &[u8]) -> Result<Signature, SignError>;

    /// Why it cannot be asked right now, if that is known. One in this process can always be asked.
    fn away(&self) -> Option<String> {
        None
    }

    /// The keys that have lately signed as often as they may.
    fn limited(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// A grant is over: nothing that was approved for it is to be used again. Most signers remember nothing.
    fn ended(&self, _grant: GrantId) {}

    /// Somebody vouches for the key of an approver. Only a signer with a root of its own counts keys.
    ///
    /// # Errors
    /// When it does not believe the voucher.
    fn vouched(&self, _voucher: &str, _signature: &Signed) -> Result<Vouched, SignError> {
        Err(SignError::Unsigned("this signer counts no keys of approvers".to_owned()))
    }
}

/// How many people vouched for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vouched {
    /// So many did.
    pub have: u16,
    /// So many have to, for it to count.
    pub of: u16,
}

impl Vouched {
    /// Whether the key counts.
    #[must_use]
    pub fn counts(self) -> bool {
        self.have >= self.of
    }
}

/// The public half of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RFC 8032.
    Ed25519([u8; 32]),
    /// A point on P-256, not compressed (SEC 1).
    P256([u8; 65]),
}

impl PublicKey {
    /// Its bytes, whose length says which it is.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(bytes) => bytes,
            Self::P256(bytes) => bytes,
        }
    }

    /// From its bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            32 => bytes.try_into().ok().map(Self::Ed25519),
            65 => bytes.try_into().ok().map(Self::P256),
            _ => None,
        }
    }
}

/// A signature, 64 bytes: of Ed25519, or `r` and `s` of ECDSA on P-256 with SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// What is published, so that the log can say it.
#[derive(Debug)]
pub struct PublishPermit {
    /// Shown in the log: `krl version 7`, `host certificate for res_…`.
    pub what: String,
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// No key for this purpose.
    #[error("there is no key for `{0}`")]
    NoKey(String),
    /// The issuing seal is closed.
    #[error(
        "the issuing seal is closed; it opens when the server starts: make its key or passphrase available as `seal.issuing` says, and restart"
    )]
    Sealed,
    /// The bytes exceed what the permit allows.
    #[error("what was to be signed exceeds the grant: {0}")]
    Exceeds(String),
    /// What people have to sign for was not signed for.
    #[error("people have to sign for this, and the signer does not see that they did: {0}")]
    Unsigned(String),
    /// What is published names whom the signer does not let it name.
    #[error("the signer does not certify that: {0}")]
    Named(String),
    /// A key has signed as often as it may.
    #[error("the key for `{purpose}` has signed as often as it may in a minute; try again in {} s", wait.secs().saturating_add(1))]
    TooMany {
        /// Which key.
        purpose: String,
        /// After how long it signs again.
        wait: Span,
    },
    /// The signer is not to be had.
    #[error("the signer does not answer: {0}")]
    Away(String),
    /// A key that issues was asked to publish, or the other way round.
    #[error("the key for `{purpose}` does not sign this way: {why}")]
    WrongRoad {
        /// Which key.
        purpose: String,
        /// Which way it does sign.
        why: &'static str,
    },
}

/// Reads the bytes to be signed for one purpose and says whether the permit allows them.
pub type Checker = fn(&Right, &[u8]) -> Result<(), String>;

/// Reads the bytes to be published with a key that also issues, and says whether they are such a document and
/// nothing that gives access.
pub type Document = fn(&[u8]) -> Result<(), String>;

/// Reads bytes to be published that certify names, at this time by the signer's clock.
pub type Namer = fn(&[u8], Time) -> Result<Named, String>;

/// What is certified under no grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// For which names, each in its one spelling.
    pub names: Vec<String>,
    /// Whose they are said to be.
    pub whose: String,
    /// For which key, if it is one that stays.
    pub key: Option<String>,
}

/// What a signer that asks for signatures of people knows of the bytes of one purpose.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// What they give.
    pub gives: fn(&[u8]) -> Result<Given, String>,
    /// Whether the role gives all that, and no less is held back than it holds back.
    pub within: fn(&Role, &Right, &[u8]) -> Result<(), String>,
    /// What somebody who guards it calls it, if that is something these bytes can give.
    pub names: fn(&str) -> Option<Guarded>,
}

/// What bytes to be signed give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// `deploy@res_…`, each by itself, and whatever it is part of.
    pub names: Vec<String>,
    /// Whether they say at which resource it is good.
    pub place: Place,
}

/// Whether what a grant is for follows from what people signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It stands in what is signed: in the role, or in the name itself.
    Signed,
    /// It is a setting of the resource, which nobody signs: whoever guards it says of which resource it is.
    Unsigned,
}

/// What is guarded, as a reader names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// Its one spelling.
    pub name: String,
    /// Whether the resource has to be said with it.
    pub place: Place,
}
