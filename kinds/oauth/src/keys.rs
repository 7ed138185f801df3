//! The keys that sign tokens: which there are, which signs now, and how one takes over from another.
//!
//! A key is published as soon as it is made, and signs from a moment on that is said then; the one before it stays
//! published until the last token it signed has run out. Refuses to know where keys are kept.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wane_connector::{PublicKey, SignError, Signer};
use wane_domain::time::{Span, Time};

use crate::TOKEN_KEYS;
use crate::claims::{Algorithm, LONGEST, SKEW};

/// After how long nothing that a key signed can still work, the slowest clock included.
const RUN_OUT: Span = Span::from_micros(LONGEST.micros() + 5 * SKEW.micros());

/// A key as it is kept: everything but the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptKey {
    /// Its purpose.
    pub purpose: String,
    /// When it was made.
    pub made: Time,
    /// From when on it signs.
    pub from: Time,
}

/// Why a key was not made or taken away.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// There are as many as there may be.
    #[error(
        "there are two keys already, and what the older signed can work until {0}; it has to be published until then"
    )]
    NotYet(Time),
    /// Nothing of that name.
    #[error("there is no key `{0}`; see `wane token-key show`")]
    None(String),
    /// It is in use.
    #[error("`{0}` signs, or is to sign; make another first with `wane token-key new`, or say `--compromised`")]
    InUse(String),
}

impl KeptKey {
    /// The key it has to have.
    #[must_use]
    pub fn purpose(&self) -> Option<&'static str> {
        TOKEN_KEYS.into_iter().find(|purpose| *purpose == self.purpose)
    }
}

/// Until when each key may still have signed something that works; none for the last.
fn over(all: &[KeptKey], one: &KeptKey) -> Option<Time> {
    let next = all.iter().filter(|other| other.from > one.from).map(|other| other.from).min();
    next.map(|next| next.plus(RUN_OUT))
}

/// Makes room for another key, which signs from `ahead` on, or at once if there is none; its purpose.
///
/// # Errors
/// When there are two, and what the older signed can still work.
pub fn another(all: &mut Vec<KeptKey>, ahead: Span, now: Time) -> Result<&'static str, KeyError> {
    // INVARIANT: as long as anything a key signed can work, it is published (held by
    // `a_key_stays_published_until_its_last_token_ran_out`).
    let gone: Vec<String> = all
        .iter()
        .filter(|one| over(all, one).is_some_and(|until| until <= now))
        .map(|one| one.purpose.clone())
        .collect();
    all.retain(|one| !gone.contains(&one.purpose));
    let vacant = TOKEN_KEYS.into_iter().find(|purpose| all.iter().all(|one| one.purpose != *purpose));
    let Some(purpose) = vacant else {
        let until = all.iter().filter_map(|one| over(all, one)).max().unwrap_or(now);
        return Err(KeyError::NotYet(until));
    };
    let from = if all.is_empty() { now } else { now.plus(ahead) };
    all.push(KeptKey { purpose: purpose.to_owned(), made: now, from });
    Ok(purpose)
}

/// How a key is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// Once nothing needs it.
    InTime,
    /// Now, whatever it signed: somebody else may have it. The other signs from now on.
    Compromised,
}

/// Takes a key away.
///
/// # Errors
/// When there is none of that purpose, or it is needed and not known to others.
pub fn remove(all: &mut Vec<KeptKey>, purpose: &str, going: Going, now: Time) -> Result<(), KeyError> {
    let found = all.iter().find(|one| one.purpose == purpose).ok_or_else(|| KeyError::None(purpose.to_owned()))?;
    match (going, over(all, found)) {
        (Going::InTime, None) => return Err(KeyError::InUse(purpose.to_owned())),
        (Going::InTime, Some(until)) if now < until => return Err(KeyError::NotYet(until)),
        (Going::InTime | Going::Compromised, _) => {}
    }
    all.retain(|one| one.purpose != purpose);
    if going == Going::Compromised {
        for other in all {
            other.from = other.from.min(now);
        }
    }
    Ok(())
}

