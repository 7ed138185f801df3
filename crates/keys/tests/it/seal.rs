//! Seals: who may read their files, and what opens them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::Barrier;

use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_keys::envelope::{Keyring, KeyringError};
use wane_keys::seal::{Seal, SealError, SealName};

use crate::ambient;

const PASSPHRASE: &[u8] = b"canary battery staple";

fn machine(path: &Path, seed: u64) -> Result<Seal, SealError> {
    Seal::open_machine(SealName::Ends, path, &ambient(seed))
}

fn passphrase(path: &Path, words: &[u8]) -> Result<Seal, SealError> {
    Seal::open_passphrase(SealName::Issuing, path, &Secret::new(words.to_vec()), &ambient(1))
}

/// Whether what one wraps, the other unwraps: the keys are the same.
fn same_key(one: &Seal, other: &Seal) -> bool {
    let org: OrgId = ambient(9).id();
    let (_, wrapped) = Keyring::create(one, org, &ambient(9)).unwrap();
    match Keyring::unlock(other, org, &wrapped, &ambient(9)) {
        Ok(_) => true,
        Err(KeyringError::DoesNotOpen { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_machine_key_is_made_private_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys/seals/ends.key");
    let first = machine(&path, 1).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(fs::read(&path).unwrap().len(), 32);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    // Other entropy: the key is what is in the file, not what is drawn now.
    assert!(same_key(&first, &machine(&path, 2).unwrap()));
    assert!(!same_key(&first, &machine(&dir.path().join("other.key"), 3).unwrap()));
}

#[test]
fn of_several_that_make_it_at_once_all_get_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k");
    let barrier = Barrier::new(8);
    let seals: Vec<Seal> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|seed| {
                let (path, barrier) = (&path, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    machine(path, seed).unwrap()
                })
            })
            .collect();
        racers.into_iter().map(|r| r.join().unwrap()).collect()
    });
    let last = machine(&path, 99).unwrap();
    assert!(seals.iter().all(|seal| same_key(seal, &last)));
}

#[test]
fn a_file_open_to_others_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k");
    machine(&path, 1).unwrap();
    for bad in [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(bad)).unwrap();
        let said = machine(&path, 1).unwrap_err().to_string();
        assert!(said.contains(&format!("mode {bad:04o}")) && said.contains("chmod 600"), "{said}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    machine(&path, 1).unwrap();
}

#[test]
fn a_folder_others_can_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for bad in [0o770, 0o702, 0o777] {
        fs::set_permissions(dir.path(), Permissions::from_mode(bad)).unwrap();
        let refused = machine(&dir.path().join("k"), 1);
        assert!(matches!(refused, Err(SealError::OpenToOthers { .. })), "{refused:?}");
        assert!(!dir.path().join("k").exists());
    }
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    machine(&dir.path().join("k"), 1).unwrap();
}

#[test]
fn somebody_elses_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k");
    machine(&path, 1).unwrap();
    let refused = if nix::unistd::geteuid().is_root() {
        chown(&path, Some(65534), None).unwrap();
        machine(&path, 1)
    } else {
        machine(Path::new("/etc/passwd"), 1)
    };
    assert!(matches!(refused, Err(SealError::ForeignOwner { .. })), "{refused:?}");
}

#[test]
fn only_a_plain_file_is_a_key_file() {
    let dir = tempfile::tempdir().unwrap();
    machine(&dir.path().join("real"), 1).unwrap();
    symlink(dir.path().join("real"), dir.path().join("link")).unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    for name in ["link", "folder", "pipe"] {
        let refused = machine(&dir.path().join(name), 1);
        assert!(matches!(refused, Err(SealError::NotAFile { .. })), "{name}: {refused:?}");
    }
}

#[test]
fn a_key_file_of_another_length_is_damaged_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k");
    for length in [0, 31, 33, 1_000_000] {
        machine(&path, 1).unwrap();
        fs::write(&path, vec![7; length]).unwrap();
        let refused = machine(&path, 1);
        assert!(matches!(refused, Err(SealError::Damaged { .. })), "{refused:?}");
        assert_eq!(fs::metadata(&path).unwrap().len(), length as u64, "never replaced by itself");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_passphrase_opens_what_it_made_and_no_other_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("issuing.json");
    let first = passphrase(&path, PASSPHRASE).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(same_key(&first, &passphrase(&path, PASSPHRASE).unwrap()));
    let header = fs::read_to_string(&path).unwrap();
    assert!(header.contains("\"memory_kib\": 65536") && !header.contains("canary"), "{header}");
    for wrong in [b"canary battery staple ".as_slice(), b"Canary battery staple", b"", b"canary battery stapl"] {
        let refused = passphrase(&path, wrong).unwrap_err();
        assert!(matches!(refused, SealError::WrongPassphrase { .. }), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("canary"));
    }
}

#[test]
fn two_headers_with_one_passphrase_give_different_keys() {
    let dir = tempfile::tempdir().unwrap();
    let words = || Secret::new(PASSPHRASE.to_vec());
    let one = Seal::open_passphrase(SealName::Issuing, &dir.path().join("a"), &words(), &ambient(1)).unwrap();
    let other = Seal::open_passphrase(SealName::Issuing, &dir.path().join("b"), &words(), &ambient(2)).unwrap();
    assert!(!same_key(&one, &other));
}

#[test]
fn a_short_passphrase_makes_no_seal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("issuing.json");
    // Eleven characters, though more bytes.
    let refused = passphrase(&path, "ääääääääääa".as_bytes());
    assert!(matches!(refused, Err(SealError::PassphraseTooShort { .. })), "{refused:?}");
    assert!(!path.exists());
}

#[test]
fn a_header_that_was_tampered_with_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("issuing.json");
    passphrase(&path, PASSPHRASE).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let check = |from: &str, to: &str, expected: fn(&SealError) -> bool| {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        fs::write(&path, &bad).unwrap();
        let refused = passphrase(&path, PASSPHRASE).unwrap_err();
        assert!(expected(&refused), "{from} → {to}: {refused:?}");
    };
    let damaged = |e: &SealError| matches!(e, SealError::Damaged { .. });
    check("wane.seal.v1", "wane.seal.v2", damaged);
    check("65536", "8", damaged);
    check("65536", "4294967295", damaged);
    check("\"passes\": 3", "\"passes\": 1", damaged);
    check("\"lanes\": 1", "\"lanes\": 0", damaged);
    check("\"salt\"", "\"extra\": 1, \"salt\"", damaged);
    check("{", "", damaged);
    check("\"issuing\"", "\"ends\"", |e| matches!(e, SealError::OtherSeal { .. }));
    // Stronger work than it was made with gives another key.
    check("\"passes\": 3", "\"passes\": 4", |e| matches!(e, SealError::WrongPassphrase { .. }));
}

#[test]
fn debug_shows_no_key() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(format!("{:?}", machine(&dir.path().join("k"), 1).unwrap()), "Seal { name: Ends, .. }");
}
