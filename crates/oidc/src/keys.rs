//! The keys a provider publishes (RFC 7517), and which of them a token may have been signed with.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use crate::members::Members;

/// The most keys that are kept of one provider.
const MOST: usize = 64;

/// A provider's keys, as far as they can be used.
#[derive(Debug, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    /// What it signs; its entry may say less than its shape.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl Keys {
    /// Reads a key set. Keys of sorts that are not used here are left out, as the standard has it.
    #[must_use]
    pub fn read(set: &Value) -> Self {
        let entries = set.get("keys").and_then(Value::as_array).into_iter().flatten().take(MOST);
        Self(entries.filter_map(Key::read).collect())
    }

    pub(crate) fn of(set: &Members) -> Self {
        Self::read(&Value::Object(set.0.clone()))
    }

    /// The one key a token may have been signed with; none if there is none, or it could be several.
    pub(crate) fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<&DecodingKey> {
        let fits =
            |key: &&Key| key.algorithms.contains(&algorithm) && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        let mut fitting = self.0.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(&key.key),
            (_, _) => None,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Key {
    fn read(entry: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(entry.clone()).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => vec![Algorithm::RS256, Algorithm::PS256],
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
            AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            // A secret is no public key, and other curves are not used here.
            _ => return None,
        };
        if let Some(only) = jwk.common.key_algorithm {
            algorithms.retain(|algorithm| format!("{algorithm:?}") == only.to_string());
        }
        if algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { kid: jwk.common.key_id, algorithms, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn okp(more: Value) -> Value {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    #[test]
    fn a_key_is_found_if_it_can_only_be_that_one() {
        let find = |keys: Value, alg: Algorithm, kid: Option<&str>| {
            Keys::read(&json!({ "keys": keys })).find(alg, kid).is_some()
        };
        let (a, b) = (okp(json!({ "kid": "a", "use": "sig", "alg": "EdDSA" })), okp(json!({ "kid": "b" })));
        assert!(find(json!([a]), Algorithm::EdDSA, Some("a")));
        assert!(find(json!([a]), Algorithm::EdDSA, None), "the only one there is");
        assert!(find(json!([a, b]), Algorithm::EdDSA, Some("b")));
        for (keys, alg, kid) in [
            (json!([a, b]), Algorithm::EdDSA, None),
            (json!([a, a]), Algorithm::EdDSA, Some("a")),
            (json!([a]), Algorithm::EdDSA, Some("b")),
            (json!([a]), Algorithm::EdDSA, Some("A")),
            (json!([a]), Algorithm::RS256, Some("a")),
            (json!([okp(json!({ "kid": "a", "use": "enc" }))]), Algorithm::EdDSA, Some("a")),
            (json!([okp(json!({ "kid": "a", "alg": "RS256" }))]), Algorithm::EdDSA, Some("a")),
            (json!([okp(json!({ "kid": "a", "crv": "X25519" }))]), Algorithm::EdDSA, Some("a")),
            (json!([{ "kty": "oct", "kid": "a", "k": "c2VjcmV0" }]), Algorithm::HS256, Some("a")),
            (json!("none"), Algorithm::EdDSA, None),
            (json!([1, null, {}]), Algorithm::EdDSA, None),
        ] {
            assert!(!find(keys.clone(), alg, kid), "{keys} {alg:?} {kid:?}");
        }
    }
}
