//! Public keys from outside: which are good enough to be certified.

use russh::keys::ssh_key::public::Ed25519PublicKey;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, PublicKey};

const LONGEST_LINE: usize = 8 * 1024;
const RSA_BITS: std::ops::RangeInclusive<u32> = 3072..=16384;

/// Reads one public key line, such as `ssh-ed25519 AAAA…`; a comment is dropped.
///
/// Taken are Ed25519, ECDSA on the NIST curves, both kinds held in a security key, and RSA from
/// 3072 bits. A certificate is not a key: it would be certified a second time.
pub(crate) fn read(line: &str) -> Result<KeyData, String> {
    let line = line.trim();
    if line.len() > LONGEST_LINE {
        return Err(format!("the key is {} bytes long; the most is {LONGEST_LINE}", line.len()));
    }
    if line.chars().any(char::is_control) {
        return Err("the key is not one line; send the content of one `.pub` file".to_owned());
    }
    let key = PublicKey::from_openssh(line)
        .map_err(|e| format!("`{}` is not an OpenSSH public key: {e}", line.chars().take(40).collect::<String>()))?
        .key_data()
        .clone();
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => Ok(key),
        Algorithm::Rsa { .. } => match key.rsa().map(|rsa| rsa.key_size()) {
            Some(bits) if RSA_BITS.contains(&bits) => Ok(key),
            bits => Err(format!(
                "an RSA key has to have {} to {} bits, this one has {}",
                RSA_BITS.start(),
                RSA_BITS.end(),
                bits.unwrap_or(0)
            )),
        },
        other => Err(format!("keys of type `{other}` are not taken; make one with `ssh-keygen -t ed25519`")),
    }
}

/// A key as one line, without a comment.
pub(crate) fn line(key: &KeyData) -> Result<String, String> {
    PublicKey::new(key.clone(), "").to_openssh().map(|line| line.trim_end().to_owned()).map_err(|e| e.to_string())
}

/// One of our own keys.
pub(crate) fn own(bytes: [u8; 32]) -> KeyData {
    KeyData::Ed25519(Ed25519PublicKey(bytes))
}
