//! A signer that asks people to sign for certificates, and somebody who has taken over everything else: the store, the
//! server, and every message the signer is sent.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use wane_connector::{Kind as _, PublicKey, PublishPermit, SignError, Signature, Signer, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::id::OrgId;
use wane_domain::issue::{Authority as Signed, IssuePermit, Right};
use wane_domain::lease::LeaseKind;
use wane_domain::request::{Ask, AskItem};
use wane_domain::time::Span;
use wane_keys::desk::message::{Bytes, Call, Reply};
use wane_keys::desk::root::{Guard, Known, Root, RootFile};
use wane_keys::desk::{Desk, Messenger};
use wane_keys::envelope::Keyring;
use wane_keys::seal::{Seal, SealName};
use wane_kind_x509::authority::{Authorities, Authority, Confined, State};
use wane_kind_x509::{AUTHORITY_KEYS, CERTIFICATES, X509Kind};
use wane_testkit::{Approver, FakeClock, Held, plain_ask};

use crate::world::{Bench, P256, With, machine_now, new_key, root, signer};

/// Sees what a server would have had signed, and signs nothing.
struct Catch {
    key: PublicKey,
    caught: Mutex<Vec<u8>>,
}

impl Signer for Catch {
    fn key(&self, _: &'static str) -> Result<PublicKey, SignError> {
        Ok(self.key)
    }

    fn issue(&self, _: &'static str, _: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        *self.caught.lock().unwrap() = message.to_vec();
        Err(SignError::Sealed)
    }

    fn publish(&self, _: &'static str, _: PublishPermit, _: &[u8]) -> Result<Signature, SignError> {
        Err(SignError::Sealed)
    }
}

/// A signer with its root, those who sign, and whoever makes up what it is asked.
struct Office {
    folder: TempDir,
    ambient: Ambient,
    org: OrgId,
    desk: Messenger,
    authority: Authority,
    key: PublicKey,
    approvers: Vec<Approver>,
    csr: Value,
    /// Two services in two trust domains.
    prod: Resource,
    test: Resource,
}

fn service(ambient: &Ambient, name: &str, domain: &str) -> Resource {
    Resource {
        id: ambient.id(),
        name: name.parse().unwrap(),
        kind: "x509".parse().unwrap(),
        labels: Default::default(),
        owner: None,
        settings: json!({ "trust_domain": domain }),
        since: ambient.now(),
    }
}

impl Office {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(machine_now());
        let ambient = clock.ambient(seed);
        let org: OrgId = ambient.id();
        let secret = new_key(With::P256, &ambient);
        let mut authority = root(&secret, AUTHORITY_KEYS[0], &Confined::default(), &ambient);
        authority.state = State::Issuing;
        let keys = signer(vec![(AUTHORITY_KEYS[0], secret)]);
        let key = keys.key(AUTHORITY_KEYS[0]).unwrap();
        let approvers: Vec<Approver> =
            ["omar", "nina"].iter().map(|name| Approver::new(folder.path(), name, &ambient)).collect();
        let (prod, test) = (service(&ambient, "prod", "prod.example"), service(&ambient, "test", "test.example"));

