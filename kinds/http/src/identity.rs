//! Wane's word on who asks, for applications: a signed assertion in a header of each request, and the key it is read by.
//!
//! A JWT (RFC 7519) in the compact serialisation of JWS (RFC 7515), signed with EdDSA over Ed25519 (RFC 8037), typed as
//! RFC 8725 section 3.11 asks for, good for two minutes and one origin. The key is published at that origin as a JWK set (RFC 7517).

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};

/// How long one is good for.
pub(crate) const LIFE: Span = Span::from_secs(120);
const TYPE: &str = "wane-assertion+jwt";

/// The key that assertions are signed with.
pub(crate) struct AssertionKey {
    pair: Ed25519KeyPair,
    id: String,
    issuer: String,
}

/// What an assertion says.
pub(crate) struct Says<'a> {
    pub(crate) person: &'a str,
    pub(crate) grant: &'a str,
    pub(crate) role: &'a str,
    pub(crate) session: &'a str,
    pub(crate) origin: &'a str,
}

impl AssertionKey {
    /// From the seed of RFC 8032.
    pub(crate) fn new(seed: &Secret, issuer: &str) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|e| e.to_string())?;
        // RFC 7638, over the members that make the key.
        let thumb =
            Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encoded(pair.public_key().as_ref())));
        Ok(Self { id: encoded(&thumb), issuer: issuer.to_owned(), pair })
    }

    /// The JWK set by which assertions are read.
    pub(crate) fn published(&self) -> Value {
        let x = encoded(self.pair.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.id, "use": "sig", "alg": "EdDSA" }] })
    }

    /// Signs one, good from now on.
    pub(crate) fn sign(&self, says: &Says<'_>, now: Time) -> Option<String> {
        let secs = |at: Time| at.micros().div_euclid(1_000_000);
        let header = json!({ "alg": "EdDSA", "typ": TYPE, "kid": self.id });
        let claims = json!({
            "iss": self.issuer, "aud": says.origin, "sub": says.person, "iat": secs(now), "nbf": secs(now),
            "exp": secs(now.plus(LIFE)), "grant": says.grant, "role": says.role, "session": says.session,
        });
        let message = format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()));
        let signature = self.pair.try_sign(message.as_bytes()).ok()?;
        Some(format!("{message}.{}", encoded(signature.as_ref())))
    }
}

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn an_assertion_is_signed_and_short() {
        let key = AssertionKey::new(&Secret::new(vec![7; 32]), "https://wane.example.com").unwrap();
        let says =
            Says { person: "maya", grant: "grt_1", role: "viewer", session: "ses_1", origin: "https://a.example.com" };
        let token = key.sign(&says, Time::from_micros(1_795_255_200_000_000)).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else { panic!("{token}") };
        let read = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
        let published = key.published();
        let x = read(published.pointer("/keys/0/x").unwrap().as_str().unwrap());
        UnparsedPublicKey::new(&ED25519, &x).verify(format!("{header}.{claims}").as_bytes(), &read(signature)).unwrap();
        let header: Value = serde_json::from_slice(&read(header)).unwrap();
        let claims: Value = serde_json::from_slice(&read(claims)).unwrap();
        assert_eq!((&header["alg"], &header["kid"]), (&json!("EdDSA"), published.pointer("/keys/0/kid").unwrap()));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
        assert_eq!((&claims["aud"], &claims["sub"]), (&json!("https://a.example.com"), &json!("maya")));
        assert!(AssertionKey::new(&Secret::new(vec![7; 31]), "").is_err());
    }
}
