//! A grant, its lease and a permit as the engine makes them, and signers whose keys come from seeds.

use std::sync::{Arc, Mutex};

use russh::keys::PrivateKey;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use wane_connector::{PublishPermit, SignError, Signature, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::{Basis, Permit};
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{Lease, LeaseKind};
use wane_domain::request::{AccessRequest, Ask, AskItem, Opening, Start};
use wane_domain::terms::{Mode, Need, Terms};
use wane_domain::time::{Span, Time};
use wane_testkit::FakeClock;

pub(crate) const NOW: Time = Time::from_micros(1_795_255_200_000_000);

pub(crate) fn ambient() -> Ambient {
    FakeClock::at(NOW).ambient(7)
}

fn terms() -> Terms {
    Terms {
        stages: Vec::new(),
        max_ttl: Span::from_hours(8),
        approval_window: Span::from_hours(1),
        activation_window: Span::from_hours(1),
        justification: Need::Optional,
        ticket: Need::Optional,
        step_up: Some(Span::from_mins(5)),
        recording: Need::Optional,
        mode: Mode::Any,
    }
}

fn permit() -> Permit {
    let digest = Digest::of_bytes("fuzz", b"");
    let basis =
        Basis { policy_set: digest, path: Some("p".to_owned()), determining: Vec::new(), facts: digest, at: NOW };
    wane_domain::evidence::permit(terms(), basis)
}

pub(crate) fn ask(ambient: &Ambient, resource: &Resource, role: &Role) -> Ask {
    Ask {
        org: ambient.id(),
        requester: ambient.id(),
        beneficiary: ambient.id(),
        items: vec![AskItem { resource: resource.id, role: role.id, role_digest: role.digest().unwrap() }],
        start: Start::Now,
        duration: Span::from_mins(30),
        justification: Some("to look at a failing job".parse().unwrap()),
        ticket: Some("INC-1".parse().unwrap()),
        parent: None,
        nonce: "00".repeat(16),
    }
}

/// An active grant with its one lease, and the request it came from.
pub(crate) struct Held {
    pub(crate) request: AccessRequest,
    pub(crate) grant: Grant,
    pub(crate) lease: Lease,
}

pub(crate) fn hold(ambient: &Ambient, resource: &Resource, role: &Role) -> Held {
    let opening = Opening::Path { terms: terms(), path: "p".to_owned() };
    let lapses = NOW.plus(Span::from_hours(1));
    let ask = ask(ambient, resource, role);
    let (request, _) = AccessRequest::open(ambient.id(), ask, vec![opening], NOW, lapses).unwrap();
    let (request, item) = request.mint_from(0, ambient.id()).unwrap();
    let (grant, _) = Grant::mint(item, permit(), NOW).unwrap();
    let (grant, _) = grant.apply(GrantEvent::Activate(permit()), NOW).unwrap();
    let (lease, _) = grant.lease(ambient.id(), "ssh".parse().unwrap(), LeaseKind::Credential, NOW).unwrap();
    Held { request, grant, lease }
}

impl Held {
    pub(crate) fn permit(&self) -> IssuePermit {
        self.grant.issue_permit(&self.lease, permit(), NOW).unwrap()
    }
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

    pub(crate) fn key(purpose: &str) -> PrivateKey {
        let seed = *Digest::of_bytes("fuzz", purpose.as_bytes()).as_bytes();
        PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "").unwrap()
    }

    fn sign(&self, purpose: &str, message: &[u8]) -> Signature {
        *self.signed.lock().unwrap() = message.to_vec();
        Signature(Self::key(purpose).try_sign(message).unwrap().as_bytes().try_into().unwrap())
    }
}

impl Signer for SeedSigner {
    fn public_key(&self, purpose: &'static str) -> Result<[u8; 32], SignError> {
        Ok(Self::key(purpose).public_key().key_data().ed25519().unwrap().0)
    }

    fn issue(&self, purpose: &'static str, _: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        Ok(self.sign(purpose, message))
    }

    fn publish(&self, purpose: &'static str, _: PublishPermit, message: &[u8]) -> Result<Signature, SignError> {
        Ok(self.sign(purpose, message))
    }
}
