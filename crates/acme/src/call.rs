//! Calls: a JSON Web Signature in its flattened form (RFC 7515), as RFC 8555, section 6.2, narrows it.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::key::{ALGORITHMS, ClientKey};
use crate::refused::{Refused, Sort};
use crate::says::decoded;

/// The longest body of a call, in bytes: a signing request, encoded twice, and a key.
pub const LONGEST: usize = 64 * 1024;

/// The members of a signature in its flattened form. What a signature has for others is not taken; what nobody knows is
/// not read.
#[derive(Deserialize)]
pub(crate) struct Flat {
    protected: String,
    payload: String,
    signature: String,
    header: Option<IgnoredAny>,
    signatures: Option<IgnoredAny>,
}

/// What is signed of a header.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) nonce: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) jwk: Option<Value>,
    pub(crate) kid: Option<String>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

/// A signature as it was read, which nobody has checked.
pub(crate) struct Read {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    pub(crate) message: String,
    pub(crate) signature: String,
}

impl Flat {
    /// What it says.
    pub(crate) fn read(self) -> Result<Read, Refused> {
        if self.header.is_some() || self.signatures.is_some() {
            return Err(Refused::malformed("send one signature, with all of its header protected"));
        }
        let header: Header = serde_json::from_slice(&decoded("protected", &self.protected)?)
            .map_err(|e| Refused::malformed(format!("the protected header cannot be read: {e}")))?;
        if header.crit.is_some() || header.b64.is_some() {
            return Err(Refused::malformed("nothing is critical here; leave `crit` and `b64` out"));
        }
        let payload = decoded("payload", &self.payload)?;
        decoded("signature", &self.signature)?;
        let message = format!("{}.{}", self.protected, self.payload);
        Ok(Read { header, payload, message, signature: self.signature })
    }
}

/// Who a call is by, as it says.
#[derive(Clone, Debug)]
pub enum By {
    /// Whoever has this key.
    Key(ClientKey),
    /// The account at this address.
    Account(String),
}

/// A call, of which the form is right and the signature has not been looked at.
#[derive(Clone, Debug)]
pub struct Call {
    alg: String,
    nonce: String,
    url: String,
    by: By,
    payload: Vec<u8>,
    message: String,
    signature: String,
}

impl Call {
    /// Reads a call.
    ///
    /// # Errors
    /// When it has not exactly the form of one.
    pub fn read(body: &[u8]) -> Result<Self, Refused> {
        if body.len() > LONGEST {
            return Err(Refused::malformed(format!("a call has {LONGEST} bytes at the most")));
        }
        let flat: Flat = serde_json::from_slice(body)
            .map_err(|e| Refused::malformed(format!("it is no signature in flattened JSON: {e}")))?;
        let Read { header, payload, message, signature } = flat.read()?;
        // INVARIANT: no call is good by anything but the signature of a key pair (held by `of_all_the_calls_one_is_believed`).
        if !ALGORITHMS.contains(&header.alg.as_str()) {
            let why = format!("calls are signed by one of {}", ALGORITHMS.join(", "));
            return Err(Refused::new(Sort::BadSignatureAlgorithm, why));
        }
        let missing = |what: &str| Refused::malformed(format!("the protected header has no `{what}`"));
        let by = match (header.jwk, header.kid) {
            (Some(jwk), None) => By::Key(ClientKey::read(&jwk)?),
            (None, Some(kid)) => By::Account(kid),
            (None, None) => return Err(missing("jwk` or `kid")),
            (Some(_), Some(_)) => return Err(Refused::malformed("the protected header has `jwk` and `kid`; send one")),
        };
        let nonce = header.nonce.ok_or_else(|| Refused::new(Sort::BadNonce, "the call has no nonce"))?;
        let url = header.url.ok_or_else(|| missing("url"))?;
        Ok(Self { alg: header.alg, nonce, url, by, payload, message, signature })
    }

    /// Who it is by, as it says.
    #[must_use]
    pub fn by(&self) -> &By {
        &self.by
    }

    /// The nonce it came with.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Whether it was made for this address.
    ///
    /// # Errors
    /// When it was made for another.
    pub fn is_for(&self, url: &str) -> Result<(), Refused> {
        if self.url == url {
            return Ok(());
        }
        let why = format!("`url` of the protected header is not `{url}`, to which this was sent");
        Err(Refused::new(Sort::Unauthorized, why))
    }

    /// Whether it is signed with this key.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_signed_by(&self, key: &ClientKey) -> Result<(), Refused> {
        key.check(&self.alg, &self.signature, self.message.as_bytes())
    }

    /// Whether it says nothing and asks only (section 6.3).
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.payload.is_empty()
    }

    /// What it says.
    ///
    /// # Errors
    /// When it says something else.
    pub fn says<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        serde_json::from_slice(&self.payload)
            .map_err(|e| Refused::malformed(format!("the payload cannot be read: {e}")))
    }
}
