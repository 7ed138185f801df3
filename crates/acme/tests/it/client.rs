//! A client that signs whatever it is told to.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use wane_acme::{ClientKey, Sort};
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Decode as _, Reader as _, SliceReader};

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

pub(crate) enum Client {
    P256(SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Rsa(RsaKeyPair),
}

impl Client {
    pub(crate) fn p256(seed: u8) -> Self {
        Self::P256(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub(crate) fn ed25519(seed: u8) -> Self {
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn rsa(size: KeySize) -> Self {
        Self::Rsa(RsaKeyPair::generate(size).unwrap())
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(32);
                json!({ "crv": "P-256", "kty": "EC", "x": encoded(x), "y": encoded(y) })
            }
            Self::Ed25519(key) => {
                json!({ "crv": "Ed25519", "kty": "OKP", "x": encoded(key.verifying_key().to_bytes()) })
            }
            Self::Rsa(key) => {
                let parts = |inner: &mut SliceReader<'_>| -> Result<_, x509_cert::der::Error> {
                    let mut part = || UintRef::decode(inner).map(|part| part.as_bytes().to_vec());
                    Ok((part()?, part()?))
                };
                let (n, e) = SliceReader::new(key.public_key().as_ref()).unwrap().sequence(parts).unwrap();
                json!({ "e": encoded(e), "kty": "RSA", "n": encoded(n) })
            }
        }
    }

    pub(crate) fn key(&self) -> ClientKey {
        ClientKey::read(&self.jwk()).unwrap()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: Signature = p256::ecdsa::signature::Signer::sign(key, message);
                signature.to_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::Rsa(key) => {
                let mut out = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut out).unwrap();
                out
            }
        }
    }

    pub(crate) fn signed(&self, header: &Value, payload: &str) -> Value {
        let (header, payload) = (encoded(header.to_string()), encoded(payload));
        let signature = self.sign(format!("{header}.{payload}").as_bytes());
        json!({ "protected": header, "payload": payload, "signature": encoded(signature) })
    }

    /// As `signed`, with the key itself and no nonce: as changes of keys are made.
    pub(crate) fn inside(&self, url: &str, payload: &Value) -> Value {
        let header = json!({ "alg": self.alg(), "jwk": self.jwk(), "url": url });
        self.signed(&header, &payload.to_string())
    }
}

/// A binding of a key, made with a secret.
pub(crate) fn bound(alg: &str, kid: &str, url: &str, jwk: &Value, secret: &[u8]) -> Value {
    let by = match alg {
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let (header, payload) =
        (encoded(json!({ "alg": alg, "kid": kid, "url": url }).to_string()), encoded(jwk.to_string()));
    let code = hmac::sign(&hmac::Key::new(by, secret), format!("{header}.{payload}").as_bytes());
    json!({ "protected": header, "payload": payload, "signature": encoded(code) })
}

/// The sort of a refusal.
pub(crate) fn sort<T: std::fmt::Debug>(done: Result<T, wane_acme::Refused>) -> Sort {
    match done {
        Ok(done) => panic!("{done:?} was taken"),
        Err(refused) => refused.sort,
    }
}
