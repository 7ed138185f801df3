//! The signer a kind needs, as a trait: `keys` holds the keys, a kind only knows this.

use wane_domain::issue::IssuePermit;

/// Signs with Ed25519 keys that never leave it, one key per purpose.
pub trait Signer: Send + Sync {
    /// The 32-byte Ed25519 public key of a purpose, such as `ssh-user-ca`.
    ///
    /// # Errors
    /// When there is no such key, or the issuing seal is closed.
    fn public_key(&self, purpose: &'static str) -> Result<[u8; 32], SignError>;

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
}

/// A signature, 64 bytes of Ed25519.
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
pub type Checker = fn(&IssuePermit, &[u8]) -> Result<(), String>;
