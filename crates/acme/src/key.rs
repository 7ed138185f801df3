//! The keys of clients: public keys as JWK (RFC 7517), each in one spelling, with the one algorithm it signs by.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::refused::{Refused, Sort};

/// The algorithms by which calls are signed.
pub(crate) const ALGORITHMS: [&str; 4] = ["ES256", "ES384", "EdDSA", "RS256"];
/// In bytes of the modulus.
const RSA_LENGTHS: std::ops::RangeInclusive<usize> = 256..=512;
const RSA_EXPONENT: &str = "AQAB";
/// What only a private key or a secret has.
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// A client's public key.
#[derive(Clone)]
pub struct ClientKey {
    /// The one it signs by, with its name.
    algorithm: (Algorithm, &'static str),
    decoding: DecodingKey,
    /// The members that are required and no others, which sort by name.
    members: Value,
    thumbprint: String,
}

impl ClientKey {
    /// Reads a key.
    ///
    /// # Errors
    /// When it is of another sort, weak, private, or not in its one spelling.
    pub fn read(jwk: &Value) -> Result<Self, Refused> {
        let bad = |why: &str| Refused::new(Sort::BadPublicKey, why.to_owned());
        let map = jwk.as_object().ok_or_else(|| bad("the key is not a JSON object"))?;
        if PRIVATE.iter().any(|part| map.contains_key(*part)) {
            return Err(bad("this is a private key; make another, and send its public half alone"));
        }
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        let unusable = |_| bad("the key cannot be used");
        let sized = |name: &str, length: usize| bytes(name).is_some_and(|bytes| bytes.len() == length);
        let (algorithm, members, decoding) = match (text("kty"), text("crv")) {
            (Some("EC"), Some(crv @ ("P-256" | "P-384"))) => {
                let (algorithm, length) =
                    if crv == "P-256" { ((Algorithm::ES256, "ES256"), 32) } else { ((Algorithm::ES384, "ES384"), 48) };
                let (Some(x), Some(y)) = (text("x"), text("y")) else { return Err(bad("the key has no `x` and `y`")) };
                if !sized("x", length) || !sized("y", length) {
                    return Err(bad("`x` and `y` of the key are not two numbers of its curve"));
                }
                let decoding = DecodingKey::from_ec_components(x, y).map_err(unusable)?;
                (algorithm, json!({ "crv": crv, "kty": "EC", "x": x, "y": y }), decoding)
            }
            (Some("OKP"), Some("Ed25519")) => {
                let x = text("x").filter(|_| sized("x", 32)).ok_or_else(|| bad("`x` of the key is not 32 bytes"))?;
                let decoding = DecodingKey::from_ed_components(x).map_err(unusable)?;
                ((Algorithm::EdDSA, "EdDSA"), json!({ "crv": "Ed25519", "kty": "OKP", "x": x }), decoding)
            }
            (Some("RSA"), None) => {
                let n = bytes("n").filter(|n| RSA_LENGTHS.contains(&n.len()) && n.first() != Some(&0));
                let (Some(n), Some(text_n)) = (n, text("n")) else {
                    return Err(bad("an RSA key has to have 2048 to 4096 bits"));
                };
                if text("e") != Some(RSA_EXPONENT) {
                    return Err(bad("the exponent of an RSA key has to be 65537"));
                }
                let decoding = DecodingKey::from_rsa_raw_components(&n, &[1, 0, 1]);
                ((Algorithm::RS256, "RS256"), json!({ "e": RSA_EXPONENT, "kty": "RSA", "n": text_n }), decoding)
            }
            _ => return Err(bad("take a key on P-256, P-384 or Ed25519, or an RSA key")),
        };
        let thumbprint = thumbprint(&members);
        Ok(Self { algorithm, decoding, members, thumbprint })
    }

    /// What it is looked up by (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The key again, without what need not be there.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.members
    }

    /// Whether this text is a signature by it over these bytes, by the algorithm named.
    pub(crate) fn check(&self, algorithm: &str, signature: &str, message: &[u8]) -> Result<(), Refused> {
        let (by, name) = self.algorithm;
        if name != algorithm {
            let why = format!("this key signs by {name}, and `alg` names another algorithm");
            return Err(Refused::new(Sort::BadSignatureAlgorithm, why));
        }
        match jsonwebtoken::crypto::verify(signature, message, &self.decoding, by) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Refused::malformed("the signature does not hold")),
        }
    }
}

/// The thumbprint of a key (RFC 7638) of which these are the required members and nothing else, sorted by name.
#[must_use]
pub fn thumbprint(members: &Value) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(members.to_string().as_bytes()))
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientKey").field(&self.thumbprint).finish()
    }
}
