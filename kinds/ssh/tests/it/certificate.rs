//! What a certificate says, and what is never certified.

use std::path::Path;

use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::encoding::Encode as _;
use russh::keys::ssh_key::public::{Ed25519PublicKey, KeyData, SkEd25519};
use russh::keys::{Certificate, PublicKey};
use serde_json::json;
use wane_connector::{ConnectError, Kind as _, SignError, Signer as _};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::time::Span;
use wane_kind_ssh::{USER_CA, check_user_certificate};
use wane_testkit::{Held, ssh_keygen};

use crate::world::{Holder, World};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ holder";

fn setting(world: &World, definition: &serde_json::Value, duration: Span) -> (Resource, Role, Held) {
    let resource = world.resource(&json!({ "address": "web1:2222" }));
    let role = world.role(definition);
    let held = world.hold(&resource, &role, duration);
    (resource, role, held)
}

#[test]
fn the_finished_certificate_says_what_was_meant() {
    let world = World::new(1);
    let definition = json!({
        "principals": ["deploy", "backup"], "extensions": ["permit-pty", "permit-port-forwarding"],
        "force_command": "uptime --pretty", "source_address": ["10.0.0.0/8", "2001:db8::/32"],
    });
    let (resource, role, held) = setting(&world, &definition, Span::from_hours(2));
    let issued = world.issue(&held, &resource, &role, KEY, 41).unwrap();
    let cert = Certificate::from_openssh(issued.handed.public["certificate"].as_str().unwrap()).unwrap();
    let now = u64::try_from(world.now().seconds()).unwrap();
    assert_eq!(cert.cert_type(), CertType::User);
    assert_eq!(cert.serial(), 41);
    assert_eq!(cert.key_id(), held.grant.id.to_string());
    assert_eq!(cert.valid_principals(), [format!("deploy@{}", resource.id), format!("backup@{}", resource.id)]);
    assert_eq!((cert.valid_after(), cert.valid_before()), (now - 60, now + 900));
    let options: Vec<_> = cert.critical_options().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(options, [("force-command", "uptime --pretty"), ("source-address", "10.0.0.0/8,2001:db8::/32")]);
    let extensions: Vec<_> = cert.extensions().keys().map(String::as_str).collect();
    assert_eq!(extensions, ["permit-port-forwarding", "permit-pty"]);
    assert_eq!(cert.signature_key(), world.signer.private(USER_CA).public_key().key_data());
    assert_eq!(issued.inventory["serial"], 41);
    assert_eq!(issued.inventory["key_id"], held.grant.id.to_string());
    assert_eq!(issued.handed.public["user"], "deploy");
    assert_eq!(issued.handed.not_after.unwrap().seconds(), i64::try_from(cert.valid_before()).unwrap());
    let host_ca = issued.handed.public["host_ca"].as_str().unwrap();
    assert!(host_ca.starts_with("@cert-authority web1,[web1]:2222 ssh-ed25519 "), "{host_ca}");
    assert!(issued.handed.public["residual"].as_str().unwrap().contains("ends logins, not open sessions"));
    assert!(issued.handed.secret.is_none());
}

#[test]
fn the_reference_reads_the_same() {
    let world = World::new(2);
    let (resource, role, held) = setting(&world, &json!({ "principals": ["deploy"] }), Span::from_hours(1));
    let holder = Holder::new();
    let issued = world.issue(&held, &resource, &role, &holder.public_line(), 7).unwrap();
    let path = holder.keep(&issued);
    let shown = ssh_keygen(["-L", "-f", path.to_str().unwrap()]).unwrap().into_stdout().unwrap();
    for line in [
        &format!("Key ID: \"{}\"", held.grant.id),
        "Serial: 7",
        "Critical Options: (none)",
        "Extensions: (none)",
        "deploy",
    ] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
}

#[test]
fn a_certificate_never_outlives_its_grant() {
    let world = World::new(3);
    for (duration, life) in [
        (Span::from_secs(120), 120),
        (Span::from_mins(15), 900),
        (Span::from_hours(8), 900),
        (Span::from_micros(2_500_000), 2),
    ] {
        let (resource, role, held) = setting(&world, &json!({ "principals": ["deploy"] }), duration);
        let issued = world.issue(&held, &resource, &role, KEY, 1).unwrap();
        let not_after = issued.handed.not_after.unwrap();
        assert!(not_after <= held.lease.end, "{duration}");
        let lived = not_after.seconds() - world.now().seconds();
        assert!((life - 1..=life + 1).contains(&lived), "{duration}: {lived} s");
    }
    let (resource, role, held) = setting(&world, &json!({ "principals": ["deploy"] }), Span::from_micros(1));
    let late = world.issue(&held, &resource, &role, KEY, 1);
    assert!(matches!(late, Err(ConnectError::Over(_))), "nothing is wrong with what was sent: {late:?}");
}

