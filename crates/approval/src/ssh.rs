//! SSHSIG (OpenSSH's PROTOCOL.sshsig): for our purpose, over sha512, by a key of a sort that is taken; by one in
//! hardware only if somebody touched it (PROTOCOL.u2f).

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, PublicKey, SshSig};

use crate::{BadSignature, KeyError, LONGEST_SIGNATURE, Shown};

/// What an approver's SSH key signs for.
pub const NAMESPACE: &str = "wane-approval@wane";
/// Longest line of a public key.
const LONGEST_KEY: usize = 4 * 1024;
/// What stands behind the signature of a key in hardware: a byte of flags and four of a counter.
const TRAILER: usize = 5;
/// The flag that somebody was there.
const PRESENT: u8 = 1;

pub(crate) fn read(line: &str) -> Result<PublicKey, KeyError> {
    let line = line.trim();
    if line.len() > LONGEST_KEY || line.contains(['\n', '\r']) {
        return Err(KeyError::Unreadable);
    }
    let mut key = PublicKey::from_openssh(line).map_err(|_| KeyError::Unreadable)?;
    match key.key_data() {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) => {}
        KeyData::SkEd25519(sk) => application(sk.application())?,
        KeyData::SkEcdsaSha2NistP256(sk) => application(sk.application())?,
        other => return Err(KeyError::Sort(other.algorithm().to_string())),
    }
    key.set_comment("");
    Ok(key)
}

fn application(name: &str) -> Result<(), KeyError> {
    if name.starts_with("ssh:") { Ok(()) } else { Err(KeyError::Application(name.chars().take(64).collect())) }
}

pub(crate) fn line(key: &PublicKey) -> Result<String, KeyError> {
    key.to_openssh().map(|line| line.trim_end().to_owned()).map_err(|_| KeyError::Unreadable)
}

pub(crate) fn shown(line: &str) -> Shown {
    read(line).map_or_else(
        |_| Shown { sort: "unreadable".to_owned(), fingerprint: String::new() },
        |key| Shown { sort: key.algorithm().to_string(), fingerprint: key.fingerprint(HashAlg::Sha256).to_string() },
    )
}

pub(crate) fn verify(armored: &str, line: &str, message: &[u8]) -> Result<(), BadSignature> {
    let key = read(line)?;
    if armored.len() > LONGEST_SIGNATURE {
        return Err(BadSignature::Unreadable);
    }
    let signature = SshSig::from_pem(armored.trim()).map_err(|_| BadSignature::Unreadable)?;
    if signature.public_key() != key.key_data() {
        return Err(BadSignature::Key);
    }
    if signature.namespace() != NAMESPACE {
        return Err(BadSignature::Namespace);
    }
    if signature.hash_alg() != HashAlg::Sha512 {
        return Err(BadSignature::Hash);
    }
    if signature.algorithm() != key.algorithm() {
        return Err(BadSignature::Wrong);
    }
    key.verify(NAMESPACE, message, &signature).map_err(|_| BadSignature::Wrong)?;
    if matches!(signature.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256) {
        let bytes = signature.signature_bytes();
        let flags = bytes.len().checked_sub(TRAILER).and_then(|at| bytes.get(at)).copied().unwrap_or_default();
        if flags & PRESENT == 0 {
            return Err(BadSignature::Absent);
        }
    }
    Ok(())
}
