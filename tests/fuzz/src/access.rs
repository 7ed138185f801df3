//! A grant, its lease and a permit as the engine makes them, and signers whose keys come from seeds.

use std::sync::{Arc, Mutex};

use russh::keys::PrivateKey;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use wane_connector::{PublicKey, PublishPermit, SignError, Signature, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseKind;
use wane_domain::request::{Ask, AskItem};
use wane_domain::time::{Span, Time};
use wane_testkit::{FakeClock, Held, plain_ask};

pub(crate) const NOW: Time = Time::from_micros(1_795_255_200_000_000);

pub(crate) fn ambient() -> Ambient {
    FakeClock::at(NOW).ambient(7)
}

pub(crate) fn ask(ambient: &Ambient, resource: &Resource, role: &Role) -> Ask {
    let item = AskItem { resource: resource.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
    Ask {
        justification: Some("to look at a failing job".parse().unwrap()),
        ticket: Some("INC-1".parse().unwrap()),
        ..plain_ask(ambient, item, Span::from_mins(30))
    }
}

pub(crate) fn hold(ambient: &Ambient, resource: &Resource, role: &Role) -> Held {
    wane_testkit::hold(ambient, ask(ambient, resource, role), "ssh", LeaseKind::Credential, NOW)
}

/// Keys made from the purpose's name, and the last message each signed.
#[derive(Default)]
pub(crate) struct SeedSigner {
    pub(crate) signed: Mutex<Vec<u8>>,
}

impl SeedSigner {
    pub(crate) fn shared() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn private(purpose: &str) -> PrivateKey {
        let seed = *Digest::of_bytes("fuzz", purpose.as_bytes()).as_bytes();
        PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "").unwrap()
    }

    fn sign(&self, purpose: &str, message: &[u8]) -> Signature {
        *self.signed.lock().unwrap() = message.to_vec();
        Signature(Self::private(purpose).try_sign(message).unwrap().as_bytes().try_into().unwrap())
    }
}

impl Signer for SeedSigner {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        Ok(PublicKey::Ed25519(Self::private(purpose).public_key().key_data().ed25519().unwrap().0))
    }

    fn issue(&self, purpose: &'static str, _: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        Ok(self.sign(purpose, message))
    }

    fn publish(&self, purpose: &'static str, _: PublishPermit, message: &[u8]) -> Result<Signature, SignError> {
        Ok(self.sign(purpose, message))
    }
}