#[test]
fn each_extension_set_comes_out_exactly() {
    let world = World::new(4);
    let all =
        ["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc"];
    for mask in 0_u32..32 {
        let chosen: Vec<&str> =
            all.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, name)| *name).collect();
        let (resource, role, held) =
            setting(&world, &json!({ "principals": ["deploy"], "extensions": chosen }), Span::from_hours(1));
        let issued = world.issue(&held, &resource, &role, KEY, 1).unwrap();
        let cert = Certificate::from_openssh(issued.handed.public["certificate"].as_str().unwrap()).unwrap();
        let signed: Vec<&str> = cert.extensions().keys().map(String::as_str).collect();
        assert_eq!(signed, chosen);
        assert!(cert.critical_options().is_empty());
    }
}

/// A public key line made by the reference.
fn made(folder: &Path, kind: &str, bits: &str) -> String {
    let path = folder.join(format!("{kind}{bits}"));
    let arguments = ["-q", "-t", kind, "-b", bits, "-N", "", "-f", path.to_str().unwrap()];
    ssh_keygen(arguments).unwrap().into_stdout().unwrap();
    std::fs::read_to_string(path.with_extension("pub")).unwrap()
}

#[test]
fn hostile_public_keys_are_refused() {
    let world = World::new(5);
    let (resource, role, held) = setting(&world, &json!({ "principals": ["deploy"] }), Span::from_hours(1));
    let folder = tempfile::tempdir().unwrap();
    let made = |kind: &str, bits: &str| made(folder.path(), kind, bits);
    // No security key is at hand to make one with; the public half is a key and an application.
    let own = world.signer.public_key(USER_CA).unwrap();
    let held_in_hardware = KeyData::SkEd25519(SkEd25519::new(Ed25519PublicKey(own), "ssh:"));
    world.issue(&held, &resource, &role, &PublicKey::new(held_in_hardware, "").to_openssh().unwrap(), 1).unwrap();
    for good in [KEY.to_owned(), made("ecdsa", "256"), made("ecdsa", "384"), made("ecdsa", "521"), made("rsa", "3072")]
    {
        world.issue(&held, &resource, &role, &good, 1).unwrap();
    }
    let certificate =
        world.issue(&held, &resource, &role, KEY, 1).unwrap().handed.public["certificate"].as_str().unwrap().to_owned();
    let two = format!("{}\n{}", KEY, KEY);
    for (bad, word) in [
        (made("rsa", "2048"), "3072"),
        (made("dsa", "1024"), "ssh-dss"),
        (certificate, ""),
        (two, "not one line"),
        (format!("command=\"id\" {KEY}"), ""),
        (format!("{KEY}{}", "A".repeat(20_000)), "the most is"),
        (KEY.replace("ssh-ed25519", "ssh-rsa"), ""),
        ("ssh-ed25519 AAAA".to_owned(), ""),
        (String::new(), ""),
    ] {
        let error = world.issue(&held, &resource, &role, bad.trim_end(), 1).unwrap_err();
        assert!(matches!(error, ConnectError::Input(_)) && error.to_string().contains(word), "{bad}: {error}");
    }
    let issuer = world.kind.issuer().unwrap();
    let beside = |more: &str| json!({ "public_key": KEY, more: ["root"] });
    let wishes = ["principals", "extensions", "critical_options", "key_id", "valid_before", "serial"].map(beside);
    let malformed = [json!({}), json!({ "public_key": 7 }), json!({ "key": KEY }), json!(KEY), json!(null)];
    for bad in malformed.into_iter().chain(wishes) {
        let tried = issuer.issue(&world.target(&resource), &role, &held.lease, held.permit(world.now()), &bad, 1);
        assert!(matches!(tried, Err(ConnectError::Input(_))), "{bad}");
    }
}

#[test]
fn the_permit_has_to_be_for_this_host_role_and_lease() {
    let world = World::new(6);
    let (resource, role, held) = setting(&world, &json!({ "principals": ["deploy"] }), Span::from_hours(1));
    let other_host = world.resource(&json!({ "address": "web2:22" }));
    let other_role = world.role(&json!({ "principals": ["root"] }));
    let other = world.hold(&resource, &role, Span::from_hours(1));
    for tried in [
        world.issue(&held, &other_host, &role, KEY, 1),
        world.issue(&held, &resource, &other_role, KEY, 1),
        world.kind.issuer().unwrap().issue(
            &world.target(&resource),
            &role,
            &other.lease,
            held.permit(world.now()),
            &json!({ "public_key": KEY }),
            1,
        ),
    ] {
        assert!(matches!(tried, Err(ConnectError::Input(_))), "{tried:?}");
    }
}

/// A certificate as somebody who has broken into the issuer might ask the signer for it.
struct Forged {
    kind: CertType,
    key_id: String,
    principals: Vec<String>,
    after: u64,
    before: u64,
    option: Option<(&'static str, &'static str)>,
    extension: Option<(&'static str, &'static str)>,
}

impl Forged {
    fn tbs(self, world: &World) -> Vec<u8> {
        let key = world.signer.private(wane_kind_ssh::HOST_CA).public_key().key_data().clone();
        self.tbs_for(world, key)
    }