/// A key with its public half.
pub(crate) struct TokenKey {
    pub(crate) purpose: &'static str,
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    from: Time,
    jwk: Value,
    decoding: DecodingKey,
}

impl TokenKey {
    fn read(purpose: &'static str, key: PublicKey, from: Time) -> Result<Self, String> {
        let encoded = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let (algorithm, thumb, decoding) = match &key {
            PublicKey::Ed25519(x) => {
                let x = encoded(x);
                let decoding = DecodingKey::from_ed_components(&x).map_err(|e| e.to_string())?;
                (Algorithm::EdDsa, json!({ "crv": "Ed25519", "kty": "OKP", "x": x }), decoding)
            }
            PublicKey::P256(point) => {
                let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
                let (x, y) = (encoded(x), encoded(y));
                let decoding = DecodingKey::from_ec_components(&x, &y).map_err(|e| e.to_string())?;
                (Algorithm::Es256, json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y }), decoding)
            }
        };
        let kid = thumbprint(&thumb);
        let mut jwk = thumb;
        if let Some(jwk) = jwk.as_object_mut() {
            jwk.insert("kid".to_owned(), json!(kid));
            jwk.insert("use".to_owned(), json!("sig"));
            jwk.insert("alg".to_owned(), json!(algorithm));
        }
        Ok(Self { purpose, kid, algorithm, from, jwk, decoding })
    }

    /// Whether a signature over these bytes is by this key.
    pub(crate) fn verifies(&self, signature: &str, message: &[u8]) -> bool {
        let by = match self.algorithm {
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        };
        jsonwebtoken::crypto::verify(signature, message, &self.decoding, by).unwrap_or(false)
    }
}

/// The thumbprint of a key (RFC 7638): these are its required members and nothing else, which sort by name.
pub(crate) fn thumbprint(members: &Value) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(members.to_string().as_bytes()))
}

/// The keys there are. What they are may change while they are used: whoever uses them sees those before or those after.
#[derive(Default)]
pub struct TokenKeys(RwLock<Arc<Vec<Arc<TokenKey>>>>);

impl TokenKeys {
    /// Reads them with the public halves that the signer has. One that cannot be read is told of and left out.
    #[must_use]
    pub fn read(signer: &dyn Signer, kept: &[KeptKey]) -> (Self, Vec<String>) {
        let (mut read, mut troubles) = (Vec::new(), Vec::new());
        for one in kept {
            let known = one.purpose().ok_or_else(|| format!("there is no key `{}`", one.purpose));
            let key = known.and_then(|purpose| {
                let key = signer.key(purpose).map_err(|e| e.to_string())?;
                TokenKey::read(purpose, key, one.from)
            });
            match key {
                Ok(key) => read.push(Arc::new(key)),
                Err(why) => troubles.push(format!("`{}`: {why}", one.purpose)),
            }
        }
        (Self(RwLock::new(Arc::new(read))), troubles)
    }

    /// Puts others in their place, all at once.
    pub fn become_others(&self, others: &Self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = others.all();
    }

    fn all(&self) -> Arc<Vec<Arc<TokenKey>>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that signs now.
    pub(crate) fn signing(&self, now: Time) -> Option<Arc<TokenKey>> {
        self.all().iter().filter(|key| key.from <= now).max_by_key(|key| key.from).cloned()
    }

    pub(crate) fn find(&self, kid: &str) -> Option<Arc<TokenKey>> {
        self.all().iter().find(|key| key.kid == kid).cloned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// The key set (RFC 7517), those that are to sign later included.
    pub(crate) fn set(&self) -> Value {
        json!({ "keys": self.all().iter().map(|key| &key.jwk).collect::<Vec<_>>() })
    }

    /// How they sign, by the standard's names; each once.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let mut all: Vec<Algorithm> = Vec::new();
        for key in self.all().iter() {
            if !all.contains(&key.algorithm) {
                all.push(key.algorithm);
            }
        }
        all
    }

    /// By their names, for people.
    #[must_use]
    pub fn ids(&self) -> Vec<(&'static str, String)> {
        self.all().iter().map(|key| (key.purpose, key.kid.clone())).collect()
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all().iter().map(|key| &key.kid)).finish()
    }
}
