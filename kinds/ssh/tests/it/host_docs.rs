//! What hosts pull, held against OpenSSH's own tools.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;
use wane_connector::{ConnectError, Kind as _};
use wane_domain::time::Span;
use wane_kind_ssh::KRL;
use wane_testkit::ssh_keygen;

use crate::world::{Holder, World};

#[test]
fn the_reference_finds_revoked_what_is_revoked() {
    let world = World::new(31);
    let resource = world.resource(&json!({ "address": "web1:22" }));
    let role = world.role(&json!({ "principals": ["deploy"] }));
    let holder = Holder::new();
    let krl = holder.path().join("krl");
    let grants: Vec<_> = (0..5).map(|_| world.hold(&resource, &role, Span::from_hours(1))).collect();
    // Two issues under each grant: they die together.
    let revoked = |index: usize, serial: u64| {
        let issued = world.issue(&grants[index], &resource, &role, &holder.public_line(), serial).unwrap();
        let cert = holder.keep(&issued);
        let said = ssh_keygen(["-Q", "-f", krl.to_str().unwrap(), cert.to_str().unwrap()]).unwrap();
        assert!(said.stdout.contains("ok") != said.stdout.contains("REVOKED"), "{said:?}");
        said.stdout.contains("REVOKED")
    };
    let ids = |chosen: &[usize]| chosen.iter().map(|i| grants[*i].grant.id.to_string()).collect::<Vec<_>>();
    for (version, dead) in [(1, vec![]), (2, vec![0]), (3, vec![4, 0, 2, 0])] {
        fs::write(&krl, world.revocations(version, &ids(&dead)).0).unwrap();
        for index in 0..5 {
            for serial in [1, 2] {
                assert_eq!(
                    revoked(index, serial),
                    dead.contains(&index),
                    "version {version}, grant {index}, serial {serial}"
                );
            }
        }
    }
    let shown = ssh_keygen(["-Q", "-l", "-f", krl.to_str().unwrap()]).unwrap();
    assert!(shown.stdout.contains("version 3") && shown.stdout.contains(&grants[4].grant.id.to_string()), "{shown:?}");
    // Another authority's certificate with the same key id is not ours to revoke.
    let other = World::new(32);
    let issued = other.issue(&grants[0], &resource, &role, &holder.public_line(), 1).unwrap();
    let said = ssh_keygen(["-Q", "-f", krl.to_str().unwrap(), holder.keep(&issued).to_str().unwrap()]).unwrap();
    assert!(said.success(), "{said:?}");
}

#[test]
fn a_long_list_is_read_whole() {
    let world = World::new(33);
    let holder = Holder::new();
    let krl = holder.path().join("krl");
    let ids: Vec<String> = (0..20_000).map(|n| format!("grt_{n:026}")).collect();
    fs::write(&krl, world.revocations(9, &ids).0).unwrap();
    let shown = ssh_keygen(["-Q", "-l", "-f", krl.to_str().unwrap()]).unwrap().into_stdout().unwrap();
    assert_eq!(shown.matches("grt_").count(), 20_000);
}

#[test]
fn the_reference_verifies_the_lists_signature() {
    let world = World::new(34);
    let holder = Holder::new();
    let (krl, signature) = world.revocations(4, &["grt_x".to_owned()]);
    let at = |name: &str| holder.path().join(name);
    fs::write(at("krl.sig"), signature).unwrap();
    fs::write(at("allowed"), format!("wane namespaces=\"wane-krl\" {}\n", world.public_line(KRL))).unwrap();
    let verify = |bytes: &[u8], namespace: &str| {
        fs::write(at("list"), bytes).unwrap();
        let status = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-n", namespace, "-I", "wane", "-f"])
            .arg(at("allowed"))
            .arg("-s")
            .arg(at("krl.sig"))
            .stdin(fs::File::open(at("list")).unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        status.success()
    };
    assert!(verify(&krl, "wane-krl"));
    assert!(!verify(&krl, "file"));
    let mut changed = krl;
    *changed.last_mut().unwrap() ^= 1;
    assert!(!verify(&changed, "wane-krl"));
    assert_eq!(*world.signer.published.lock().unwrap(), ["krl version 4"]);
}

#[test]
fn a_host_gets_certificates_for_its_names_only() {
    let world = World::new(35);
    let resource = world.resource(&json!({ "address": "10.0.0.7:22", "host_names": ["web1.example.com", "10.0.0.7"] }));
    let docs = world.kind.host_docs().unwrap();
    let holder = Holder::new();
    let enrolled = docs.enrol(&world.target(&resource), &json!({ "host_keys": [holder.public_line()] }), 3).unwrap();
    let path = holder.path().join("host-cert.pub");
    fs::write(&path, enrolled["host_certificates"][0].as_str().unwrap()).unwrap();
    let shown = ssh_keygen(["-L", "-f", path.to_str().unwrap()]).unwrap().into_stdout().unwrap();
    for line in ["host certificate", "web1.example.com", "10.0.0.7", "Serial: 3", &resource.id.to_string()] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    assert_eq!(enrolled["names"], json!(["web1.example.com", "10.0.0.7"]));
    let line = holder.public_line();
    for bad in [
        json!({}),
        json!({ "host_keys": [] }),
        json!({ "host_keys": ["x"] }),
        json!({ "host_keys": [line, line] }),
        json!({ "host_keys": [line], "names": ["*"] }),
    ] {
        let tried = docs.enrol(&world.target(&resource), &bad, 3);
        assert!(matches!(tried, Err(ConnectError::Input(_))), "{bad}");
    }
}
