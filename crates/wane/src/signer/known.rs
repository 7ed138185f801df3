//! What a server knows of the keys of a signer of its own: their public halves, from when it first heard of them.

use wane_connector::{PublicKey, PublishPermit, SignError, Signature, Signer};
use wane_domain::issue::IssuePermit;
use wane_domain::secret::Secret;
use wane_keys::envelope::Keyring;
use wane_keys::split::Publics;
use wane_store::{Store as _, Write};
use wane_store_sql::SqlStore;

use super::house::{further, purposes};
use crate::deployment::{OpenError, place, sealed};

/// Where a public key of the signer is kept, so that what it signed can be read back while it is away.
pub(crate) fn pin(purpose: &str) -> String {
    format!("signer-pin/{purpose}")
}

/// A row that keeps one.
pub(crate) fn pinned(ring: &Keyring, purpose: &str, key: PublicKey) -> Result<Write, OpenError> {
    Ok(Write::Sealed(sealed(ring, &pin(purpose), &Secret::new(key.bytes().to_vec()))?))
}

/// Those that are kept.
pub(crate) async fn known(store: &SqlStore, ring: &Keyring) -> Result<Publics, OpenError> {
    let mut known = Publics::new();
    for purpose in purposes().into_iter().chain(further()) {
        let row = pin(purpose);
        let Some(bytes) = store.sealed(&row).await? else { continue };
        let key = PublicKey::read(ring.open(&place(&row), &bytes)?.expose()).ok_or(OpenError::Lacks(row))?;
        known.insert(purpose.to_owned(), key);
    }
    Ok(known)
}

/// Knows keys, and has none.
pub(crate) struct Known(pub(crate) Publics);

impl Known {
    fn none() -> SignError {
        SignError::Away("only the signer has this key".to_owned())
    }
}

impl Signer for Known {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        self.0.get(purpose).copied().ok_or_else(|| SignError::NoKey(purpose.to_owned()))
    }

    fn issue(&self, _: &'static str, _: IssuePermit, _: &[u8]) -> Result<Signature, SignError> {
        Err(Self::none())
    }

    fn publish(&self, _: &'static str, _: PublishPermit, _: &[u8]) -> Result<Signature, SignError> {
        Err(Self::none())
    }
}
