//! The real `ssh-keygen` judges what our hand signs, and ours what it signs: both say the same.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use wane_approval::{Counter, NAMESPACE, ssh_key, verify};
use wane_domain::approval::{Signature, Signed};

use crate::hand::{Hand, SORTS, Sort, statement};

/// Whether `ssh-keygen -Y verify` takes it, as the documentation has it.
fn openssh_takes(folder: &Path, line: &str, message: &str, armored: &str) -> bool {
    fs::write(folder.join("allowed"), format!("approver namespaces=\"{NAMESPACE}\" {line}\n")).unwrap();
    fs::write(folder.join("approval.sig"), armored).unwrap();
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-f", "allowed", "-I", "approver", "-n", NAMESPACE, "-s", "approval.sig"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[test]
fn openssh_says_the_same_of_every_sort() {
    let folder = tempfile::tempdir().unwrap();
    let text = statement().text().unwrap();
    for sort in SORTS {
        let hand = Hand::of(sort);
        let signed = hand.signs(&statement());
        let Signature::Ssh(armored) = &signed.signature else { panic!() };
        assert!(openssh_takes(folder.path(), &hand.line(), &text, armored), "{sort:?}");
        assert!(verify(&signed, &hand.material(), Counter::Moves).is_ok(), "{sort:?}");
        assert!(!openssh_takes(folder.path(), &hand.line(), &format!("{text}\n"), armored), "{sort:?}");
        let other = Hand { seed: 8, ..hand.clone() };
        assert!(!openssh_takes(folder.path(), &other.line(), &text, armored), "{sort:?}");
        let elsewhere = Hand { namespace: "file", ..hand.clone() }.armored(text.as_bytes());
        assert!(!openssh_takes(folder.path(), &hand.line(), &text, &elsewhere), "{sort:?}");
    }
    assert_eq!(Hand::of(Sort::Ed25519).flags, 1);
}

#[test]
fn what_openssh_signs_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let text = statement().text().unwrap();
    for (sort, bits, taken) in [
        ("ed25519", "0", true),
        ("ecdsa", "256", true),
        ("ecdsa", "384", true),
        ("ecdsa", "521", true),
        ("rsa", "2048", false),
    ] {
        let key = folder.path().join(format!("{sort}{bits}"));
        let size: &[&str] = if bits == "0" { &[] } else { &["-b", bits] };
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", sort, "-N", ""])
            .args(size)
            .arg("-f")
            .arg(&key)
            .status()
            .unwrap();
        assert!(made.success());
        let line = fs::read_to_string(key.with_extension("pub")).unwrap();
        assert_eq!(ssh_key(&line).is_ok(), taken, "{sort} {bits}");
        if !taken {
            continue;
        }
        let message = folder.path().join("message");
        fs::write(&message, &text).unwrap();
        let _ = fs::remove_file(folder.path().join("message.sig"));
        let signs = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
            .arg(&key)
            .arg(&message)
            .status()
            .unwrap();
        assert!(signs.success());
        let armored = fs::read_to_string(folder.path().join("message.sig")).unwrap();
        let material = ssh_key(&line).unwrap();
        let signed = Signed { statement: text.clone(), key: material.clone(), signature: Signature::Ssh(armored) };
        assert_eq!(verify(&signed, &material, Counter::Moves).unwrap().statement, statement(), "{sort} {bits}");
    }
}