    fn tbs_for(self, world: &World, key: KeyData) -> Vec<u8> {
        let mut builder = Builder::new([7; 32], key, self.after, self.before).unwrap();
        builder.cert_type(self.kind).unwrap().key_id(self.key_id).unwrap().all_principals_valid().unwrap();
        for name in self.principals {
            builder.valid_principal(name).unwrap();
        }
        if let Some((name, data)) = self.option {
            builder.critical_option(name, data).unwrap();
        }
        if let Some((name, data)) = self.extension {
            builder.extension(name, data).unwrap();
        }
        let cert = builder.sign(&world.signer.private(USER_CA)).unwrap();
        let signature = cert.signature().encode_vec().unwrap().len() + 4;
        let bytes = cert.to_bytes().unwrap();
        bytes[..bytes.len() - signature].to_vec()
    }
}

#[test]
fn the_signer_refuses_what_exceeds_the_permit() {
    let world = World::new(7);
    let (resource, _, held) = setting(&world, &json!({ "principals": ["deploy"] }), Span::from_secs(300));
    let now = u64::try_from(world.now().seconds()).unwrap();
    let elsewhere: wane_domain::id::ResourceId = world.ambient.id();
    let honest = || Forged {
        kind: CertType::User,
        key_id: held.grant.id.to_string(),
        principals: vec![format!("deploy@{}", resource.id)],
        after: now - 60,
        before: now + 300,
        option: None,
        extension: None,
    };
    let judge = |forged: Forged| check_user_certificate(&held.permit(world.now()), &forged.tbs(&world));
    judge(honest()).unwrap();
    for (forged, word) in [
        (Forged { kind: CertType::Host, ..honest() }, "user certificate"),
        (Forged { key_id: "grt_other".to_owned(), ..honest() }, "key id"),
        (Forged { principals: vec![], ..honest() }, "no principal"),
        (Forged { principals: vec![format!("root,backup@{}", resource.id)], ..honest() }, "login name"),
        (Forged { principals: vec![format!("@{}", resource.id)], ..honest() }, "login name"),
        (Forged { principals: vec!["deploy".to_owned()], ..honest() }, "login name at the permit's host"),
        (Forged { principals: vec![format!("deploy@{elsewhere}")], ..honest() }, "login name at the permit's host"),
        (Forged { after: now - 62, ..honest() }, "begins before"),
        (Forged { before: now + 302, ..honest() }, "outlives"),
        (Forged { option: Some(("verify-required", "")), ..honest() }, "critical option"),
        (Forged { extension: Some(("permit-everything", "")), ..honest() }, "extension"),
        (Forged { extension: Some(("permit-pty", "x")), ..honest() }, "extension"),
    ] {
        let error = judge(forged).unwrap_err();
        assert!(error.contains(word), "{word}: {error}");
    }
    let refused = world.signer.issue(USER_CA, held.permit(world.now()), b"SSHSIG or anything else");
    assert!(matches!(refused, Err(SignError::Exceeds(_))));
    let long = world.hold(&resource, &world.role(&json!({ "principals": ["deploy"] })), Span::from_hours(8));
    let forged = Forged { key_id: long.grant.id.to_string(), before: now + 902, ..honest() };
    assert!(check_user_certificate(&long.permit(world.now()), &forged.tbs(&world)).unwrap_err().contains("15 minutes"));
}

#[test]
fn the_signer_reads_every_byte_it_signs() {
    let world = World::new(8);
    let (resource, _, held) = setting(&world, &json!({ "principals": ["deploy"] }), Span::from_secs(300));
    let now = u64::try_from(world.now().seconds()).unwrap();
    let honest = || Forged {
        kind: CertType::User,
        key_id: held.grant.id.to_string(),
        principals: vec![format!("deploy@{}", resource.id)],
        after: now,
        before: now + 60,
        option: None,
        extension: None,
    };
    let bytes = honest().tbs(&world);
    let takes = |bytes: &[u8]| check_user_certificate(&held.permit(world.now()), bytes).is_ok();
    assert!(takes(&bytes));
    let (grant, host) = (held.grant.id.to_string(), format!("@{}", resource.id));
    for at in 0..bytes.len() {
        assert!(!takes(&bytes[..at]), "cut at {at}");
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            // What is taken still names this grant and this host: the rest is key, nonce, serial and login name.
            let names = |what: &str| changed.windows(what.len()).any(|part| part == what.as_bytes());
            assert!(!takes(&changed) || (names(&grant) && names(&host)), "{mask:#x} at {at}");
        }
    }
    // A certificate over an RSA key has several names for its type; only the one that is written is signed.
    let folder = tempfile::tempdir().unwrap();
    let rsa = PublicKey::from_openssh(made(folder.path(), "rsa", "3072").trim()).unwrap();
    let plain = honest().tbs_for(&world, rsa.key_data().clone());
    assert!(takes(&plain));
    let mut renamed = "rsa-sha2-512-cert-v01@openssh.com".encode_vec().unwrap();
    renamed.extend_from_slice(&plain["ssh-rsa-cert-v01@openssh.com".encoded_len().unwrap()..]);
    assert!(!takes(&renamed), "a second spelling");
    for tail in [&[0][..], &[0, 0, 0, 0], &bytes] {
        assert!(!takes(&[&bytes, tail].concat()), "a tail of {} bytes", tail.len());
    }
}
