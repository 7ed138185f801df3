//! Authorities: under a root outside, and taken over from one by the next.

use std::sync::Arc;

use serde_json::json;
use wane_connector::{Kind as _, PublishPermit, Revoked, Signer as _};
use wane_domain::time::Span;
use wane_kind_x509::AUTHORITY_KEYS;
use wane_kind_x509::authority::{Authority, AuthorityError, Confined, State, drop_idle, take_over, vacant};
use wane_testkit::FakeClock;

use crate::world::{Bench, P256, With, World, machine_now, new_key, own, root, signer};

const EXT: &str = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

#[test]
fn one_is_certified_by_a_root_outside() {
    let bench = Bench::new();
    let clock = FakeClock::at(machine_now());
    let ambient = clock.ambient(20);
    let purpose = AUTHORITY_KEYS[1];
    let key = new_key(With::P256, &ambient);
    let (alone, public) = own(&key, purpose);
    let sign = |message: &[u8]| alone.publish(purpose, PublishPermit { what: "test".to_owned() }, message);
    let asked = Authority::request(purpose, public, &sign, ambient.now()).unwrap();
    let State::Requested { request } = &asked.state else { panic!("{asked:?}") };
    bench.put("sub.csr", request);
    assert!(bench.must("req -in sub.csr -verify -noout -text").contains("CA:TRUE"));
    bench.put("ext", EXT);
    bench.must("req -x509 -nodes -newkey rsa:2048 -keyout root.key -out root.pem -subj /CN=offline -days 30 -addext keyUsage=critical,keyCertSign,cRLSign");
    let signed = |words: &str| {
        bench.must(&format!("x509 -req -in sub.csr -CA root.pem -CAkey root.key -CAcreateserial {words}"))
    };
    signed("-days 10 -extfile ext -out sub.pem");
    let (sub, above) = (bench.read("sub.pem"), bench.read("root.pem"));
    // What is no chain for it.
    bench.put("leaf", "basicConstraints=critical,CA:FALSE\n");
    signed("-days 10 -extfile leaf -out leaf.pem");
    bench.must("req -x509 -nodes -newkey rsa:2048 -keyout other.key -out other.pem -subj /CN=offline -days 30");
    bench.must("x509 -req -in sub.csr -CA root.pem -CAkey root.key -CAcreateserial -days 10 -extfile ext -subj /CN=another -out renamed.pem");
    for (what, chain, word) in [
        ("nothing", String::new(), "0 certificates"),
        ("without its root", sub.clone(), "root last"),
        ("the wrong way round", format!("{above}{sub}"), "root last"),
        ("no authority", format!("{}{above}", bench.read("leaf.pem")), "CA:TRUE"),
        ("a root of the same name", format!("{sub}{}", bench.read("other.pem")), "signature is wrong"),
        ("another name", format!("{}{above}", bench.read("renamed.pem")), "subject"),
        ("somebody else's", above.clone(), "another key"),
    ] {
        let mut refused = asked.clone();
        let why = refused.certify(purpose, public, &chain, ambient.now()).unwrap_err().to_string();
        assert!(why.contains(word), "{what}: {why}");
        assert_eq!(refused, asked);
    }
    let mut made = asked;
    made.certify(purpose, public, &format!("{sub}{above}"), ambient.now()).unwrap();
    assert_eq!(made.state, State::Ready);
    made.state = State::Issuing;
    let world = World::of(Arc::new(signer(vec![(purpose, key)])), &[made], clock, ambient);
    let resource = world.resource(&json!({}));
    let role = world.role(&json!({ "use": "client" }));
    let held = world.hold(&resource, &role, Span::from_hours(1));
    let issued = world.issue(&held, &resource, &role, &bench.request(P256, "")).unwrap();
    let part = |name: &str| issued.handed.public[name].as_str().unwrap().to_owned();
    bench.put("cert.pem", part("certificate"));
    bench.put("chain.pem", part("chain"));
    bench.put("trust.pem", part("trust"));
    assert_eq!(part("trust"), String::from_utf8(world.paper("trust.pem", 1, &[])).unwrap());
    bench.must("verify -x509_strict -CAfile trust.pem -untrusted chain.pem cert.pem");
    bench.put(
        "crl.pem",
        world.paper("crl.pem", 1, &[Revoked { inventory: issued.inventory.clone(), since: world.now() }]),
    );
    let (accepted, why) =
        bench.openssl("verify -crl_check -CAfile trust.pem -untrusted chain.pem -CRLfile crl.pem cert.pem");
    assert!(!accepted && why.contains("revoked"), "{why}");
}

