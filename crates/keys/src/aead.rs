//! The one authenticated cipher of this crate, with its nonce in front.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): 192-bit nonces can be drawn at random for
//! ever. `aws-lc-rs` has none with so long a nonce, hence the other kept crate, here only.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use wane_domain::ambient::Ambient;
use zeroize::Zeroizing;

/// Length of a key.
pub(crate) const KEY: usize = 32;
const NONCE: usize = 24;

/// Nothing more can be said without telling an attacker something.
#[derive(Debug)]
pub(crate) struct Refused;

/// Nonce and ciphertext of `plaintext`, bound to `aad`.
pub(crate) fn seal(key: &[u8; KEY], ambient: &Ambient, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Refused> {
    let nonce: [u8; NONCE] = ambient.bytes();
    let cipher = XChaCha20Poly1305::new(<&Key>::from(key));
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad }).map_err(|_| Refused)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// What [`seal`] took in, if key, `aad` and every byte are the same.
pub(crate) fn open(key: &[u8; KEY], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>().ok_or(Refused)?;
    let cipher = XChaCha20Poly1305::new(<&Key>::from(key));
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: body, aad }).map(Zeroizing::new).map_err(|_| Refused)
}

/// Joins parts so that no two different lists of parts give the same bytes: each is preceded by
/// its length as eight bytes, big-endian.
pub(crate) fn join_with_lengths(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of draft-irtf-cfrg-xchacha-03, A.3.1, with our framing of nonce before body.
    #[test]
    fn opens_the_published_vector() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let key: [u8; KEY] =
            hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f").try_into().unwrap();
        let sealed = [
            hex("404142434445464748494a4b4c4d4e4f5051525354555657"),
            hex(concat!(
                "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e",
                "c0875924c1c7987947deafd8780acf49"
            )),
        ]
        .concat();
        let plain = open(&key, &hex("50515253c0c1c2c3c4c5c6c7"), &sealed).unwrap();
        assert!(
            plain.starts_with(b"Ladies and Gentlemen of the class of '99"),
            "{:?}",
            String::from_utf8_lossy(&plain)
        );
    }

    #[test]
    fn joined_parts_are_unambiguous() {
        assert_ne!(join_with_lengths(&[b"ab", b"c"]), join_with_lengths(&[b"a", b"bc"]));
        assert_ne!(join_with_lengths(&[b"a", b""]), join_with_lengths(&[b"a"]));
    }
}
