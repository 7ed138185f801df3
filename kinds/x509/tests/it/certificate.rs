//! What a certificate says, and what is never certified.

use serde_json::{Value, json};
use wane_connector::{ConnectError, Kind as _, PublishPermit, Revoked, SignError, Signer as _};
use wane_domain::time::Span;
use wane_kind_x509::AUTHORITY_KEYS;
use wane_kind_x509::authority::Confined;
use wane_testkit::Held;

use crate::world::{Bench, P256, With, World};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn the_reference_reads_what_was_meant() {
    for (seed, with) in [(1, With::P256), (2, With::Ed25519)] {
        let (world, bench) = (World::new(seed, with), Bench::new());
        let resource = world.resource(&json!({ "trust_domain": "example.org" }));
        let role = world.role(&json!({
            "use": "server", "dns_names": ["db.example"], "ip_addresses": ["10.0.0.7"], "common_name": "db",
            "spiffe_path": "/ns/shop/{holder}", "life_secs": 600,
        }));
        let held = world.hold(&resource, &role, Span::from_hours(2));
        let issued = world.issue(&held, &resource, &role, &bench.request(P256, "")).unwrap();
        bench.put("cert.pem", text(&issued.handed.public["certificate"]));
        bench.put("trust.pem", text(&issued.handed.public["trust"]));
        let shown = bench.must("x509 -in cert.pem -noout -text");
        let identity = format!("URI:spiffe://example.org/ns/shop/{}", held.grant.holder);
        for line in [
            &format!("Subject: CN = db, UID = {}", held.grant.id),
            &format!("{identity}, DNS:db.example, IP Address:10.0.0.7"),
            "TLS Web Server Authentication",
            "CA:FALSE",
            "Digital Signature",
        ] {
            assert!(shown.contains(line), "{line} is not in {shown}");
        }
        assert!(!shown.contains("Certificate Sign") && !shown.contains("Client Authentication"), "{shown}");
        bench.must("verify -x509_strict -purpose sslserver -verify_hostname db.example -CAfile trust.pem cert.pem");
        assert!(!bench.openssl("verify -purpose sslclient -CAfile trust.pem cert.pem").0);
        let serial = bench.must("x509 -in cert.pem -noout -serial").to_lowercase();
        assert_eq!(serial.trim(), format!("serial={}", text(&issued.inventory["serial"])));
        assert!(issued.handed.secret.is_none() && !issued.notes.to_string().contains("PRIVATE"));
    }
}

#[test]
fn a_certificate_never_outlives_its_grant() {
    let (world, bench) = (World::new(3, With::P256), Bench::new());
    let csr = bench.request(P256, "");
    for (duration, life_secs, lived) in [
        (Span::from_secs(120), 3600, 120),
        (Span::from_hours(8), 3600, 3600),
        (Span::from_hours(8), 300, 300),
        (Span::from_micros(2_500_000), 60, 2),
    ] {
        let resource = world.resource(&json!({}));
        let role = world.role(&json!({ "use": "client", "life_secs": life_secs }));
        let held = world.hold(&resource, &role, duration);
        let not_after = world.issue(&held, &resource, &role, &csr).unwrap().handed.not_after.unwrap();
        assert!(not_after <= held.lease.end, "{duration}");
        let life = not_after.seconds() - world.now().seconds();
        assert!((lived - 1..=lived + 1).contains(&life), "{duration}: {life} s");
    }
    let resource = world.resource(&json!({}));
    let role = world.role(&json!({ "use": "client" }));
    let held = world.hold(&resource, &role, Span::from_micros(1));
    let late = world.issue(&held, &resource, &role, &csr);
    assert!(matches!(late, Err(ConnectError::Over(_))), "nothing is wrong with what was sent: {late:?}");
}

