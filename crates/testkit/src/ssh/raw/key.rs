//! A key pair that lives in memory and signs whatever it is given.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64;

use super::wire::words;

const ED25519: &[u8] = b"ssh-ed25519";
/// A certificate of such a key, as the algorithm of a login.
const CERTIFICATE: &[u8] = b"ssh-ed25519-cert-v01@openssh.com";

/// An Ed25519 key.
pub struct RawKey(Ed25519KeyPair);

impl std::fmt::Debug for RawKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RawKey").field(&self.line()).finish()
    }
}

impl RawKey {
    /// From its seed.
    ///
    /// # Errors
    /// When the library refuses it, which it does not.
    pub fn from_seed(seed: &[u8; 32]) -> anyhow::Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Ok(Self(pair.map_err(|_| anyhow::anyhow!("no key comes of this seed"))?))
    }

    /// The public half, in the wire format.
    #[must_use]
    pub fn blob(&self) -> Vec<u8> {
        words(&[ED25519, self.0.public_key().as_ref()])
    }

    /// The public half, as a line of text.
    #[must_use]
    pub fn line(&self) -> String {
        format!("ssh-ed25519 {}", BASE64.encode(&self.blob()))
    }

    /// A signature, in the wire format.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        words(&[ED25519, self.0.sign(message).as_ref()])
    }

    /// A login over this connection as somebody (RFC 4252 section 7), who shows `shown` (the key itself, or a
    /// certificate, in the wire format) and proves to hold this key.
    #[must_use]
    pub fn login(&self, session: &[u8], user: &str, shown: &[u8]) -> Vec<u8> {
        let bare = [offer_head(user, true), words(&[algorithm(shown), shown])].concat();
        let signed = self.sign(&[words(&[session]), bare.clone()].concat());
        [bare, words(&[&signed])].concat()
    }

    /// What stands in a line such as `ssh-ed25519 AAAA…`, a key or a certificate, in the wire format.
    ///
    /// # Errors
    /// When it is no such line.
    pub fn blob_of(line: &str) -> anyhow::Result<Vec<u8>> {
        let word = line.split_whitespace().nth(1).unwrap_or_default();
        Ok(BASE64.decode(word.as_bytes())?)
    }

    /// Asks whether such a login would do, and proves nothing.
    #[must_use]
    pub fn offer(user: &str, shown: &[u8]) -> Vec<u8> {
        [offer_head(user, false), words(&[algorithm(shown), shown])].concat()
    }
}

fn algorithm(shown: &[u8]) -> &'static [u8] {
    let plain = words(&[ED25519]);
    if shown.starts_with(&plain) { ED25519 } else { CERTIFICATE }
}

fn offer_head(user: &str, proves: bool) -> Vec<u8> {
    [&[50][..], &words(&[user.as_bytes(), b"ssh-connection", b"publickey"]), &[u8::from(proves)]].concat()
}
