//! A hand that signs as `ssh-keygen` does, and as hardware would; it can be told to sign wrongly.

use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};
use ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, SkEcdsaSha2NistP256, SkEd25519};
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, LineEnding, PublicKey, Signature, SshSig};
use wane_domain::approval::{KeyMaterial, Says, Seat, Signature as Kept, Signed, Statement};
use wane_domain::canonical::Digest;
use wane_domain::id::TypedId;
use wane_domain::time::Time;

pub(crate) fn id<T: TypedId>(n: u8) -> T {
    T::mint(Time::from_micros(1_795_000_000_000_000), &[n; 10])
}

pub(crate) fn statement() -> Statement {
    Statement {
        org: id(1),
        request: Digest::of_bytes("t", b"asked"),
        narrowed: None,
        seats: vec![Seat { item: 0, stage: 0 }],
        decision: Says::Approve,
        approver: id(2),
        instead_of: None,
        key: id(3),
        at: Time::from_micros(1_795_000_000_000_000),
        nonce: "00112233445566778899aabbccddeeff".to_owned(),
    }
}

/// Sorts of keys that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Ed25519,
    Ecdsa,
    SkEd25519,
    SkEcdsa,
}

pub(crate) const SORTS: [Sort; 4] = [Sort::Ed25519, Sort::Ecdsa, Sort::SkEd25519, Sort::SkEcdsa];

/// A key and what it is told to do.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    pub(crate) sort: Sort,
    pub(crate) seed: u8,
    pub(crate) namespace: &'static str,
    pub(crate) hash: HashAlg,
    pub(crate) flags: u8,
    pub(crate) application: &'static str,
}

impl Hand {
    pub(crate) fn of(sort: Sort) -> Self {
        Self {
            sort,
            seed: 7,
            namespace: wane_approval::NAMESPACE,
            hash: HashAlg::Sha512,
            flags: 1,
            application: "ssh:",
        }
    }

    fn ed(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(&[self.seed; 32])
    }

    fn ec(&self) -> p256::ecdsa::SigningKey {
        p256::ecdsa::SigningKey::from_slice(&[self.seed; 32]).unwrap()
    }

    pub(crate) fn public(&self) -> KeyData {
        let ed = Ed25519PublicKey(self.ed().verifying_key().to_bytes());
        let point = || {
            let sec1 = self.ec().verifying_key().to_sec1_point(false);
            EcdsaPublicKey::from_sec1_bytes(sec1.as_bytes()).unwrap()
        };
        match self.sort {
            Sort::Ed25519 => KeyData::Ed25519(ed),
            Sort::Ecdsa => KeyData::Ecdsa(point()),
            Sort::SkEd25519 => KeyData::SkEd25519(SkEd25519::new(ed, self.application)),
            Sort::SkEcdsa => {
                let EcdsaPublicKey::NistP256(point) = point() else { panic!("another curve") };
                KeyData::SkEcdsaSha2NistP256(SkEcdsaSha2NistP256::new(point, self.application))
            }
        }
    }

    pub(crate) fn line(&self) -> String {
        PublicKey::from(self.public()).to_openssh().unwrap()
    }

    pub(crate) fn material(&self) -> KeyMaterial {
        wane_approval::ssh_key(&self.line()).unwrap()
    }

    pub(crate) fn armored(&self, message: &[u8]) -> String {
        let data = SshSig::signed_data(self.namespace, self.hash, message).unwrap();
        // What hardware signs: its application, flags, counter, and a digest (PROTOCOL.u2f).
        let mut trailer = vec![self.flags];
        trailer.extend(9_u32.to_be_bytes());
        let mut hard = Sha256::digest(self.application.as_bytes()).to_vec();
        hard.extend(&trailer);
        hard.extend(Sha256::digest(&data));
        let ec = |message: &[u8]| {
            let signature: p256::ecdsa::Signature = self.ec().sign(message);
            Signature::try_from(signature).unwrap().as_bytes().to_vec()
        };
        let (algorithm, bytes) = match self.sort {
            Sort::Ed25519 => (Algorithm::Ed25519, self.ed().sign(&data).to_bytes().to_vec()),
            Sort::Ecdsa => (Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }, ec(&data)),
            Sort::SkEd25519 => (Algorithm::SkEd25519, [self.ed().sign(&hard).to_bytes().to_vec(), trailer].concat()),
            Sort::SkEcdsa => (Algorithm::SkEcdsaSha2NistP256, [ec(&hard), trailer].concat()),
        };
        let signature = Signature::new(algorithm, bytes).unwrap();
        SshSig::new(self.public(), self.namespace, self.hash, signature).unwrap().to_pem(LineEnding::LF).unwrap()
    }

    pub(crate) fn signs(&self, statement: &Statement) -> Signed {
        let text = statement.text().unwrap();
        Signed { key: self.material(), signature: Kept::Ssh(self.armored(text.as_bytes())), statement: text }
    }
}
