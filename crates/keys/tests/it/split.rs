//! A server's signer: what ends access is signed here, whatever becomes of the desk.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use wane_connector::{PublicKey, PublishPermit, SignError, Signer};
use wane_keys::desk::chest::{Chest, ChestError};
use wane_keys::desk::message::Call;
use wane_keys::desk::{Carry, Messenger};
use wane_keys::seal::{Seal, SealName};
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_keys::split::{Publics, Split};

use crate::ambient;
use crate::permit::issue_permit;

const USER_CA: &str = "ssh-user-ca";
const KRL: &str = "ssh-krl";

/// A desk that nobody is at: whoever waits for it fails the test's claim.
#[derive(Debug, Default)]
struct Nobody {
    asked: AtomicUsize,
    told: Mutex<Vec<Vec<u8>>>,
}

impl Carry for Nobody {
    fn carry(&self, _frame: &[u8]) -> Result<Vec<u8>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Err("nobody is there".to_owned())
    }
    fn tell(&self, frame: Vec<u8>) {
        self.told.lock().unwrap().push(frame);
    }
}

#[test]
fn what_ends_access_is_signed_without_the_desk() {
    let nobody = Arc::new(Nobody::default());
    let here = LocalSigner::new(SignerKeys::generate(&[KRL], &ambient(1)), Vec::new()).unwrap();
    let known = Publics::from([(USER_CA.to_owned(), PublicKey::Ed25519([7; 32]))]);
    let split = Split::new(here, Messenger(nobody.clone()), known);
    let what = || PublishPermit { what: "krl version 7".to_owned() };

    let signature = split.publish(KRL, what(), b"a list").unwrap();
    let key = split.public_key(KRL).unwrap();
    assert!(UnparsedPublicKey::new(&ED25519, key).verify(b"a list", &signature.0).is_ok());
    assert_eq!(split.public_key(USER_CA), Ok([7; 32]));
    let grant = ambient(2).id();
    split.ended(grant);
    assert_eq!(nobody.asked.load(Ordering::SeqCst), 0, "something that ends access waited for the desk");
    let told: Call = serde_json::from_slice(&nobody.told.lock().unwrap().remove(0)).unwrap();
    assert_eq!(told, Call::Ended { grant });

    // Everything else does wait, and says that nobody is there.
    let away = |e: SignError| matches!(e, SignError::Away(_));
    assert!(split.issue(USER_CA, issue_permit(&ambient(3)), b"a certificate").is_err_and(away));
    assert!(split.publish(USER_CA, what(), b"a certificate").is_err_and(away));
    assert!(split.public_key("ssh-host-ca").is_err_and(away));
    assert_eq!(nobody.asked.load(Ordering::SeqCst), 3);
    split.know(Publics::from([("ssh-host-ca".to_owned(), PublicKey::Ed25519([8; 32]))]));
    assert_eq!(split.public_key("ssh-host-ca"), Ok([8; 32]));
}

#[test]
fn keys_are_in_a_chest_once_and_open_under_its_seal_alone() {
    let (folder, ambient) = (tempfile::tempdir().unwrap(), ambient(1));
    let seal = |name: &str| Seal::open_machine(SealName::Signing, &folder.path().join(name), &ambient).unwrap();
    let keys = SignerKeys::generate(&[USER_CA], &ambient);
    let there = keys[0].1.expose().to_vec();
    let org = ambient.id();
    assert!(matches!(Chest::open(folder.path(), &seal("one"), &ambient), Err(ChestError::NotThere(_))));
    Chest::make(folder.path(), &seal("one"), org, &keys, &ambient).unwrap();
    let again = Chest::make(folder.path(), &seal("one"), org, &keys, &ambient);
    assert!(matches!(again, Err(ChestError::ThereAlready(_))));
    assert!(matches!(Chest::open(folder.path(), &seal("two"), &ambient), Err(ChestError::Keyring(_))));

    let more = SignerKeys::generate(&["x509-ca"], &ambient);
    let chest = Chest::open(folder.path(), &seal("one"), &ambient).unwrap().with(&more).unwrap();
    assert_eq!(chest.key(USER_CA).unwrap().unwrap().expose(), there);
    let chest = Chest::open(folder.path(), &seal("one"), &ambient).unwrap();
    assert_eq!((chest.org, chest.key(KRL).unwrap().is_none()), (org, true));
    assert_eq!(chest.key("x509-ca").unwrap().unwrap().expose(), more[0].1.expose());
    // What is sealed for one purpose opens for no other.
    let path = folder.path().join("signer.keys");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(USER_CA, "other").replace("x509-ca", USER_CA)).unwrap();
    let chest = Chest::open(folder.path(), &seal("one"), &ambient).unwrap();
    assert!(matches!(chest.key(USER_CA), Err(ChestError::Envelope(_))));
    let chest = chest.without("x509-ca");
    assert!(matches!(chest, Err(ChestError::NoKey(_))), "it was renamed");
    // What it knew by itself is of its keys, and is not left to be read by others.
    std::fs::write(folder.path().join("signer.root"), b"sealed").unwrap();
    std::fs::remove_file(path).unwrap();
    let anew = Chest::make(folder.path(), &seal("one"), org, &keys, &ambient);
    assert!(matches!(anew, Err(ChestError::Left(_))), "{anew:?}");
    std::fs::remove_file(folder.path().join("signer.root")).unwrap();
    Chest::make(folder.path(), &seal("one"), org, &keys, &ambient).unwrap().without(USER_CA).unwrap();
    assert!(Chest::open(folder.path(), &seal("one"), &ambient).unwrap().key(USER_CA).unwrap().is_none());
}
