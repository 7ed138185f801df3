//! A signer that holds its keys in memory and keeps the promise of the real one: it reads what it
//! signs and compares it with the permit.

use std::sync::Mutex;

use russh::keys::PrivateKey;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use wane_connector::{PublicKey, PublishPermit, SignError, Signature, Signer};
use wane_domain::issue::IssuePermit;
use wane_kind_ssh::{HOST_CA, KRL, USER_CA, check_user_certificate};

/// One key per purpose, made from a seed.
pub(crate) struct TestSigner {
    seed: u8,
    /// What was published, in words.
    pub(crate) published: Mutex<Vec<String>>,
}

impl TestSigner {
    pub(crate) fn new(seed: u8) -> Self {
        Self { seed, published: Mutex::new(Vec::new()) }
    }

    fn pair(&self, purpose: &str) -> Result<Ed25519Keypair, SignError> {
        let number = match purpose {
            USER_CA => 1,
            HOST_CA => 2,
            KRL => 3,
            other => return Err(SignError::NoKey(other.to_owned())),
        };
        Ok(Ed25519Keypair::from_seed(&[self.seed.wrapping_mul(8).wrapping_add(number); 32]))
    }

    pub(crate) fn private(&self, purpose: &str) -> PrivateKey {
        PrivateKey::new(KeypairData::Ed25519(self.pair(purpose).unwrap()), "").unwrap()
    }

    fn sign(&self, purpose: &str, message: &[u8]) -> Result<Signature, SignError> {
        let signature = self.private(purpose).try_sign(message).unwrap();
        Ok(Signature(signature.as_bytes().try_into().unwrap()))
    }
}

impl Signer for TestSigner {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        Ok(PublicKey::Ed25519(self.pair(purpose)?.public.0))
    }

    fn issue(&self, purpose: &'static str, permit: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        assert_eq!(purpose, USER_CA);
        check_user_certificate(&permit, message).map_err(SignError::Exceeds)?;
        self.sign(purpose, message)
    }

    fn publish(&self, purpose: &'static str, permit: PublishPermit, message: &[u8]) -> Result<Signature, SignError> {
        self.published.lock().unwrap().push(permit.what);
        self.sign(purpose, message)
    }
}