#[test]
fn nothing_of_a_request_counts_but_its_key() {
    let (world, bench) = (World::new(4, With::P256), Bench::new());
    let resource = world.resource(&json!({}));
    let role = world.role(&json!({ "use": "client" }));
    let held = world.hold(&resource, &role, Span::from_hours(1));
    let hostile = " -addext subjectAltName=DNS:admin.example,URI:spiffe://example.org/root -addext basicConstraints=critical,CA:TRUE \
                   -addext keyUsage=keyCertSign -addext extendedKeyUsage=serverAuth -addext nameConstraints=permitted;DNS:.";
    let issued = world.issue(&held, &resource, &role, &bench.request(P256, hostile)).unwrap();
    bench.put("cert.pem", text(&issued.handed.public["certificate"]));
    let shown = bench.must("x509 -in cert.pem -noout -text");
    for word in [
        "admin.example",
        "spiffe",
        "CA:TRUE",
        "Certificate Sign",
        "Server Authentication",
        "Name Constraints",
        "somebody",
    ] {
        assert!(!shown.contains(word), "{word} came from the request: {shown}");
    }
    assert!(shown.contains(&format!("URI:urn:wane:grant:{}", held.grant.id)), "{shown}");
    assert_eq!(bench.must("x509 -in cert.pem -noout -pubkey"), bench.must("pkey -in key.pem -pubout"));
    // Somebody else's key: the request is signed with another.
    let der = |name: &str| {
        bench.must(&format!("req -in csr.pem -outform DER -out {name}"));
        std::fs::read(bench.path().join(name)).unwrap()
    };
    let mine = der("mine.der");
    bench.request(P256, "");
    let theirs = der("theirs.der");
    let tail = mine.len().min(theirs.len()) / 2;
    for (what, forged) in [
        ("the signature of another", [&theirs[..theirs.len() - 64], &mine[mine.len() - 64..]].concat()),
        ("a byte changed", {
            let mut bytes = theirs.clone();
            bytes[tail / 2] ^= 1;
            bytes
        }),
        ("the end left out", theirs[..theirs.len() - 1].to_vec()),
        ("something behind it", [theirs.as_slice(), b"\0"].concat()),
    ] {
        bench.put("forged.der", &forged);
        let (_, b64) = bench.openssl("base64 -in forged.der");
        let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{b64}-----END CERTIFICATE REQUEST-----\n");
        let refused = world.issue(&held, &resource, &role, &json!({ "csr": pem }));
        assert!(matches!(refused, Err(ConnectError::Input(_))), "{what}: {refused:?}");
    }
}

#[test]
fn weak_keys_and_garbage_are_refused() {
    let (world, bench) = (World::new(5, With::P256), Bench::new());
    let resource = world.resource(&json!({}));
    let role = world.role(&json!({ "use": "client" }));
    let held = world.hold(&resource, &role, Span::from_hours(1));
    let issue = |input: &Value| world.issue(&held, &resource, &role, input).map(drop).map_err(|e| e.to_string());
    for good in [P256, "ec -pkeyopt ec_paramgen_curve:P-384", "ed25519", "rsa:2048"] {
        issue(&bench.request(good, "")).unwrap_or_else(|e| panic!("{good}: {e}"));
        bench.must("pkey -in key.pem -pubout -out pub.pem");
        issue(&json!({ "public_key": bench.read("pub.pem") })).unwrap_or_else(|e| panic!("{good}: {e}"));
    }
    let csr = bench.read("csr.pem");
    for (weak, word) in [
        ("rsa:1024", "2048 to 8192 bits, this one has 1024"),
        ("rsa:2048 -pkeyopt rsa_keygen_pubexp:3", "65537"),
        ("ec -pkeyopt ec_paramgen_curve:secp256k1", "not certified"),
        ("ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", "not certified"),
        ("dsa", ""),
    ] {
        let (made, _) =
            bench.openssl(&format!("req -new -nodes -newkey {weak} -keyout weak.pem -out weak.csr -subj /CN=x"));
        if !made {
            continue;
        }
        bench.must("pkey -in weak.pem -pubout -out weak.pub");
        for input in [json!({ "csr": bench.read("weak.csr") }), json!({ "public_key": bench.read("weak.pub") })] {
            let refused = issue(&input).unwrap_err();
            assert!(refused.contains(word), "{weak}: {refused}");
        }
    }
    let own = String::from_utf8(world.paper("trust.pem", 1, &[])).unwrap();
    bench.put("ca.pem", &own);
    let authority = bench.must("x509 -in ca.pem -noout -pubkey");
    for (input, word) in [
        (json!({}), "`csr`"),
        (json!({ "csr": csr, "public_key": "x" }), "not both"),
        (json!({ "csr": "garbage" }), "PEM"),
        (json!({ "csr": own }), "send a `CERTIFICATE REQUEST`"),
        (json!({ "csr": bench.read("key.pem") }), "send a `CERTIFICATE REQUEST`"),
        (json!({ "csr": format!("{csr}{}", "x".repeat(20_000)) }), "the most is"),
        (json!({ "csr": csr, "san": "x" }), "unknown"),
        (json!({ "csr": 5 }), "text"),
        (json!({ "public_key": authority }), "authority's own key"),
    ] {
        let refused = issue(&input).unwrap_err();
        assert!(refused.contains(word), "{word}: {refused}");
    }
}

