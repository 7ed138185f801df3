//! Signatures of approvers, and whether they are any good.
//!
//! Owns: what of SSHSIG and of a passkey's assertion counts, and nothing beside it. Refuses to know: who may
//! approve what, where anything is kept, and any arithmetic of keys, which two kept libraries do.
//!
//! INVARIANT: of all that can be shown for a statement one thing is taken: a signature over exactly its bytes,
//! for this purpose, by exactly this key, with its holder present (held by `of_all_signatures_one_is_taken`).

mod passkey;
mod ssh;

use serde::{Deserialize, Serialize};
use wane_domain::approval::{KeyMaterial, Signature, Signed, Statement, StatementError};
use wane_domain::canonical::Digest;

pub use ssh::NAMESPACE;

/// Longest signature that is read; an assertion is the longest of them.
pub const LONGEST_SIGNATURE: usize = 12 * 1024;

/// Why a key cannot be an approver's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("it is no public key as `ssh-keygen` writes one: `ssh-ed25519 AAAA…`")]
    Unreadable,
    /// Not of a sort that is taken.
    #[error("`{0}` is not taken; use ed25519, ecdsa, or one of either in hardware (`ssh-keygen -t ed25519-sk`)")]
    Sort(String),
    /// A key in hardware that is for something else than SSH.
    #[error("its application is `{0}`, and `ssh:` is what begins those of SSH keys in hardware")]
    Application(String),
    /// A stored passkey that is none.
    #[error("it is no passkey: {0}")]
    Passkey(String),
}

/// Why a signature is no good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// What was signed is no statement.
    #[error("what was signed is no approval: {0}")]
    Statement(#[from] StatementError),
    /// It cannot be read.
    #[error("the signature cannot be read")]
    Unreadable,
    /// An SSH signature for a passkey, or the other way round.
    #[error("the signature is of another sort than the key")]
    Sort,
    /// Of another key.
    #[error("the signature is by another key")]
    Key,
    /// For another purpose.
    #[error("the signature is for another purpose than `{NAMESPACE}`; sign with `-n {NAMESPACE}`")]
    Namespace,
    /// Over another hash.
    #[error("the signature is not over sha512")]
    Hash,
    /// Nobody touched the key.
    #[error("the key says that nobody was there when it signed")]
    Absent,
    /// Not over these bytes.
    #[error("the signature is not over this approval")]
    Wrong,
    /// What the authenticator says is not what was asked: challenge, page, host, whether it was unlocked, or it has
    /// counted backwards.
    #[error("the passkey's answer is not to what was asked ({0})")]
    Answer(String),
    /// The key is none.
    #[error(transparent)]
    Material(#[from] KeyError),
}

/// Whether a passkey's counter has to have moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// It has: the signature is new.
    Moves,
    /// It was checked when the signature was new.
    WasChecked,
}

/// A signature that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// What was signed.
    pub statement: Statement,
    /// What is to be kept of the key from now on: its counter has moved.
    pub key: KeyMaterial,
}

/// The public part of an SSH key out of a line of `authorized_keys` or of a `.pub` file.
///
/// # Errors
/// When it is none, or none that is taken.
pub fn ssh_key(line: &str) -> Result<KeyMaterial, KeyError> {
    ssh::read(line).and_then(|key| ssh::line(&key)).map(KeyMaterial::Ssh)
}

/// A passkey as what approves, by what is kept of it for signing in.
///
/// # Errors
/// When it cannot be read.
pub fn passkey(kept: &serde_json::Value, rp: &str, origin: &str) -> Result<KeyMaterial, KeyError> {
    passkey::material(kept, rp, origin)
}

/// What a browser is to ask a passkey, as the Web Authentication API takes it.
///
/// # Errors
/// When the key is no passkey.
pub fn passkey_options(key: &KeyMaterial, statement: &str) -> Result<serde_json::Value, KeyError> {
    passkey::options(key, statement)
}

/// Whether two are one key: what else is kept of them may differ.
#[must_use]
pub fn is_same(one: &KeyMaterial, other: &KeyMaterial) -> bool {
    match (one, other) {
        (KeyMaterial::Ssh(one), KeyMaterial::Ssh(other)) => one == other,
        (KeyMaterial::Passkey { .. }, KeyMaterial::Passkey { .. }) => passkey::is_same(one, other),
        (KeyMaterial::Ssh(_), KeyMaterial::Passkey { .. }) | (KeyMaterial::Passkey { .. }, KeyMaterial::Ssh(_)) => {
            false
        }
    }
}

/// The sort of a key and its fingerprint, for people.
#[must_use]
pub fn shown(key: &KeyMaterial) -> Shown {
    match key {
        KeyMaterial::Ssh(line) => ssh::shown(line),
        KeyMaterial::Passkey { .. } => passkey::shown(key),
    }
}

/// A key as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// `ssh-ed25519`, `passkey`…
    pub sort: String,
    /// `SHA256:…`.
    pub fingerprint: String,
}

/// Whether a signature is good, by a key that its reader trusts. The key that came with it is not asked.
///
/// # Errors
/// When it is not.
pub fn verify(signed: &Signed, key: &KeyMaterial, counter: Counter) -> Result<Good, BadSignature> {
    let statement = Statement::read(&signed.statement)?;
    let key = verify_text(&signed.statement, &signed.signature, key, counter)?;
    Ok(Good { statement, key })
}

/// Whether a signature over a text is good; what is to be kept of the key from now on.
///
/// # Errors
/// When it is not.
pub fn verify_text(
    text: &str,
    signature: &Signature,
    key: &KeyMaterial,
    counter: Counter,
) -> Result<KeyMaterial, BadSignature> {
    match (signature, key) {
        (Signature::Ssh(armored), KeyMaterial::Ssh(line)) => {
            ssh::verify(armored, line, text.as_bytes())?;
            Ok(key.clone())
        }
        (Signature::Passkey(assertion), KeyMaterial::Passkey { .. }) => {
            passkey::verify(assertion, key, &Digest::of_text(text), counter)
        }
        (Signature::Ssh(_), KeyMaterial::Passkey { .. }) | (Signature::Passkey(_), KeyMaterial::Ssh(_)) => {
            Err(BadSignature::Sort)
        }
    }
}