        let seal = Seal::open_machine(SealName::Issuing, &folder.path().join("issuing"), &ambient).unwrap();
        let (ring, _) = Keyring::create(&seal, org, &ambient).unwrap();
        let file = RootFile::at(folder.path().join("signer.root"), ring);
        let known = approvers
            .iter()
            .map(|one| (one.key, Known { person: one.person, material: one.material.clone(), since: ambient.now() }));
        let guard = |what: &str, quorum, at: Option<&Resource>| {
            let name = (CERTIFICATES.names)(what).unwrap().name;
            (name, Guard { quorum, most: Span::from_hours(2), at: at.map(|at| at.id) })
        };
        let guards = [
            guard("x509:dns:*.vault.example", 2, None),
            guard("x509:dns:db.example", 1, None),
            guard("x509:ip:10.0.0.7", 1, None),
            guard("x509:cn:operator", 1, None),
            guard("x509:uri:spiffe://prod.example/*", 1, Some(&prod)),
        ];
        let root = Root { version: 1, keys: known.collect(), guards: guards.into(), ..Root::default() };
        file.write(&root).unwrap();
        clock.advance(Span::from_mins(1));
        let readers = vec![(AUTHORITY_KEYS[0], CERTIFICATES)];
        let desk = Messenger(Arc::new(Desk::open(org, keys, readers, file, ambient.clone())));
        let csr = Bench::new().request(P256, "");
        Self { folder, ambient, org, desk, authority, key, approvers, csr, prod, test }
    }

    fn role(&self, definition: &Value) -> Role {
        Role {
            id: self.ambient.id(),
            name: "use".parse().unwrap(),
            kind: "x509".parse().unwrap(),
            description: String::new().try_into().unwrap(),
            definition: definition.clone(),
            since: self.ambient.now(),
        }
    }

    fn ask(&self, at: &Resource, role: &Role) -> Ask {
        let item = AskItem { resource: at.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
        Ask { org: self.org, ..plain_ask(&self.ambient, item, Span::from_hours(1)) }
    }

    /// A grant that the server says is there.
    fn grant(&self, ask: &Ask) -> Held {
        wane_testkit::hold(&self.ambient, ask.clone(), "x509", LeaseKind::Credential, self.ambient.now())
    }

    /// The certificate that the server would have signed under it.
    fn certificate(&self, held: &Held, at: &Resource, role: &Role) -> Vec<u8> {
        self.certificate_for(held, at, role, &json!({}))
    }

    /// The same where what is sent says more than the key: for some of the names, as over ACME.
    fn certificate_for(&self, held: &Held, at: &Resource, role: &Role, more: &Value) -> Vec<u8> {
        let mut input = self.csr.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let catch = Arc::new(Catch { key: self.key, caught: Mutex::default() });
        let (authorities, _) = Authorities::read(&*catch, std::slice::from_ref(&self.authority));
        let kind = X509Kind::new(Arc::<Catch>::clone(&catch), authorities, self.ambient.clone());
        let target = Target { resource: at, credential: None, now: self.ambient.now() };
        let permit = held.permit(self.ambient.now());
        let refused = kind.issuer().unwrap().issue(&target, role, &held.lease, permit, &input, 1);
        assert!(refused.is_err());
        let caught = catch.caught.lock().unwrap().clone();
        assert!(!caught.is_empty(), "{refused:?}");
        caught
    }

    /// What people really signed.
    fn authority(&self, ask: &Ask, role: &Role, who: &[usize]) -> Signed {
        let approvals = who.iter().map(|n| self.approvers[*n].approve(ask, &self.ambient)).collect();
        Signed { ask: ask.clone(), item: 0, role: role.clone(), extensions: Vec::new(), approvals }
    }

    fn right(&self, held: &Held, rests_on: Option<Signed>) -> Right {
        let permit = held.permit(self.ambient.now());
        match rests_on {
            Some(authority) => permit.resting_on(authority).into_right(),
            None => permit.into_right(),
        }
    }

    fn sign(&self, held: &Held, rests_on: Option<Signed>, message: &[u8]) -> Result<(), SignError> {
        let right = Box::new(self.right(held, rests_on));
        let call = Call::Issue { purpose: AUTHORITY_KEYS[0].to_owned(), right, message: Bytes(message.to_vec()) };
        match self.desk.call(&call)? {
            Reply::Signature(_) => Ok(()),
            other => panic!("it answered {other:?}"),
        }
    }

    fn refused(&self, what: &str, held: &Held, rests_on: Option<Signed>, message: &[u8]) -> String {
        match self.sign(held, rests_on, message) {
            Err(SignError::Unsigned(why)) => why,
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// The bytes with one spelling of a name put in place of another of the same length.
fn respelt(message: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = message.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    let mut message = message.to_vec();
    message[at..at + to.len()].copy_from_slice(to.as_bytes());
    message
}

/// With full control of the store and of every message: no certificate that people have to sign for.
#[test]
fn whoever_holds_the_server_gets_no_certificate_that_people_have_to_sign_for() {
    let office = Office::new(1);
    let role = office.role(&json!({ "use": "server", "dns_names": ["db.example"], "life_secs": 600 }));
    let (ask, free) = (office.ask(&office.prod, &role), office.role(&json!({ "use": "client" })));
    let held = office.grant(&ask);
    let message = office.certificate(&held, &office.prod, &role);
    let good = office.authority(&ask, &role, &[0]);
    let with = |change: &dyn Fn(&mut Signed)| {
        let mut forged = good.clone();
        change(&mut forged);
        Some(forged)
    };
    let refuse = |what: &str, rests_on| office.refused(what, &held, rests_on, &message);

    refuse("the store says it is approved", None);
    refuse("nobody approved", with(&|a| a.approvals.clear()));
    refuse("without a signature", with(&|a| a.approvals[0].signed = None));
    let mine = Approver::new(office.folder.path(), "mallory", &office.ambient);
    refuse("a key of one's own", with(&|a| a.approvals = vec![mine.approve(&ask, &office.ambient)]));
    refuse("a longer window", with(&|a| a.ask.duration = Span::from_hours(2)));
    refuse("somebody else's", with(&|a| a.ask.beneficiary = office.ambient.id()));

    // The role rewritten, before and after it was approved.
    for (what, wider) in [
        ("one name more", json!({ "use": "server", "dns_names": ["db.example", "mail.example"], "life_secs": 600 })),
        ("the other end", json!({ "use": "client", "life_secs": 600, "common_name": "operator" })),
        ("an address more", json!({ "use": "server", "dns_names": ["db.example"], "ip_addresses": ["10.0.0.7"] })),
        ("longer", json!({ "use": "server", "dns_names": ["db.example"], "life_secs": 3600 })),
        ("an identity", json!({ "use": "server", "dns_names": ["db.example"], "spiffe_path": "/a", "life_secs": 600 })),
    ] {
        let wider = Role { definition: wider, ..role.clone() };
        let made = office.certificate(&held, &office.prod, &wider);
        office.refused(what, &held, None, &made);
        office.refused(what, &held, Some(good.clone()), &made);
        office.refused(what, &held, with(&|a| a.role = wider.clone()), &made);
        let item = AskItem { role_digest: wider.digest().unwrap(), ..ask.items[0].clone() };
        let rewritten = office.grant(&Ask { items: vec![item], ..ask.clone() });
        let made = office.certificate(&rewritten, &office.prod, &wider);
        office.refused(what, &rewritten, with(&|a| a.role = wider.clone()), &made);
    }
    // Signed by one where two have to.
    let deep = office.role(&json!({ "use": "server", "dns_names": ["a.b.vault.example", "db.example"] }));
    let deep_ask = office.ask(&office.prod, &deep);
    let deep_held = office.grant(&deep_ask);
    let made = office.certificate(&deep_held, &office.prod, &deep);
    let one = office.authority(&deep_ask, &deep, &[0]);
    let why = office.refused("one of two", &deep_held, Some(one), &made);
    assert!(why.contains("1 of 2 signed it"), "{why}");
    office.sign(&deep_held, Some(office.authority(&deep_ask, &deep, &[0, 1])), &made).unwrap();

    // What nobody guards is signed as the server says.
    let free_held = office.grant(&office.ask(&office.test, &free));
    let made = office.certificate(&free_held, &office.test, &free);
    office.sign(&free_held, None, &made).unwrap();
    // And what people signed for, as they did, again and again; for this grant, until it is over.
    for _ in 0..2 {
        office.sign(&held, Some(good.clone()), &message).unwrap();
    }
    let again = office.grant(&ask);
    let replayed = office.certificate(&again, &office.prod, &role);
    office.refused("replayed for another grant", &again, Some(good.clone()), &replayed);
    office.desk.ended(held.grant.id);
    office.refused("replayed once it is over", &held, Some(good.clone()), &message);
    // Nor on the other road, which signs lists.
    let publish = Call::Publish { purpose: AUTHORITY_KEYS[0].to_owned(), what: String::new(), message: Bytes(message) };
    assert!(matches!(office.desk.call(&publish), Err(SignError::Exceeds(_))));
}

/// Which trust domain a service is in stands in the store, and can be rewritten there.
#[test]
fn what_people_signed_for_one_service_is_no_identity_at_another() {
    let office = Office::new(2);
    let role = office.role(&json!({ "use": "client", "spiffe_path": "/ns/shop/{holder}" }));
    let ask = office.ask(&office.test, &role);
    let held = office.grant(&ask);
    let good = office.authority(&ask, &role, &[0]);
    let moved = Resource { settings: json!({ "trust_domain": "prod.example" }), ..office.test.clone() };
    let made = office.certificate(&held, &moved, &role);
    let why = office.refused("test's settings rewritten", &held, Some(good.clone()), &made);
    assert!(why.contains("another resource's"), "{why}");
    office.refused("and nobody asked", &held, None, &made);
    // Where it is, it is not guarded.
    let made = office.certificate(&held, &office.test, &role);
    office.sign(&held, None, &made).unwrap();
    // Signed for where it is guarded.
    let ask = office.ask(&office.prod, &role);
    let held = office.grant(&ask);
    let made = office.certificate(&held, &office.prod, &role);
    office.refused("nobody signed", &held, None, &made);
    office.sign(&held, Some(office.authority(&ask, &role, &[1])), &made).unwrap();
}

/// A guard is over a name, whatever it is spelt like.
#[test]
fn no_spelling_gets_round_a_guard() {
    let office = Office::new(3);
    for (definition, from, to) in [
        (json!({ "use": "server", "dns_names": ["qq.example"] }), "qq.example", "DB.example"),
        (json!({ "use": "server", "dns_names": ["q.db.example"] }), "q.db.example", "*.db.example"),
        (json!({ "use": "server", "dns_names": ["q.example"] }), "q.example", "*.example"),
        (json!({ "use": "server", "dns_names": ["db.examples"] }), "db.examples", "db.example."),
        (json!({ "use": "client", "common_name": "quarter0" }), "quarter0", "OPERATOR"),
    ] {
        let role = office.role(&definition);
        let held = office.grant(&office.ask(&office.test, &role));
        let made = office.certificate(&held, &office.test, &role);
        office.refused(to, &held, None, &respelt(&made, from, to));
        office.sign(&held, None, &made).unwrap();
    }
    let mapped = office.role(&json!({ "use": "server", "ip_addresses": ["::ffff:10.0.0.7"] }));
    let held = office.grant(&office.ask(&office.test, &mapped));
    let made = office.certificate(&held, &office.test, &mapped);
    office.refused("an address in the other family", &held, None, &made);
}

/// A guard over a name is over it as a common name too: peers go by that where a certificate has no other name of its sort.
#[test]
fn no_common_name_gets_round_a_guard() {
    let office = Office::new(4);
    let made = |name: &str| {
        let role = json!({ "use": "server", "ip_addresses": ["10.0.0.9"], "common_name": name });
        let role = office.role(&role);
        let held = office.grant(&office.ask(&office.test, &role));
        let made = office.certificate(&held, &office.test, &role);
        (held, made)
    };
    for name in ["db.example", "DB.Example", "db.example.", "a.b.vault.example", "10.0.0.7", "10.0.0.7."] {
        let (held, made) = made(name);
        let why = office.refused(name, &held, None, &made);
        assert!(why.contains("signed"), "{name}: {why}");
    }
    for name in ["qq.example", "vault.example", "10.0.0.8", "backup_job@shop", "q"] {
        let (held, made) = made(name);
        office.sign(&held, None, &made).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    // One that no role gives, and that some take for more than one name.
    for (from, to) in [("qq.example", "*q.example"), ("qq.example", "db.exampl\0"), ("qq.example", "db example")] {
        let (held, made) = made(from);
        let why = office.refused(to, &held, None, &respelt(&made, from, to));
        assert!(why.contains("none that a role gives"), "{to:?}: {why}");
    }
}

/// Over ACME a certificate is ordered for some of the role's names, and gets one of them as its common name.
#[test]
fn who_signed_for_the_names_of_a_role_signed_for_some_of_them() {
    let office = Office::new(5);
    let names = json!({ "use": "server", "dns_names": ["db.example", "qq.example"], "ip_addresses": ["10.0.0.7"] });
    let mut called = names.clone();
    called["common_name"] = json!("shop");
    for definition in [&names, &called] {
        let role = office.role(definition);
        let ask = office.ask(&office.prod, &role);
        let held = office.grant(&ask);
        let good = office.authority(&ask, &role, &[0]);
        let of = |dns: Value, ip: Value| {
            let some = json!({ "dns_names": dns, "ip_addresses": ip });
            office.certificate_for(&held, &office.prod, &role, &some)
        };
        for made in [
            office.certificate(&held, &office.prod, &role),
            of(json!(["db.example"]), json!([])),
            of(json!(["db.example", "qq.example"]), json!(["10.0.0.7"])),
            of(json!([]), json!(["10.0.0.7"])),
        ] {
            office.refused("nobody signed", &held, None, &made);
            office.sign(&held, Some(good.clone()), &made).unwrap();
        }
        // For one of them, and called by another: the subject stands before the names.
        let made = of(json!(["db.example"]), json!([]));
        let (from, to) = if definition == &names { ("db.example", "qq.example") } else { ("shop", "mail") };
        let why = office.refused("another subject", &held, Some(good.clone()), &respelt(&made, from, to));
        assert!(why.contains("its subject"), "{why}");
        // And for none that is not among them.
        let made = of(json!(["db.example", "qq.example"]), json!([]));
        let other = respelt(&made, "qq.example", "mx.example");
        let why = office.refused("another name", &held, Some(good), &other);
        assert!(why.contains("its names"), "{why}");
    }
}
