//! Who comes in, and what those read who do not.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use wane_testkit::{SshKey, Sshd, ssh_keygen, wait_until};

use super::lab::{Lab, NOTHING, Visitor};
use crate::people::SOON;

/// With words: a program that asks no questions shows none. Whoever is invited to come in another way is not waited for.
fn said(visitor: &Visitor, options: &[&str]) -> String {
    let mut ssh = visitor.open(&[&["-T"], options].concat(), &["id"]);
    ssh.close_input();
    let mut ended = false;
    wait_until("the login to be refused, or to wait for a person", SOON, || {
        ended = !ssh.is_running();
        ended || ssh.stderr().contains("Nobody but you needs this code.")
    })
    .unwrap();
    if ended {
        let outcome = ssh.wait_exit(SOON).unwrap();
        assert!(!outcome.success() && outcome.stdout.is_empty(), "{outcome:?}");
        outcome.stderr
    } else {
        assert!(ssh.stdout().is_empty());
        ssh.stderr()
    }
}

#[test]
fn no_session_without_a_live_grant() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "10m");
    assert!(maya.run("true").success(), "{}", lab.wane.server.log());
    let connections = || lab.sshd.log().matches("Connection from").count();
    let before = connections();
    let other = |name: &str| Visitor { name: name.to_owned(), ..copy(&maya) };

    let root = said(&other("root%web"), &[]);
    assert!(root.contains("this access is not for the login name `root`"), "{root}");
    assert!(root.contains("/login/") && root.matches("Wane:").count() == 1, "{root}");
    let user = lab.sshd.user().name();
    for nobody in [format!("{user}%db"), user.to_owned(), format!("{user}%web%web"), "%web".to_owned()] {
        said(&other(&nobody), &[]);
    }
    // A key without a certificate, and a certificate that somebody else made.
    let bare = Visitor { certificate: PathBuf::from("/dev/null"), ..copy(&maya) };
    assert!(said(&bare, &[]).contains("Wane: To log in to web as"));
    let folder = lab.wane.server.folder().join("foreign");
    fs::create_dir(&folder).unwrap();
    let (ca, key) = (SshKey::generate(&folder, "ca").unwrap(), SshKey::generate(&folder, "id").unwrap());
    let cert = fs::read_to_string(&maya.certificate).unwrap();
    let principal = ssh_keygen(["-Lf", &maya.certificate.display().to_string()]).unwrap().into_stdout().unwrap();
    let principal = principal.lines().find(|line| line.contains("@res_")).unwrap().trim().to_owned();
    let (ca, public) = (ca.private_path().display().to_string(), key.public_path().display().to_string());
    let forged = ["-q", "-s", &ca, "-I", &maya.grant, "-n", &principal, "-V", "-1m:+5m", "-z", "3", &public];
    assert!(ssh_keygen(forged).unwrap().success());
    let foreign =
        Visitor { key: key.private_path().to_owned(), certificate: folder.join("id-cert.pub"), ..copy(&maya) };
    assert!(said(&foreign, &[]).contains("by another authority"));
    // The right certificate and the wrong key.
    let stolen = folder.join("stolen-cert.pub");
    fs::write(&stolen, &cert).unwrap();
    said(&Visitor { key: key.private_path().to_owned(), certificate: stolen, ..copy(&maya) }, &[]);
    // Old ways of speaking.
    for old in ["KexAlgorithms=diffie-hellman-group14-sha1", "Ciphers=aes128-ctr", "Ciphers=aes128-cbc"] {
        assert!(said(&maya, &["-o", old]).contains("no matching"), "{old}");
    }
    assert_eq!(connections(), before, "the host was asked nothing: {}", lab.sshd.log());
    assert!(lab.sessions().is_empty());
    assert_eq!(lab.leases(&maya.grant).len(), 1, "nothing was begun");

    lab.wane.maya.json(&["done", &maya.grant]).unwrap();
    let ended = said(&maya, &[]);
    assert!(ended.contains("cannot be used") || ended.contains("no live grant"), "{ended}");
    assert_eq!(connections(), before);
}

fn copy(of: &Visitor) -> Visitor {
    Visitor {
        grant: of.grant.clone(),
        key: of.key.clone(),
        certificate: of.certificate.clone(),
        known: of.known.clone(),
        port: of.port,
        name: of.name.clone(),
    }
}

#[test]
fn a_certificate_for_other_addresses_is_refused_by_the_gateway_itself() {
    let lab = Lab::new(NOTHING);
    let principals = format!("principals={}", json!([lab.sshd.user().name()]));
    let elsewhere = r#"source_address=["192.0.2.0/24"]"#;
    lab.wane.ada.json(&["role", "add", "ssh/away", "--set", &principals, "--set", elsewhere]).unwrap();
    let here = r#"source_address=["127.0.0.0/8"]"#;
    lab.wane.ada.json(&["role", "add", "ssh/near", "--set", &principals, "--set", here]).unwrap();
    let come = |role: &str| {
        let grant = crate::people::granted(&lab.wane.maya, &format!("{role}@web"), "10m");
        lab.visits(&lab.wane.maya, grant)
    };
    let away = said(&come("away"), &[]);
    assert!(away.contains("may not be used from 127.0.0.1"), "{away}");
    assert!(come("near").run("true").success());
}

#[test]
fn a_host_is_believed_by_its_certificate_or_a_registered_key_and_never_at_first_sight() {
    let lab = Lab::new(NOTHING);
    let stranger = Sshd::builder().start().unwrap();
    let address = format!("address=127.0.0.1:{}", stranger.port());
    let add = |name: &str, more: &[&str]| {
        let words = ["resource", "add", name, "--kind", "ssh", "--label", "gate=open", "--set", &address];
        lab.wane.ada.json(&[&words[..], &["--set", "read_back=none"], more].concat()).unwrap();
    };
    let own = format!("host_keys={}", json!([stranger.setup().host_key().public_line().unwrap()]));
    let other = format!("host_keys={}", json!([lab.sshd.setup().host_key().public_line().unwrap()]));
    add("bare", &[]);
    add("pinned", &["--set", &own]);
    add("swapped", &["--set", &other]);
    for (name, why) in [
        ("bare", "shows a bare host key and no certificate"),
        ("swapped", "shows another host key than was registered"),
        // It is believed; that it does not know us is its own affair.
        ("pinned", "the host does not let the session in"),
    ] {
        let grant = crate::people::granted(&lab.wane.maya, &format!("deploy@{name}"), "10m");
        let mut visitor = lab.visits(&lab.wane.maya, grant);
        visitor.name = visitor.name.replace("%web", &format!("%{name}"));
        let outcome = visitor.run("id");
        assert!(!outcome.success() && outcome.stderr.contains(why), "{name}: {outcome:?}");
    }
    let logins = stranger.log().matches("Connection closed by authenticating user").count()
        + stranger.log().matches("maximum authentication attempts").count()
        + stranger.log().matches("Disconnected from authenticating user").count();
    assert!(logins <= 1, "only the one that was believed was logged in to: {}", stranger.log());
}