/// The to-be-signed bytes of a certificate in PEM.
fn tbs(bench: &Bench, pem: &str) -> Vec<u8> {
    bench.put("one.pem", pem);
    bench.must("x509 -in one.pem -outform DER -out one.der");
    inside(bench, "one.der")
}

/// The first part of what is signed, which is what is to be signed.
fn inside(bench: &Bench, name: &str) -> Vec<u8> {
    let der = std::fs::read(bench.path().join(name)).unwrap();
    let header = if der[1] < 0x80 { 2 } else { 2 + usize::from(der[1] & 0x7f) };
    bench.must(&format!("asn1parse -inform DER -in {name} -strparse {header} -out inside.tbs -noout"));
    std::fs::read(bench.path().join("inside.tbs")).unwrap()
}

#[test]
fn the_signer_refuses_what_exceeds_the_permit() {
    let (world, bench) = (World::new(6, With::P256), Bench::new());
    let resource = world.resource(&json!({}));
    let role = world.role(&json!({ "use": "client", "life_secs": 3600 }));
    let held = world.hold(&resource, &role, Span::from_hours(8));
    let csr = bench.request(P256, "");
    world.clock.advance(Span::from_secs(40));
    let good = world.issue(&held, &resource, &role, &csr).unwrap();
    let good = tbs(&bench, text(&good.handed.public["certificate"]));
    let judge =
        |held: &Held, bytes: &[u8]| world.signer.issue(AUTHORITY_KEYS[0], held.permit(world.now()), bytes).map(drop);
    judge(&held, &good).unwrap();
    let exceeds = |held: &Held, bytes: &[u8], word: &str| match judge(held, bytes) {
        Err(SignError::Exceeds(why)) => assert!(why.contains(word), "{word}: {why}"),
        other => panic!("{word}: {other:?}"),
    };
    let other = world.hold(&resource, &role, Span::from_hours(8));
    exceeds(&other, &good, "not for the grant");
    exceeds(&held, &good[..good.len() - 1], "no certificate");
    // The same certificate when less of it is allowed, and later than it was.
    let at = world.now();
    world.clock.set(at.minus(Span::from_secs(30)));
    exceeds(&held, &good, "outlives the grant or an hour");
    world.clock.set(at.plus(Span::from_hours(2)));
    exceeds(&held, &good, "begins before the grant");
    // What an authority's tools make: its own certificate, one of another authority, a certificate for everything.
    let own = String::from_utf8(world.paper("trust.pem", 1, &[])).unwrap();
    exceeds(&held, &tbs(&bench, &own), "extensions");
    bench.put("ext", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n\
                      subjectAltName=URI:urn:x\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
    bench.must(
        "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout ca.key -out ca2.pem -subj /CN=x -days 1",
    );
    bench.must("x509 -req -in csr.pem -CA ca2.pem -CAkey ca.key -CAcreateserial -days 1 -extfile ext -out wide.pem");
    exceeds(&held, &tbs(&bench, &bench.read("wide.pem")), "one end of a connection");
    assert!(matches!(
        world.signer.publish(AUTHORITY_KEYS[0], PublishPermit { what: "x".to_owned() }, &good),
        Err(SignError::Exceeds(_))
    ));
}

#[test]
fn an_authority_publishes_lists_and_nothing_else() {
    let (world, bench) = (World::new(7, With::P256), Bench::new());
    let publish = |bytes: &[u8]| world.signer.publish(AUTHORITY_KEYS[0], PublishPermit { what: "x".to_owned() }, bytes);
    let list = world.paper("crl.pem", 5, &[]);
    bench.put("crl.pem", &list);
    bench.must("crl -in crl.pem -outform DER -out crl.der");
    let tbs_list = inside(&bench, "crl.der");
    publish(&tbs_list).unwrap();
    let own = String::from_utf8(world.paper("trust.pem", 1, &[])).unwrap();
    for (what, bytes) in [
        ("a certificate", tbs(&bench, &own)),
        ("nothing", Vec::new()),
        ("part of a list", tbs_list[..tbs_list.len() - 1].to_vec()),
        ("more than a list", [tbs_list.as_slice(), b"\0\0"].concat()),
    ] {
        assert!(matches!(publish(&bytes), Err(SignError::Exceeds(_))), "{what}");
    }
}

#[test]
fn lists_rise_and_say_what_is_revoked() {
    let (world, bench) = (World::new(8, With::P256), Bench::new());
    let resource = world.resource(&json!({ "crl_pull_secs": 30 }));
    let role = world.role(&json!({ "use": "client" }));
    let held = world.hold(&resource, &role, Span::from_hours(1));
    let csr = bench.request(P256, "");
    let [gone, stays] = [(); 2].map(|()| world.issue(&held, &resource, &role, &csr).unwrap());
    bench.put("trust.pem", text(&gone.handed.public["trust"]));
    bench.put("gone.pem", text(&gone.handed.public["certificate"]));
    bench.put("stays.pem", text(&stays.handed.public["certificate"]));
    bench.put("crl.pem", world.paper("crl.pem", 1000, &[]));
    let verify = |cert: &str| {
        bench.openssl(&format!("verify -crl_check_all -x509_strict -CAfile trust.pem -CRLfile crl.pem {cert}"))
    };
    assert!(verify("gone.pem").0 && verify("stays.pem").0, "{}", verify("gone.pem").1);
    let revoked = [Revoked { inventory: gone.inventory.clone(), since: world.now() }];
    bench.put("crl.pem", world.paper("crl.pem", 1001, &revoked));
    let (accepted, why) = verify("gone.pem");
    assert!(!accepted && why.contains("certificate revoked"), "{why}");
    assert!(verify("stays.pem").0, "{}", verify("stays.pem").1);
    let shown = bench.must("crl -in crl.pem -noout -text");
    assert!(shown.contains("X509v3 CRL Number") && shown.contains("0x3E9") || shown.contains("1001"), "{shown}");
    let id = text(&gone.handed.public["authority"]);
    bench.put("crl.der", world.paper(&format!("{id}.crl"), 1002, &revoked));
    assert!(bench.must("crl -inform DER -in crl.der -noout -nextupdate").contains("nextUpdate="));
    let papers = world.kind.published().unwrap();
    assert!(papers.paper("../crl", 1, world.now(), &[]).unwrap().is_none());
}

#[test]
fn what_an_authority_may_not_name_is_not_certified() {
    let confined = Confined { dns: vec!["corp.example".to_owned()], networks: vec![("10.0.0.0".parse().unwrap(), 8)] };
    let (world, bench) = (World::confined(9, With::P256, &confined), Bench::new());
    let resource = world.resource(&json!({}));
    let csr = bench.request(P256, "");
    for (names, addresses, certified) in [
        (json!(["a.corp.example"]), json!(["10.1.1.1"]), true),
        (json!(["a.example"]), json!([]), false),
        (json!(["a.corp.example"]), json!(["192.0.2.1"]), false),
    ] {
        let role = world.role(&json!({ "use": "server", "dns_names": names, "ip_addresses": addresses }));
        let held = world.hold(&resource, &role, Span::from_hours(1));
        let issued = world.issue(&held, &resource, &role, &csr);
        assert_eq!(issued.is_ok(), certified, "{names} {addresses}: {issued:?}");
        if let Ok(issued) = issued {
            bench.put("trust.pem", text(&issued.handed.public["trust"]));
            bench.put("cert.pem", text(&issued.handed.public["certificate"]));
            bench.must("verify -x509_strict -CAfile trust.pem cert.pem");
        }
    }
}
