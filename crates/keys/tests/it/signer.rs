//! The signer: which key signs on which road.
#![expect(clippy::unwrap_used, reason = "tests")]

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::HEXLOWER;
use wane_connector::{Checker, PublishPermit, SignError, Signer};
use wane_domain::issue::Right;
use wane_domain::secret::Secret;
use wane_keys::signer::{LocalSigner, SignerKeyError, SignerKeys};

use crate::ambient;
use crate::permit::issue_permit;

const USER_CA: &str = "ssh-user-ca";
const HOST_CA: &str = "ssh-host-ca";
const KRL: &str = "ssh-krl";
const ALL: [&str; 3] = [USER_CA, HOST_CA, KRL];

/// Allows a message that states the permit's own end, and nothing else.
fn states_the_end(permit: &Right, message: &[u8]) -> Result<(), String> {
    if message == permit.not_after().micros().to_be_bytes() {
        Ok(())
    } else {
        Err("it ends at another time".to_owned())
    }
}

fn checkers() -> Vec<(&'static str, Checker)> {
    vec![(USER_CA, states_the_end)]
}

fn signer() -> LocalSigner {
    LocalSigner::new(SignerKeys::generate(&ALL, &ambient(1)), checkers()).unwrap()
}

fn publish_permit() -> PublishPermit {
    PublishPermit { what: "krl version 7".to_owned() }
}

fn verifies(signer: &LocalSigner, purpose: &'static str, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, signer.public_key(purpose).unwrap()).verify(message, signature).is_ok()
}

#[test]
fn what_the_permit_allows_is_signed_with_the_key_of_the_purpose() {
    let (signer, permit) = (signer(), issue_permit(&ambient(2)));
    let message = permit.not_after().micros().to_be_bytes();
    let signature = signer.issue(USER_CA, permit, &message).unwrap();
    for purpose in ALL {
        assert_eq!(verifies(&signer, purpose, &message, &signature.0), purpose == USER_CA, "{purpose}");
    }
}

#[test]
fn the_checker_has_the_last_word() {
    let (signer, permit) = (signer(), issue_permit(&ambient(2)));
    let later = (permit.not_after().micros() + 1).to_be_bytes();
    assert_eq!(signer.issue(USER_CA, permit, &later), Err(SignError::Exceeds("it ends at another time".to_owned())));
}

#[test]
fn the_user_ca_cannot_be_reached_through_publish() {
    let (signer, permit) = (signer(), issue_permit(&ambient(2)));
    // Not even with bytes that a permit would allow.
    for message in [permit.not_after().micros().to_be_bytes().as_slice(), b"", b"krl"] {
        let refused = signer.publish(USER_CA, publish_permit(), message);
        assert!(matches!(refused, Err(SignError::WrongRoad { .. })), "{refused:?}");
    }
}

#[test]
fn what_publishes_does_not_issue() {
    let signer = signer();
    for purpose in [KRL, HOST_CA] {
        let signature = signer.publish(purpose, publish_permit(), b"list").unwrap();
        assert!(verifies(&signer, purpose, b"list", &signature.0));
        let refused = signer.issue(purpose, issue_permit(&ambient(2)), b"list");
        assert!(matches!(refused, Err(SignError::WrongRoad { .. })), "{refused:?}");
    }
}

#[test]
fn sealed_is_told_from_unknown_and_ends_go_on() {
    let mut keys = SignerKeys::generate(&ALL, &ambient(1));
    let krl = keys.pop().unwrap();
    let signer = LocalSigner::new(vec![krl], checkers()).unwrap().awaiting(&[HOST_CA]);
    assert!(signer.is_sealed());
    for purpose in [USER_CA, HOST_CA] {
        assert_eq!(signer.public_key(purpose), Err(SignError::Sealed), "{purpose}");
    }
    let permit = issue_permit(&ambient(2));
    let message = permit.not_after().micros().to_be_bytes();
    assert_eq!(signer.issue(USER_CA, permit, &message), Err(SignError::Sealed));
    assert_eq!(signer.public_key("tls"), Err(SignError::NoKey("tls".to_owned())));
    // Revocation lists need no person.
    assert!(signer.publish(KRL, publish_permit(), b"list").is_ok());

    signer.unseal(keys).unwrap();
    assert!(!signer.is_sealed());
    assert!(signer.issue(USER_CA, issue_permit(&ambient(2)), &message).is_ok());
}

#[test]
fn keys_are_one_per_purpose_and_usable() {
    let twice = LocalSigner::new(SignerKeys::generate(&[KRL, KRL], &ambient(1)), Vec::new());
    assert_eq!(twice.unwrap_err(), SignerKeyError::Twice { purpose: KRL });
    let twice = LocalSigner::new(Vec::new(), [checkers(), checkers()].concat());
    assert_eq!(twice.unwrap_err(), SignerKeyError::Twice { purpose: USER_CA });

    let signer = signer();
    let own = signer.public_key(USER_CA).unwrap();
    let refused = signer.unseal(SignerKeys::generate(&["fresh", USER_CA], &ambient(5)));
    assert_eq!(refused, Err(SignerKeyError::Twice { purpose: USER_CA }));
    assert_eq!(signer.public_key(USER_CA), Ok(own), "a key is never replaced");
    assert!(signer.public_key("fresh").is_err(), "all or none");
    for length in [0, 31, 33, 64] {
        let unusable = LocalSigner::new(vec![(KRL, Secret::new(vec![1; length]))], Vec::new());
        assert_eq!(unusable.unwrap_err(), SignerKeyError::Unusable { purpose: KRL });
    }
}

#[test]
fn every_purpose_gets_its_own_key() {
    let signer = signer();
    let mut publics: Vec<_> = ALL.iter().map(|p| signer.public_key(p).unwrap()).collect();
    publics.sort_unstable();
    publics.dedup();
    assert_eq!(publics.len(), ALL.len());
}

/// RFC 8032, 7.1, test 2.
#[test]
fn signs_the_published_vector() {
    let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
    let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let signer = LocalSigner::new(vec![(KRL, Secret::new(seed))], Vec::new()).unwrap();
    let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    assert_eq!(HEXLOWER.encode(&signer.public_key(KRL).unwrap()), public);
    let signature = signer.publish(KRL, publish_permit(), &[0x72]).unwrap();
    let expected = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    assert_eq!(HEXLOWER.encode(&signature.0), expected);
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", signer());
    assert_eq!(
        shown,
        r#"LocalSigner { issues: ["ssh-user-ca"], holds: ["ssh-host-ca", "ssh-krl", "ssh-user-ca"], .. }"#
    );
}
