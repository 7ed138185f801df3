//! Which keys a client may have.

use aws_lc_rs::rsa::KeySize;
use serde_json::{Value, json};
use wane_acme::{ClientKey, Refused, Sort};

use crate::client::{Client, encoded, sort};

#[test]
fn a_key_has_one_thumbprint_and_weak_ones_none() {
    // The example of RFC 7638, section 3.1.
    let known = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    assert_eq!(ClientKey::read(&known).unwrap().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let p256 = Client::p256(1).jwk();
    let with = |name: &str, value: Value| {
        let mut key = p256.clone();
        key[name] = value;
        key
    };
    let rsa = |n: &[u8], e: &str| json!({ "kty": "RSA", "n": encoded(n), "e": e });
    let strong = [vec![0xc5; 255], vec![1]].concat();
    ClientKey::read(&rsa(&strong, "AQAB")).unwrap();
    let x = p256["x"].as_str().unwrap();
    for (what, key) in [
        ("no key", json!({})),
        ("a text", json!("key")),
        ("a secret", json!({ "kty": "oct", "k": "AAAA" })),
        ("a private key", with("d", json!("AAAA"))),
        ("of another curve", with("crv", json!("P-521"))),
        ("of a curve nobody names", with("crv", json!(null))),
        ("half a point", with("y", json!(null))),
        ("a short coordinate", with("x", json!("AAAA"))),
        ("a padded coordinate", with("x", json!(format!("{x}=")))),
        ("too short an RSA key", rsa(&strong[..128], "AQAB")),
        ("too long an RSA key", rsa(&[strong.clone(), strong.clone(), strong.clone()].concat(), "AQAB")),
        ("with zeros in front", rsa(&[vec![0], strong.clone()].concat(), "AQAB")),
        ("of exponent 3", rsa(&strong, "Aw")),
        ("of exponent 1", rsa(&strong, "AQ")),
        ("with zeros before the exponent", rsa(&strong, "AAEAAQ")),
    ] {
        let refused: Result<ClientKey, Refused> = ClientKey::read(&key);
        assert_eq!(sort(refused), Sort::BadPublicKey, "{what}");
    }
    let large = Client::rsa(KeySize::Rsa4096);
    large.key();
}
