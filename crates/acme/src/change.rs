//! A change of an account's key (RFC 8555, section 7.3.5): the new key signs that it takes the old one's place.

use serde::Deserialize;
use serde_json::Value;

use crate::call::{Flat, Read};
use crate::key::ClientKey;
use crate::refused::Refused;

/// A change that the new key signed.
#[derive(Debug)]
pub struct Change {
    key: ClientKey,
    account: String,
    old: ClientKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Says {
    account: String,
    old_key: Value,
}

impl Change {
    /// Reads what is inside a call that was sent to this address, and checks that the new key signed it.
    ///
    /// # Errors
    /// When it did not, or this has not the form of a change.
    pub fn read(inside: &Value, url: &str) -> Result<Self, Refused> {
        let off = |why: &str| Refused::malformed(format!("the change of the key: {why}"));
        let flat: Flat = serde_json::from_value(inside.clone()).map_err(|e| off(&e.to_string()))?;
        let Read { header, payload, message, signature } = flat.read()?;
        if header.nonce.is_some() || header.kid.is_some() {
            return Err(off("it has no `nonce` and no `kid`"));
        }
        if header.url.as_deref() != Some(url) {
            return Err(off("its `url` is another than that of the call"));
        }
        let key = ClientKey::read(&header.jwk.ok_or_else(|| off("it has no `jwk`"))?)?;
        // INVARIANT: nobody has an account take a key that they do not have (held by
        // `a_key_takes_anothers_place_if_both_say_so`).
        key.check(&header.alg, &signature, message.as_bytes())?;
        let says: Says = serde_json::from_slice(&payload).map_err(|e| off(&e.to_string()))?;
        Ok(Self { key, account: says.account, old: ClientKey::read(&says.old_key)? })
    }

    /// The new key, if this is said of the account at this address and the key it has.
    ///
    /// # Errors
    /// When it is said of another.
    pub fn takes_place_of(self, account: &str, thumbprint: &str) -> Result<ClientKey, Refused> {
        if self.account != account || self.old.thumbprint() != thumbprint {
            return Err(Refused::malformed("the change of the key is about another account or key"));
        }
        Ok(self.key)
    }
}
