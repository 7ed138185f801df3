//! Envelope encryption: what opens where.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;
use wane_domain::ambient::{Ambient, Entropy};
use wane_domain::id::OrgId;
use wane_domain::time::Time;
use wane_keys::envelope::{EnvelopeError, Keyring, KeyringError, MOST_PLAINTEXT, Place};
use wane_keys::seal::{Seal, SealName};
use wane_testkit::FakeClock;

use crate::ambient;

const CANARY: &[u8] = b"canary-5f3a";
const HERE: Place<'static> = Place { table: "sealed", row: "connector/res_1", column: "sealed" };

/// A seal whose key depends on the seed alone.
fn seal(name: SealName, seed: u64) -> Seal {
    let dir = tempfile::tempdir().unwrap();
    Seal::open_machine(name, &dir.path().join("k"), &ambient(seed)).unwrap()
}

fn org(seed: u64) -> OrgId {
    ambient(seed).id()
}

fn ring() -> Keyring {
    Keyring::create(&seal(SealName::Ends, 1), org(1), &ambient(1)).unwrap().0
}

#[test]
fn every_changed_byte_is_noticed() {
    let ring = ring();
    let sealed = ring.seal(&HERE, CANARY).unwrap();
    assert_eq!(ring.open(&HERE, &sealed).unwrap().expose(), CANARY);
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            assert!(ring.open(&HERE, &changed).is_err(), "byte {at} bit {bit}");
        }
        assert!(ring.open(&HERE, &sealed[..at]).is_err(), "cut to {at}");
        assert!(ring.open(&HERE, &sealed[at + 1..]).is_err(), "from {at}");
    }
    assert!(ring.open(&HERE, &[sealed.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn a_moved_ciphertext_does_not_open() {
    let ring = ring();
    let sealed = ring.seal(&HERE, CANARY).unwrap();
    let moved = [
        Place { row: "connector/res_2", ..HERE },
        Place { table: "login", ..HERE },
        Place { column: "totp", ..HERE },
        // The same letters in all, cut elsewhere.
        Place { table: "sealedc", row: "onnector/res_1", ..HERE },
        Place { row: "connector/res_1s", column: "ealed", ..HERE },
        Place { table: "", row: "", column: "" },
    ];
    for place in moved {
        let refused = ring.open(&place, &sealed).unwrap_err();
        assert!(matches!(refused, EnvelopeError::DoesNotOpen { .. }), "{refused:?}");
        assert!(!refused.to_string().contains("canary"));
    }
}

#[test]
fn the_same_keys_under_another_organisation_or_seal_do_not_open() {
    let ends = seal(SealName::Ends, 1);
    let (_, wrapped) = Keyring::create(&ends, org(1), &ambient(1)).unwrap();
    let check = |seal: &Seal, org: OrgId, opens: bool| {
        let got = Keyring::unlock(seal, org, &wrapped, &ambient(2)).map(|_| ());
        assert_eq!(got, if opens { Ok(()) } else { Err(KeyringError::DoesNotOpen { seal: seal.name() }) });
    };
    check(&ends, org(1), true);
    check(&ends, org(2), false);
    check(&seal(SealName::Ends, 2), org(1), false);
    // The same key-encryption key, opened as the other seal.
    check(&seal(SealName::Issuing, 1), org(1), false);
}

/// The data keys come from entropy alone, so two rings can share them and differ in name only.
#[test]
fn records_are_bound_to_organisation_and_seal_and_not_only_to_the_key() {
    let make = |name, of: OrgId| Keyring::create(&seal(name, 1), of, &ambient(7)).unwrap().0;
    let sealed = make(SealName::Ends, org(1)).seal(&HERE, CANARY).unwrap();
    assert!(make(SealName::Ends, org(1)).open(&HERE, &sealed).is_ok());
    assert!(make(SealName::Ends, org(2)).open(&HERE, &sealed).is_err());
    assert!(make(SealName::Issuing, org(1)).open(&HERE, &sealed).is_err());
}

#[test]
fn a_wrapped_keyring_notices_every_changed_byte() {
    let ends = seal(SealName::Ends, 1);
    let (_, wrapped) = Keyring::create(&ends, org(1), &ambient(1)).unwrap();
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 0x10;
        assert!(Keyring::unlock(&ends, org(1), &changed, &ambient(1)).is_err(), "byte {at}");
        assert!(Keyring::unlock(&ends, org(1), &wrapped[..at], &ambient(1)).is_err(), "cut to {at}");
    }
}

#[test]
fn a_rotated_keyring_opens_the_old_and_seals_with_the_new() {
    let ends = seal(SealName::Ends, 1);
    let (first, _) = Keyring::create(&ends, org(1), &ambient(1)).unwrap();
    let old = first.seal(&HERE, CANARY).unwrap();
    let (second, wrapped) = first.rotated(&ends).unwrap();
    let new = second.seal(&HERE, CANARY).unwrap();
    assert_eq!((first.newest(), second.newest()), (1, 2));

    let again = Keyring::unlock(&ends, org(1), &wrapped, &ambient(3)).unwrap();
    assert_eq!(again.newest(), 2);
    for sealed in [&old, &new] {
        assert_eq!(again.open(&HERE, sealed).unwrap().expose(), CANARY);
    }
    assert_eq!(first.open(&HERE, &new).unwrap_err(), EnvelopeError::NoKey { version: 2 });
    // Claiming the other version picks the other key.
    let mut relabelled = old;
    relabelled[4] = 2;
    assert!(again.open(&HERE, &relabelled).is_err());

    let other = seal(SealName::Issuing, 1);
    assert!(matches!(first.rotated(&other), Err(KeyringError::OtherSeal { .. })));
}

/// Bytes anybody can guess.
struct Constant;

impl Entropy for Constant {
    fn fill(&self, buf: &mut [u8]) {
        buf.fill(7);
    }
}

/// With entropy that repeats, both versions are the same key: the version itself must be bound.
#[test]
fn records_are_bound_to_the_key_version_and_not_only_to_the_key() {
    let ambient = Ambient::new(FakeClock::at(Time::from_micros(0)), Arc::new(Constant));
    let ends = seal(SealName::Ends, 1);
    let (first, _) = Keyring::create(&ends, org(1), &ambient).unwrap();
    let mut sealed = first.seal(&HERE, CANARY).unwrap();
    let (second, _) = first.rotated(&ends).unwrap();
    assert!(second.open(&HERE, &sealed).is_ok());
    sealed[4] = 2;
    assert!(second.open(&HERE, &sealed).is_err());
}

#[test]
fn a_keyring_moves_to_a_new_key_file() {
    let (old, new) = (seal(SealName::Ends, 1), seal(SealName::Ends, 2));
    let (ring, _) = Keyring::create(&old, org(1), &ambient(1)).unwrap();
    let sealed = ring.seal(&HERE, CANARY).unwrap();
    let moved = ring.wrap(&new).unwrap();
    assert!(Keyring::unlock(&old, org(1), &moved, &ambient(1)).is_err());
    assert!(Keyring::unlock(&new, org(1), &moved, &ambient(1)).unwrap().open(&HERE, &sealed).is_ok());
}

#[test]
fn the_same_secret_never_looks_the_same() {
    let ring = ring();
    let (one, two) = (ring.seal(&HERE, CANARY).unwrap(), ring.seal(&HERE, CANARY).unwrap());
    assert_ne!(one, two);
    assert!(!one.windows(CANARY.len()).any(|w| w == CANARY));
}

#[test]
fn a_secret_has_a_bound() {
    let ring = ring();
    let most = vec![1; MOST_PLAINTEXT];
    assert_eq!(ring.open(&HERE, &ring.seal(&HERE, &most).unwrap()).unwrap().expose(), most);
    let over = ring.seal(&HERE, &vec![1; MOST_PLAINTEXT + 1]);
    assert_eq!(over, Err(EnvelopeError::TooLong { length: MOST_PLAINTEXT + 1 }));
}

#[test]
fn debug_shows_no_key() {
    let ring = ring();
    assert_eq!(format!("{ring:?}"), format!("Keyring {{ org: {}, seal: Ends, newest: 1, .. }}", org(1)));
    let sealed = ring.seal(&HERE, CANARY).unwrap();
    assert!(!format!("{:?}", ring.open(&HERE, &sealed).unwrap()).contains("canary"));
}

proptest! {
    /// Opens where it was sealed, and at no other place.
    #[test]
    fn opens_at_its_place_and_nowhere_else(
        plain in proptest::collection::vec(any::<u8>(), 0..200),
        here in ("[a-c]{0,3}", "[a-c]{0,3}", "[a-c]{0,3}"),
        there in ("[a-c]{0,3}", "[a-c]{0,3}", "[a-c]{0,3}"),
    ) {
        let ring = ring();
        let at = |p: &(String, String, String)| -> Result<Vec<u8>, EnvelopeError> {
            let sealed = ring.seal(&Place { table: &here.0, row: &here.1, column: &here.2 }, &plain)?;
            let place = Place { table: &p.0, row: &p.1, column: &p.2 };
            ring.open(&place, &sealed).map(|s| s.expose().to_vec())
        };
        prop_assert_eq!(at(&here).unwrap(), plain.clone());
        prop_assert_eq!(at(&there).is_ok(), here == there);
    }

    /// Whatever bytes lie in the table, nothing panics and nothing opens.
    #[test]
    fn rubbish_does_not_open(rubbish in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(ring().open(&HERE, &rubbish).is_err());
        let framed = [&[1, 0, 0, 0, 1], rubbish.as_slice()].concat();
        prop_assert!(ring().open(&HERE, &framed).is_err());
        prop_assert!(Keyring::unlock(&seal(SealName::Ends, 1), org(1), &rubbish, &ambient(1)).is_err());
    }
}
