//! Certificates that are ordered: for some of the role's names, by requests that say exactly which.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wane_connector::{CertNames, ConnectError, Kind as _};
use wane_domain::time::Span;
use x509_cert::SubjectPublicKeyInfo;
use x509_cert::der::asn1::BitString;
use x509_cert::der::{Decode as _, Encode as _, pem};

use crate::world::{Bench, P256, With, World};

fn der(text: &str) -> Vec<u8> {
    pem::decode_vec(text.as_bytes()).unwrap().1
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_request_asks_for_every_name_in_it() {
    let (world, bench) = (World::new(40, With::P256), Bench::new());
    let acme = world.kind.acme().unwrap();
    let asked = |subject: &str, more: &str| {
        bench.must(&format!("req -new -nodes -newkey {P256} -keyout key.pem -out csr.pem -subj {subject}{more}"));
        acme.request(&der(&bench.read("csr.pem"))).map(|request| {
            let dns: Vec<String> = request.names.dns.into_iter().collect();
            (dns, request.names.ip.into_iter().map(|ip| ip.to_string()).collect::<Vec<_>>())
        })
    };
    let names = |dns: &[&str], ip: &[&str]| {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Ok((all(dns), all(ip)))
    };
    let san = " -addext subjectAltName=";
    assert_eq!(asked("/CN=A.example", ""), names(&["a.example"], &[]));
    assert_eq!(asked("/O=Acme", &format!("{san}DNS:a.example,DNS:B.example")), names(&["a.example", "b.example"], &[]));
    assert_eq!(asked("/CN=a.example", &format!("{san}DNS:b.example")), names(&["a.example", "b.example"], &[]));
    assert_eq!(asked("/CN=192.0.2.7", &format!("{san}IP:2001:db8::7")), names(&[], &["192.0.2.7", "2001:db8::7"]));
    assert_eq!(asked("/CN=a.example/CN=b.example", ""), names(&["a.example", "b.example"], &[]), "two in one subject");
    // What else it wants is not read, and nothing comes of it.
    let hostile = format!("{san}DNS:a.example -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign");
    assert_eq!(asked("/CN=a.example", &hostile), names(&["a.example"], &[]));
    for more in ["email:a@b.example", "URI:spiffe://example.org/root", "DNS:*.example", "DNS:a..b"] {
        assert!(asked("/O=Acme", &format!("{san}{more}")).is_err(), "{more}");
    }
    assert!(asked("/CN=Somebody_Else", "").is_err());
    // Without the key it is for, nobody is believed.
    let mut forged = der(&bench.read("csr.pem"));
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert!(acme.request(&forged).is_err());
    assert!(acme.request(b"").is_err());
}

/// Whose key it is is told by its thumbprint, so that no key has two.
#[test]
fn a_key_is_taken_in_one_spelling() {
    let (world, bench) = (World::new(44, With::P256), Bench::new());
    let acme = world.kind.acme().unwrap();
    let resource = world.resource(&json!({}));
    let role = world.role(&json!({ "use": "server", "dns_names": ["a.example"] }));
    let held = world.hold(&resource, &role, Span::from_hours(1));
    for curve in ["prime256v1", "secp384r1"] {
        bench.must(&format!("ecparam -name {curve} -genkey -noout -out plain.pem"));
        for (form, good) in [("uncompressed", true), ("compressed", false), ("hybrid", false)] {
            bench.must(&format!("ec -in plain.pem -conv_form {form} -out key.pem"));
            bench.must(&format!("ec -in plain.pem -conv_form {form} -pubout -out public.pem"));
            bench.must("req -new -key key.pem -subj /CN=a.example -out csr.pem");
            let asked = acme.request(&der(&bench.read("csr.pem")));
            assert_eq!(asked.is_ok(), good, "{curve} {form}: {asked:?}");
            for input in [json!({ "csr": bench.read("csr.pem") }), json!({ "public_key": bench.read("public.pem") })] {
                let done = world.issue(&held, &resource, &role, &input);
                match done {
                    Ok(_) => assert!(good, "{curve} {form}"),
                    Err(ConnectError::Input(why)) => assert!(!good && why.contains("uncompressed"), "{form}: {why}"),
                    other => panic!("{curve} {form}: {other:?}"),
                }
            }
        }
        // The key once more, with what says which sort it is.
        bench.must("ec -in plain.pem -pubout -out public.pem");
        let plain = der(&bench.read("public.pem"));
        let spki = SubjectPublicKeyInfo::from_der(&plain).unwrap();
        let nested = SubjectPublicKeyInfo { subject_public_key: BitString::from_bytes(&plain).unwrap(), ..spki };
        let nested = pem::encode_string("PUBLIC KEY", pem::LineEnding::LF, &nested.to_der().unwrap()).unwrap();
        let done = world.issue(&held, &resource, &role, &json!({ "public_key": nested }));
        assert!(matches!(done, Err(ConnectError::Input(_))), "{done:?}");
    }
}

#[test]
fn a_certificate_is_for_names_of_the_role_and_no_others() {
    let (world, bench) = (World::new(41, With::P256), Bench::new());
    let resource = world.resource(&json!({}));
    let definition = json!({ "use": "server", "dns_names": ["a.example", "b.example"], "ip_addresses": ["192.0.2.7"] });
    let role = world.role(&definition);
    let held = world.hold(&resource, &role, Span::from_hours(1));
    let csr = bench.request(P256, "");
    let issue = |dns: Value, ip: Value| {
        let input = json!({ "csr": csr["csr"], "dns_names": dns, "ip_addresses": ip });
        world.issue(&held, &resource, &role, &input)
    };
    let some = issue(json!(["B.example"]), json!([])).unwrap();
    assert_eq!(some.inventory["dns_names"], json!(["b.example"]));
    assert_eq!(some.inventory["ip_addresses"], json!([]));
    assert_eq!(some.inventory["common_name"], "b.example", "clients renew what they find there");
    bench.put("cert.pem", text(&some.handed.public["certificate"]));
    let shown = bench.must("x509 -in cert.pem -noout -ext subjectAltName");
    assert!(shown.contains("DNS:b.example") && !shown.contains("a.example") && !shown.contains("192.0.2.7"), "{shown}");
    for (dns, ip) in [
        (json!(["c.example"]), json!([])),
        (json!(["a.example", "c.example"]), json!([])),
        (json!(["sub.a.example"]), json!([])),
        (json!(["*.example"]), json!([])),
        (json!([]), json!(["192.0.2.8"])),
        (json!([]), json!(["192.0.2"])),
        (json!([]), json!([])),
        (json!("a.example"), json!([])),
    ] {
        let refused = issue(dns.clone(), ip.clone());
        assert!(matches!(refused, Err(ConnectError::Input(_))), "{dns} {ip}: {refused:?}");
    }
    let client = world.role(&json!({ "use": "client" }));
    let held = world.hold(&resource, &client, Span::from_hours(1));
    let input = json!({ "csr": csr["csr"], "dns_names": ["a.example"] });
    assert!(world.issue(&held, &resource, &client, &input).is_err(), "a client has no names");
    assert_eq!(world.kind.acme().unwrap().names(&client.definition).unwrap(), CertNames::default());
}

#[test]
fn a_certificate_is_known_by_its_authority_and_number_and_comes_with_what_is_above_it() {
    for (seed, with) in [(42, With::P256), (43, With::Ed25519)] {
        let (world, bench) = (World::new(seed, with), Bench::new());
        let acme = world.kind.acme().unwrap();
        let resource = world.resource(&json!({}));
        let role = world.role(&json!({ "use": "server", "dns_names": ["a.example"] }));
        let held = world.hold(&resource, &role, Span::from_hours(1));
        for algorithm in [P256, "ec -pkeyopt ec_paramgen_curve:P-384", "ed25519", "rsa:2048"] {
            let csr = bench.request(algorithm, "");
            let issued = world.issue(&held, &resource, &role, &csr).unwrap();
            let (read, chain) = acme.handed(&issued.handed.public).unwrap();
            let (authority, serial) = read.id.split_once('.').unwrap();
            let serial = BASE64URL_NOPAD.decode(serial.as_bytes()).unwrap();
            assert_eq!(data_encoding::HEXLOWER.encode(&serial), text(&issued.inventory["serial"]));
            bench.put("cert.pem", text(&issued.handed.public["certificate"]));
            let shown = bench.must("x509 -in cert.pem -noout -ext authorityKeyIdentifier").to_lowercase();
            let known = data_encoding::HEXLOWER.encode(&BASE64URL_NOPAD.decode(authority.as_bytes()).unwrap());
            assert!(shown.replace(':', "").contains(&known), "{shown}: {known}");
            assert_eq!(chain.matches("-----BEGIN CERTIFICATE-----").count(), 2, "it, and what certified it");
            // Of request and certificate the same key is read.
            let request = acme.request(&der(text(&csr["csr"]))).unwrap_or_else(|e| panic!("{algorithm}: {e}"));
            assert_eq!(request.jwk, read.jwk);
            assert!(acme.certificate(&der(text(&issued.handed.public["certificate"]))).unwrap().jwk == read.jwk);
        }
    }
}
