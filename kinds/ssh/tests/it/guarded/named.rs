//! Names in host certificates, and how often a key signs: what somebody who has taken the server over gets of either.

use std::num::NonZeroU32;
use std::sync::Arc;

use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::encoding::Encode as _;
use serde_json::json;
use wane_connector::{ConnectError, Kind as _, PublishPermit, SignError, Signer as _, Target};
use wane_domain::catalogue::Resource;
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_keys::desk::Messenger;
use wane_keys::desk::message::{Bytes, Call};
use wane_keys::desk::names::Names;
use wane_keys::desk::root::RootFile;
use wane_kind_ssh::{HOST_CA, KRL, SshKind};

use super::office::{Office, desk, key, parts, ring};

impl Office {
    fn root_file(&self) -> RootFile {
        RootFile::at(self.folder.path().join("signer.root"), ring(self.folder.path(), self.org, &self.ambient))
    }

    fn names(&self, holds: Names) {
        let mut root = self.root_file().read().unwrap();
        root.holds = holds;
        root.version += 1;
        self.root_file().write(&root).unwrap();
    }

    /// A host joins with these keys.
    fn join(&self, host: &Resource, seeds: &[u8]) -> Result<(), ConnectError> {
        let lines: Vec<String> = seeds.iter().map(|seed| key(*seed).public_key().to_openssh().unwrap()).collect();
        let target = Target { resource: host, credential: None, now: self.ambient.now() };
        self.kind.host_docs().unwrap().enrol(&target, &json!({ "host_keys": lines }), 1).map(drop)
    }

    fn another_host(&self, names: &[&str]) -> Resource {
        let (host, _) = parts(&self.ambient, &json!({ "principals": ["deploy"] }));
        let settings = json!({ "address": "10.0.0.9:22", "host_names": names, "read_back": "none" });
        Resource { settings, name: "other".parse().unwrap(), ..host }
    }

    fn stands_for(&self, host: &Resource, asked: &str) -> Result<String, ConnectError> {
        let broker = self.kind.broker().unwrap();
        let line = key(40).public_key().to_openssh().unwrap();
        broker.stands_for(host, asked, &line, self.ambient.now(), 1)
    }
}

