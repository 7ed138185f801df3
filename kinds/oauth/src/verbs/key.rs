//! A key that tokens are bound to, in a file, and proofs of it (RFC 9449).

use std::path::Path;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wane_connector::verb::{AccessPort, VerbError};
use zeroize::Zeroizing;

use super::files::{failed, new};

/// A key on P-256.
pub(super) struct HolderKey(SigningKey);

impl HolderKey {
    /// Reads the key in a file, in PEM (PKCS#8).
    pub(super) fn read(path: &Path) -> Result<Self, VerbError> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|e| failed("read", path, &e))?;
        let key = SecretKey::from_pkcs8_pem(&text).map_err(|_| {
            VerbError::Failed(format!("`{}` holds no private key on P-256 in PEM (PKCS#8)", path.display()))
        })?;
        Ok(Self(SigningKey::from(key)))
    }

    /// The key in a file; made if there is none.
    pub(super) fn read_or_make(path: &Path, port: &dyn AccessPort) -> Result<Self, VerbError> {
        if path.exists() {
            return Self::read(path);
        }
        let key = loop {
            let mut drawn = Zeroizing::new([0_u8; 32]);
            port.entropy(drawn.as_mut());
            // One draw in 2^32 is no scalar of the curve.
            if let Ok(key) = SecretKey::from_slice(drawn.as_slice()) {
                break key;
            }
        };
        let pem = key.to_pkcs8_pem(LineEnding::LF);
        let pem = pem.map_err(|e| VerbError::Failed(format!("the key cannot be written: {e}")))?;
        new(path, pem.as_bytes())?;
        Ok(Self(SigningKey::from(key)))
    }

    /// A proof for a call of an API, with the token that goes with it. Its time is in whole seconds: not everybody
    /// who checks one reads a fraction.
    pub(super) fn prove(&self, port: &dyn AccessPort, method: &str, url: &str, token: &str) -> String {
        let hash = encoded(&Sha256::digest(token.as_bytes()));
        self.signed(&json!({ "jti": drawn(port), "htm": method, "htu": url, "iat": port.now().seconds(), "ath": hash }))
    }

    /// A proof for a call of the server that hands out tokens. It takes none from before it began, so that one from
    /// the second of its start has to say more closely when it was made.
    pub(super) fn prove_here(&self, port: &dyn AccessPort, method: &str, url: &str) -> String {
        let micros = u64::try_from(port.now().micros()).unwrap_or_default();
        let now = Duration::from_micros(micros).as_secs_f64();
        self.signed(&json!({ "jti": drawn(port), "htm": method, "htu": url, "iat": now }))
    }

    fn signed(&self, claims: &Value) -> String {
        let point = self.0.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes().get(1..).unwrap_or_default().split_at(32);
        let header = json!({
            "typ": "dpop+jwt", "alg": "ES256",
            "jwk": { "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) },
        });
        let message = format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()));
        let signature: Signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", encoded(&signature.to_bytes()))
    }
}

/// What no other proof is called.
fn drawn(port: &dyn AccessPort) -> String {
    let mut id = [0_u8; 16];
    port.entropy(&mut id);
    HEXLOWER.encode(&id)
}

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
