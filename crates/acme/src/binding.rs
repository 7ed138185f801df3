//! Bindings of a client's key to what somebody holds here (RFC 8555, section 7.3.4).

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use crate::call::{Flat, Read};
use crate::key::ClientKey;
use crate::refused::{Refused, Sort};

/// A binding, of which nobody has looked at the code.
pub struct Binding {
    kid: String,
    algorithm: Algorithm,
    read: Read,
}

impl Binding {
    /// Reads one.
    ///
    /// # Errors
    /// When it has not the form of one.
    pub fn read(given: &Value) -> Result<Self, Refused> {
        let off = |why: &str| Refused::malformed(format!("`externalAccountBinding`: {why}"));
        let flat: Flat = serde_json::from_value(given.clone()).map_err(|e| off(&e.to_string()))?;
        let read = flat.read()?;
        let algorithm = match read.header.alg.as_str() {
            "HS256" => Algorithm::HS256,
            "HS384" => Algorithm::HS384,
            "HS512" => Algorithm::HS512,
            _ => return Err(off("its `alg` is none of `HS256`, `HS384`, `HS512`")),
        };
        if read.header.nonce.is_some() || read.header.jwk.is_some() {
            return Err(off("it has no `nonce` and no `jwk`"));
        }
        let kid = read.header.kid.clone().ok_or_else(|| off("it has no `kid`"))?;
        Ok(Self { kid, algorithm, read })
    }

    /// What it says it is made with.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether it was made with this secret, for this address, over the key that the call is signed with.
    ///
    /// # Errors
    /// When it was not; never which.
    pub fn is_good(&self, secret: &[u8], url: &str, key: &ClientKey) -> Result<(), Refused> {
        let by = DecodingKey::from_secret(secret);
        let message = self.read.message.as_bytes();
        // INVARIANT: whoever has not the secret binds nothing, and a binding binds the key it was made for (held by
        // `a_binding_binds_one_key_at_one_address`).
        let made = jsonwebtoken::crypto::verify(&self.read.signature, message, &by, self.algorithm).unwrap_or(false);
        let over = serde_json::from_slice::<Value>(&self.read.payload).ok().and_then(|jwk| ClientKey::read(&jwk).ok());
        let same = over.is_some_and(|over| over.thumbprint() == key.thumbprint());
        if made && same && self.read.header.url.as_deref() == Some(url) {
            return Ok(());
        }
        Err(Self::not_good())
    }

    /// What is said of every binding that is not good.
    #[must_use]
    pub fn not_good() -> Refused {
        let why = "the external account binding is not good: it was made with another key, for another address or key, or \
                   was used before; `wane acme` gives another";
        Refused::new(Sort::Unauthorized, why)
    }
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding").field("kid", &self.kid).finish_non_exhaustive()
    }
}