#[test]
fn an_authority_stays_until_its_last_certificate_ran_out() {
    let bench = Bench::new();
    let clock = FakeClock::at(machine_now());
    let ambient = clock.ambient(21);
    let keys = [new_key(With::P256, &ambient), new_key(With::Ed25519, &ambient)];
    let mut all = vec![root(&keys[0], AUTHORITY_KEYS[0], &Confined::default(), &ambient)];
    all[0].state = State::Issuing;
    assert!(matches!(take_over(&mut all, ambient.now()), Err(AuthorityError::None(_))));
    assert!(matches!(drop_idle(&mut all, ambient.now()), Err(AuthorityError::None(_))), "the one that issues stays");
    assert_eq!(vacant(&all).unwrap(), AUTHORITY_KEYS[1]);
    all.push(root(&keys[1], AUTHORITY_KEYS[1], &Confined::default(), &ambient));
    assert!(matches!(vacant(&all), Err(AuthorityError::Full)));
    let with = |all: &[Authority]| {
        let keys = vec![(AUTHORITY_KEYS[0], keys[0].clone()), (AUTHORITY_KEYS[1], keys[1].clone())];
        World::of(Arc::new(signer(keys)), all, Arc::clone(&clock), ambient.clone())
    };
    // Known before it issues: trusted, with a list of its own.
    let before = with(&all);
    let resource = before.resource(&json!({}));
    let role = before.role(&json!({ "use": "client", "life_secs": 3600 }));
    let held = before.hold(&resource, &role, Span::from_hours(3));
    let csr = bench.request(P256, "");
    let old = before.issue(&held, &resource, &role, &csr).unwrap();
    assert_eq!(old.handed.public["trust"].as_str().unwrap().matches("BEGIN CERTIFICATE").count(), 2);
    take_over(&mut all, ambient.now()).unwrap();
    let after = with(&all);
    let new = after.issue(&held, &resource, &role, &csr).unwrap();
    assert_ne!(old.inventory["authority"], new.inventory["authority"]);
    // Both are trusted, and each is on the list of its own authority.
    let revoked = [&old, &new].map(|one| Revoked { inventory: one.inventory.clone(), since: after.now() });
    bench.put("trust.pem", after.paper("trust.pem", 1, &[]));
    for (lists, ends) in [(after.paper("crl.pem", 2, &[]), false), (after.paper("crl.pem", 3, &revoked), true)] {
        bench.put("crl.pem", lists);
        for one in [&old, &new] {
            bench.put("cert.pem", one.handed.public["certificate"].as_str().unwrap());
            let (accepted, why) = bench.openssl("verify -crl_check_all -CAfile trust.pem -CRLfile crl.pem cert.pem");
            assert_eq!(accepted, !ends, "{why}");
        }
    }
    let ran_out = old.handed.not_after.unwrap();
    assert!(matches!(drop_idle(&mut all, ran_out), Err(AuthorityError::NotYet(until)) if until > ran_out));
    clock.advance(Span::from_mins(66));
    let gone = drop_idle(&mut all, ambient.now()).unwrap();
    assert_eq!(gone.purpose, AUTHORITY_KEYS[0]);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].state, State::Issuing);
    assert!(with(&all).kind.published().is_some());
}