fn named(what: &str, done: Result<(), ConnectError>) -> String {
    match done {
        Err(ConnectError::Sign(SignError::Named(why))) => why,
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn no_name_of_a_host_is_certified_for_another() {
    let mut office = Office::open(1);
    office.names(Names::Held);
    let host = office.host.clone();
    // All its keys as it joins; and those again, whenever it does.
    office.join(&host, &[20, 21]).unwrap();
    office.clock.advance(Span::from_hours(24));
    office.reopen();
    office.join(&host, &[21, 20]).unwrap();
    // A key of whoever holds the server.
    let why = named("another key", office.join(&host, &[20, 22]));
    assert!(why.contains("`web1` has other keys") && why.contains("wane signer names release"), "{why}");
    // A host of whoever holds the server, by that name.
    let mine = office.another_host(&["mine", "WEB1"]);
    let why = named("another host", office.join(&mine, &[22]));
    assert!(why.contains(&format!("`web1` is a name of {}", host.id)), "{why}");
    named("standing for another", office.stands_for(&mine, "mine").map(drop));
    named("the gateway", {
        let names = ["gateway.example".to_owned(), "web1".to_owned()];
        office.kind.broker().unwrap().front(&Secret::new(vec![7; 32]), &names, office.ambient.now(), 1).map(drop)
    });
    // Each in its own name.
    office.stands_for(&host, "web1").unwrap();
    office.join(&office.another_host(&["web2"]), &[22]).unwrap();
    let names = ["gateway.example".to_owned()];
    let front = |seed: u8| {
        office.kind.broker().unwrap().front(&Secret::new(vec![seed; 32]), &names, office.ambient.now(), 1).map(drop)
    };
    front(7).unwrap();
    office.clock.advance(Span::from_hours(40));
    front(7).unwrap();
    named("another gateway", front(8));
    // A name that was claimed by standing for somebody is nobody's.
    office.stands_for(&office.another_host(&["web3"]), "web3").unwrap();
    office.join(&office.another_host(&["web3"]), &[23]).unwrap();
    // Where names are open they follow what the server says, and what was last said is what is held from then on.
    office.names(Names::Open);
    office.join(&mine, &[24]).unwrap();
    office.names(Names::Held);
    named("who had it before", office.join(&host, &[20]));
    // What ends access needs none of this.
    std::fs::write(office.folder.path().join("signer.root"), b"{}").unwrap();
    assert!(office.join(&host, &[20]).is_err());
    office.desk.publish(KRL, PublishPermit { what: "krl version 1".to_owned() }, b"a list").unwrap();
}

/// What may be asked for on the road of what stands under no grant.
struct Paper {
    kind: CertType,
    key_id: String,
    names: Vec<String>,
    after: u64,
    before: u64,
    option: bool,
}

impl Paper {
    fn tbs(&self) -> Vec<u8> {
        let mut builder =
            Builder::new([7; 32], key(30).public_key().key_data().clone(), self.after, self.before).unwrap();
        builder.cert_type(self.kind).unwrap().key_id(&self.key_id).unwrap();
        for name in &self.names {
            builder.valid_principal(name).unwrap();
        }
        if self.names.is_empty() {
            builder.all_principals_valid().unwrap();
        }
        if self.option {
            builder.critical_option("force-command", "true").unwrap();
        }
        let cert = builder.sign(&key(31)).unwrap();
        let signature = cert.signature().encode_vec().unwrap().len() + 4;
        let bytes = cert.to_bytes().unwrap();
        bytes[..bytes.len() - signature].to_vec()
    }
}

#[test]
fn the_key_of_hosts_signs_certificates_of_hosts_and_nothing_else() {
    let office = Office::open(1);
    let now = u64::try_from(office.ambient.now().seconds()).unwrap();
    let (hour, day) = (3600, 86_400);
    let good = || Paper {
        kind: CertType::Host,
        key_id: office.host.id.to_string(),
        names: vec!["web1".to_owned()],
        after: now - 60,
        before: now + 365 * day,
        option: false,
    };
    let publish = |message: Vec<u8>| {
        let what = PublishPermit { what: "a host certificate".to_owned() };
        office.desk.publish(HOST_CA, what, &message).map(drop)
    };
    publish(good().tbs()).unwrap();
    let stands = || Paper { key_id: format!("gateway for {}", office.host.id), before: now + 300, ..good() };
    publish(stands().tbs()).unwrap();
    publish(Paper { key_id: "gateway".to_owned(), before: now + 48 * hour, ..good() }.tbs()).unwrap();
    for (what, message) in [
        ("something else", b"not a certificate".to_vec()),
        ("with something after it", [good().tbs(), vec![0]].concat()),
        ("of a person", Paper { kind: CertType::User, ..good() }.tbs()),
        ("for every host", Paper { names: Vec::new(), ..good() }.tbs()),
        ("for a pattern", Paper { names: vec!["*".to_owned()], ..good() }.tbs()),
        (
            "for a pattern of one's own",
            Paper { names: vec!["web1".to_owned(), "*.example".to_owned()], ..good() }.tbs(),
        ),
        ("of nobody", Paper { key_id: "web1".to_owned(), ..good() }.tbs()),
        ("with something else in it", Paper { option: true, ..good() }.tbs()),
        ("for ever", Paper { before: u64::MAX, ..good() }.tbs()),
        ("longer than a host's", Paper { before: now + 366 * day, ..good() }.tbs()),
        ("longer than the gateway's", Paper { key_id: "gateway".to_owned(), before: now + 3 * day, ..good() }.tbs()),
        ("longer than one stands for a host", Paper { before: now + hour, ..stands() }.tbs()),
        ("for later", Paper { after: now + hour, ..good() }.tbs()),
        ("for earlier", Paper { after: now - day, ..good() }.tbs()),
    ] {
        let done = publish(message);
        assert!(matches!(done, Err(SignError::Named(_))), "{what}: {done:?}");
    }
}

/// Whoever holds the server leaves with as much as a minute gives, whatever they ask for, and it is kept that they asked.
#[test]
fn whoever_holds_the_server_leaves_with_so_much_and_no_more() {
    let office = Office::open(1);
    let at_most = |in_a_minute: u32| {
        let desk = desk(office.folder.path(), office.org, &office.ambient);
        Messenger(Arc::new(desk.signing_at_most(NonZeroU32::new(in_a_minute).unwrap())))
    };
    let desk = at_most(20);
    let kind = SshKind::new(Arc::new(desk.clone()));
    let (host, role) = parts(&office.ambient, &json!({ "principals": ["backup"] }));
    let office = Office { desk, kind, host, role, ..office };
    let free = office.grant(&office.ask());
    let limited = |office: &Office| office.root_file().read().unwrap().limited.get("ssh-user-ca").map(|l| l.minutes);
    let mint = |office: &Office| (0..100).filter(|_| office.issue(&free, &office.role, None).is_ok()).count();
    assert_eq!(mint(&office), 20);
    let refused = office.issue(&free, &office.role, None);
    assert!(matches!(refused, Err(ConnectError::Sign(SignError::TooMany { .. }))), "{refused:?}");
    assert_eq!(limited(&office), Some(1));
    // Another key has its own; what ends access is not measured.
    let hosts = (0..30).filter(|n| office.join(&office.another_host(&[&format!("web{n}")]), &[50]).is_ok()).count();
    assert_eq!(hosts, 20);
    for _ in 0..100 {
        office.desk.publish(KRL, PublishPermit { what: "krl".to_owned() }, b"a list").unwrap();
    }
    // Nor is what is refused for another reason counted.
    office.clock.advance(Span::from_mins(1));
    for _ in 0..50 {
        let bytes = Bytes(b"no certificate".to_vec());
        let right = Box::new(free.permit(office.ambient.now()).into_right());
        assert!(office.desk.call(&Call::Issue { purpose: "ssh-user-ca".to_owned(), right, message: bytes }).is_err());
    }
    assert_eq!(mint(&office), 20);
    assert_eq!(limited(&office), Some(2));
}
