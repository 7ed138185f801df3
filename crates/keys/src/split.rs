//! The signer as a server has it: what ends access is signed here, everything else is asked for at a desk.
//!
//! INVARIANT: nothing that ends access waits for the desk: the keys of revocation lists are here, the public part of
//! the others is known, and an end that is told is not waited for (held by
//! `what_ends_access_is_signed_without_the_desk`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use wane_connector::{PublicKey, PublishPermit, SignError, Signature, Signer, Vouched};
use wane_domain::approval::Signature as Signed;
use wane_domain::id::GrantId;
use wane_domain::issue::IssuePermit;

use crate::desk::Messenger;
use crate::signer::LocalSigner;

/// Public keys by purpose.
pub type Publics = BTreeMap<String, PublicKey>;

/// Two signers as one.
#[derive(Clone, Debug)]
pub struct Split {
    here: Arc<LocalSigner>,
    desk: Messenger,
    known: Arc<RwLock<Publics>>,
    /// Keys of the desk that would not sign more when they were last asked.
    limited: Arc<RwLock<BTreeSet<&'static str>>>,
}

impl Split {
    /// With the keys that are kept here, the desk that has the others, and what is known of those.
    #[must_use]
    pub fn new(here: LocalSigner, desk: Messenger, known: Publics) -> Self {
        Self { here: Arc::new(here), desk, known: Arc::new(RwLock::new(known)), limited: Arc::default() }
    }

    /// Takes note of the public keys of the desk.
    pub fn know(&self, keys: Publics) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// What is known of the desk's keys.
    #[must_use]
    pub fn known(&self) -> Publics {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers whether a key of the desk would not sign more.
    fn heard(&self, purpose: &'static str, said: Result<Signature, SignError>) -> Result<Signature, SignError> {
        let is_limited = matches!(said, Err(SignError::TooMany { .. }));
        if is_limited != self.limited.read().unwrap_or_else(PoisonError::into_inner).contains(purpose) {
            let mut limited = self.limited.write().unwrap_or_else(PoisonError::into_inner);
            if is_limited {
                limited.insert(purpose);
            } else if said.is_ok() {
                limited.remove(purpose);
            }
        }
        said
    }

    fn is_here(&self, purpose: &str) -> bool {
        self.here.purposes().contains(purpose)
    }
}

impl Signer for Split {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        if self.is_here(purpose) {
            return self.here.key(purpose);
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(purpose).copied();
        known.map_or_else(|| self.desk.key(purpose), Ok)
    }

    fn issue(&self, purpose: &'static str, permit: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        self.heard(purpose, self.desk.issue(purpose, permit, message))
    }

    fn publish(&self, purpose: &'static str, permit: PublishPermit, message: &[u8]) -> Result<Signature, SignError> {
        if self.is_here(purpose) {
            self.here.publish(purpose, permit, message)
        } else {
            self.heard(purpose, self.desk.publish(purpose, permit, message))
        }
    }

    fn away(&self) -> Option<String> {
        self.desk.away()
    }

    fn limited(&self) -> Vec<&'static str> {
        self.limited.read().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn ended(&self, grant: GrantId) {
        self.desk.ended(grant);
    }

    fn vouched(&self, voucher: &str, signature: &Signed) -> Result<Vouched, SignError> {
        self.desk.vouched(voucher, signature)
    }
}
