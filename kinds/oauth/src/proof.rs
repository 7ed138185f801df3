//! Proofs of a key (DPoP, RFC 9449): which are good, for which call, and that none is taken twice.
//!
//! The signature is checked by `jsonwebtoken`, with the key that the proof brings along; what header and claims must say
//! is checked here, strictly.
//!
//! INVARIANT: of a proof whose header, key, method, address, time or token is not exactly as it must be nothing is
//! believed, and one that was taken is not taken again (held by `of_all_the_proofs_one_is_taken_and_once`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wane_domain::time::{Span, Time};

use crate::claims::Algorithm;
use crate::keys::thumbprint;

const LONGEST: usize = 8 * 1024;
/// How far the moment a proof was made at may be from ours.
const NEAR: Span = Span::from_secs(60);
/// Proofs that are remembered.
const MOST: usize = 100_000;
const LONGEST_ID: usize = 256;
const COORDINATE: usize = 32;

/// What a proof has to be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct For<'a> {
    /// The method of the call.
    pub(crate) method: &'a str,
    /// Its address, without query: one of these.
    pub(crate) urls: &'a [String],
    /// The token it comes with, if with one.
    pub(crate) token: Option<&'a str>,
    pub(crate) now: Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofHeader {
    typ: String,
    alg: Algorithm,
    jwk: ProofKey,
}

/// A public key. What has a private part is refused like anything else that is unknown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofKey {
    kty: String,
    crv: String,
    x: String,
    y: Option<String>,
    #[serde(rename = "alg")]
    _alg: Option<Algorithm>,
    #[serde(rename = "use")]
    _use: Option<String>,
    #[serde(rename = "kid")]
    _kid: Option<String>,
    #[serde(rename = "key_ops")]
    _key_ops: Option<Vec<String>>,
    #[serde(rename = "ext")]
    _ext: Option<bool>,
}

#[derive(Deserialize)]
struct ProofClaims {
    jti: String,
    htm: String,
    htu: String,
    /// Seconds; with a fraction, from whoever says it more closely (RFC 7519, `NumericDate`).
    iat: f64,
    ath: Option<String>,
}

/// The proofs that were taken of late.
pub(crate) struct Proofs {
    /// Nothing is remembered from before, so nothing made before is taken.
    since: Time,
    taken: Mutex<HashMap<[u8; 32], Time>>,
}

impl Proofs {
    pub(crate) fn new(since: Time) -> Self {
        Self { since, taken: Mutex::default() }
    }

    /// Takes a proof; the thumbprint of its key.
    pub(crate) fn take(&self, text: &str, whom: &For<'_>) -> Result<String, String> {
        let (key, claims) = read(text)?;
        if claims.htm != whom.method {
            return Err("its `htm` is another method".to_owned());
        }
        let bare = claims.htu.split(['?', '#']).next().unwrap_or_default();
        if !whom.urls.iter().any(|url| url == bare) {
            return Err("its `htu` is another address".to_owned());
        }
        let hash = whom.token.map(|token| BASE64URL_NOPAD.encode(&Sha256::digest(token.as_bytes())));
        match (hash, &claims.ath) {
            (Some(hash), Some(said)) if hash == *said => {}
            (None, None) => {}
            (Some(_), _) => return Err("its `ath` is not of the token it came with".to_owned()),
            (None, Some(_)) => return Err("its `ath` is of a token, and it came with none".to_owned()),
        }
        if claims.jti.is_empty() || claims.jti.len() > LONGEST_ID {
            return Err(format!("its `jti` is not 1 to {LONGEST_ID} characters long"));
        }
        let near = |made: &Time| whom.now <= made.plus(NEAR) && *made <= whom.now.plus(NEAR);
        let made = moment(claims.iat)
            .filter(near)
            .ok_or_else(|| format!("its `iat` is not within {} s of now; look at the clock", NEAR.secs()))?;
        if made <= self.since {
            return Err("it was made before this server began; make another".to_owned());
        }
        let mut id = Sha256::new();
        id.update(&key);
        id.update([0]);
        id.update(&claims.jti);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= MOST {
            taken.retain(|_, until| whom.now <= *until);
        }
        if taken.len() >= MOST {
            return Err("too many proofs were sent within the minute; try again".to_owned());
        }
        if taken.insert(id.finalize().into(), made.plus(NEAR)).is_some() {
            return Err("it was taken before; make another for each call".to_owned());
        }
        Ok(key)
    }
}

impl fmt::Debug for Proofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proofs").field("since", &self.since).finish_non_exhaustive()
    }
}

/// When that is; none before 1970.
fn moment(seconds: f64) -> Option<Time> {
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    i64::try_from(since.as_micros()).ok().map(Time::from_micros)
}

/// The thumbprint of the key, and the claims, of a proof that is signed with it.
fn read(text: &str) -> Result<(String, ProofClaims), String> {
    if text.len() > LONGEST || text.split('.').count() != 3 || text.split('.').any(str::is_empty) {
        return Err("it is not a signed token of three parts".to_owned());
    }
    let first = text.split('.').next().unwrap_or_default();
    let bytes = BASE64URL_NOPAD.decode(first.as_bytes()).map_err(|_| "its header is not base64url")?;
    let header: ProofHeader = serde_json::from_slice(&bytes)
        .map_err(|_| "its header is not `typ`, `alg` (ES256 or EdDSA) and the public key as `jwk`, and nothing else")?;
    if header.typ != "dpop+jwt" {
        return Err("its `typ` is not `dpop+jwt`".to_owned());
    }
    let (decoding, members) = header.jwk.read(header.alg)?;
    let by = match header.alg {
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    };
    let mut signature_only = Validation::new(by);
    signature_only.required_spec_claims.clear();
    // Its clock is the machine's: the claims are read by whoever takes it.
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    let read = jsonwebtoken::decode::<ProofClaims>(text, &decoding, &signature_only);
    let read = read.map_err(|_| "its signature does not hold, or its claims cannot be read")?;
    Ok((thumbprint(&members), read.claims))
}

impl ProofKey {
    /// The key, and its members that its thumbprint is over.
    fn read(&self, alg: Algorithm) -> Result<(DecodingKey, Value), String> {
        let coordinate = |text: &str| {
            let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
            bytes.is_some_and(|bytes| bytes.len() == COORDINATE)
        };
        let unusable = || "its key is not one on P-256 for ES256, or Ed25519 for EdDSA".to_owned();
        match (alg, self.kty.as_str(), self.crv.as_str(), &self.y) {
            (Algorithm::Es256, "EC", "P-256", Some(y)) if coordinate(&self.x) && coordinate(y) => {
                let key = DecodingKey::from_ec_components(&self.x, y).map_err(|_| unusable())?;
                Ok((key, json!({ "crv": "P-256", "kty": "EC", "x": self.x, "y": y })))
            }
            (Algorithm::EdDsa, "OKP", "Ed25519", None) if coordinate(&self.x) => {
                let key = DecodingKey::from_ed_components(&self.x).map_err(|_| unusable())?;
                Ok((key, json!({ "crv": "Ed25519", "kty": "OKP", "x": self.x })))
            }
            _ => Err(unusable()),
        }
    }
}

/// A proof read whatever it is for: thumbprint, method, address.
pub(crate) fn fuzzed(text: &str) -> Result<(String, String, String), String> {
    read(text).map(|(key, claims)| (key, claims.htm, claims.htu))
}
