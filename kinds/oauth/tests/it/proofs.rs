//! Which proofs of a key are taken.

use std::time::Duration;

use ed25519_dalek::Signer as _;
use serde_json::{Value, json};
use wane_connector::TokenProof;
use wane_domain::time::{Span, Time};

use crate::world::{Client, With, World, encoded};

const URL: &str = "https://api.example/orders";

fn hash(token: &str) -> String {
    use sha2::Digest as _;
    encoded(sha2::Sha256::digest(token.as_bytes()))
}

#[test]
fn of_all_the_proofs_one_is_taken_and_once() {
    let world = World::new(30, With::P256);
    let (mine, token) = (Client::new(1), "a.token.x");
    let now = world.now().seconds();
    let take = |text: &str| {
        let proof = TokenProof { text, method: "GET", url: URL, token, now: world.now() };
        world.tokens().take_proof(&proof)
    };
    let claims = |id: &str| json!({ "jti": id, "htm": "GET", "htu": URL, "iat": now, "ath": hash(token) });
    let good = mine.signed(&mine.header(), &claims("good"));
    let key = take(&good).unwrap();
    assert!(take(&good).unwrap_err().contains("taken before"));
    assert_eq!(take(&mine.signed(&mine.header(), &claims("next"))).unwrap(), key, "another of the same key");
    let elsewhere = Client::new(2);
    assert_ne!(take(&elsewhere.signed(&elsewhere.header(), &claims("good"))).unwrap(), key, "its ids are its own");
    // With a query in what it says, which counts for nothing.
    let mut queried = claims("query");
    queried["htu"] = json!(format!("{URL}?page=2#top"));
    take(&mine.signed(&mine.header(), &queried)).unwrap();
    let mut bad: Vec<(String, String)> = Vec::new();
    for (name, value) in [
        ("htm", json!("POST")),
        ("htm", json!("get")),
        ("htu", json!("https://api.example/other")),
        ("htu", json!("https://api.example/orders/")),
        ("htu", json!("http://api.example/orders")),
        ("htu", json!("")),
        ("iat", json!(now - 61)),
        ("iat", json!(now + 61)),
        ("iat", json!(0)),
        ("iat", json!(-1)),
        ("iat", json!(now.to_string())),
        ("iat", json!(i64::MAX)),
        ("iat", json!(1e300)),
        ("iat", json!(-0.5)),
        ("ath", json!(hash("another"))),
        ("ath", json!("")),
        ("ath", json!(null)),
        ("jti", json!("")),
        ("jti", json!("x".repeat(300))),
        ("jti", json!(7)),
    ] {
        let mut claims = claims(&format!("{name}{value:.20}"));
        claims[name] = value.clone();
        bad.push((format!("{name} {value:.40}"), mine.signed(&mine.header(), &claims)));
    }
    for name in ["htm", "htu", "iat", "ath", "jti"] {
        let mut claims = claims(&format!("no {name}"));
        claims.as_object_mut().unwrap().remove(name);
        bad.push((format!("no {name}"), mine.signed(&mine.header(), &claims)));
    }
    let with = |name: &str, value: Value| {
        let mut header = mine.header();
        header[name] = value;
        header
    };
    let mut private = mine.jwk();
    private["d"] = json!("AA");
    let mut secret = json!({ "kty": "oct", "k": "c2VjcmV0" });
    let symmetric = secret.take();
    for (what, header) in [
        ("typ JWT", with("typ", json!("JWT"))),
        ("typ of a token", with("typ", json!("at+jwt"))),
        ("alg none", with("alg", json!("none"))),
        ("alg HS256", with("alg", json!("HS256"))),
        ("alg EdDSA", with("alg", json!("EdDSA"))),
        ("a kid", with("kid", json!("x"))),
        ("a jku", with("jku", json!("https://evil.example"))),
        ("an x5c", with("x5c", json!([]))),
        ("crit", with("crit", json!(["exp"]))),
        ("a private key", with("jwk", private)),
        ("a symmetric key", with("jwk", symmetric)),
        ("no key", with("jwk", json!(null))),
        ("another's key", with("jwk", elsewhere.jwk())),
        (
            "a point that is none",
            with("jwk", json!({ "kty": "EC", "crv": "P-256", "x": encoded([1; 32]), "y": encoded([1; 32]) })),
        ),
        ("a short point", with("jwk", json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }))),
        (
            "another curve",
            with("jwk", json!({ "kty": "EC", "crv": "P-384", "x": mine.jwk()["x"], "y": mine.jwk()["y"] })),
        ),
    ] {
        bad.push((what.to_owned(), mine.signed(&header, &claims(what))));
    }
    let fresh = mine.signed(&mine.header(), &claims("spelling"));
    for (what, text) in [
        ("nothing", String::new()),
        ("two parts", fresh.rsplit_once('.').unwrap().0.to_owned()),
        ("four parts", format!("{fresh}.x")),
        ("no signature", format!("{}.", fresh.rsplit_once('.').unwrap().0)),
        ("a signature of zeros", format!("{}.{}", fresh.rsplit_once('.').unwrap().0, encoded([0; 64]))),
        ("very long", "a".repeat(100_000)),
    ] {
        bad.push((what.to_owned(), text));
    }
    assert!(bad.len() > 40, "{}", bad.len());
    for (what, text) in bad {
        let taken = take(&text);
        assert!(taken.is_err(), "{what} is taken: {taken:?}");
    }
    take(&fresh).unwrap();
}

#[test]
fn a_proof_by_ed25519_is_taken_as_well() {
    let world = World::new(31, With::P256);
    let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(key.verifying_key().as_bytes()) });
    let header = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk });
    let claims = json!({ "jti": "1", "htm": "GET", "htu": URL, "iat": world.now().seconds(), "ath": hash("t") });
    let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let text = format!("{message}.{}", encoded(key.sign(message.as_bytes()).to_bytes()));
    let proof = TokenProof { text: &text, method: "GET", url: URL, token: "t", now: world.now() };
    world.tokens().take_proof(&proof).unwrap();
}

#[test]
fn nothing_made_before_the_server_began_is_taken() {
    let world = World::new(32, With::P256);
    let client = Client::new(4);
    let proof_at = |at: Value| {
        let claims = json!({ "jti": at.to_string(), "htm": "GET", "htu": URL, "iat": at, "ath": hash("t") });
        client.signed(&client.header(), &claims)
    };
    let take = |text: &str| {
        world.tokens().take_proof(&TokenProof { text, method: "GET", url: URL, token: "t", now: world.now() })
    };
    let exactly = world.now().minus(Span::from_secs(2));
    let began = exactly.seconds();
    for (at, taken) in [(began - 5, false), (began, false), (began + 1, true), (began + 2, true)] {
        assert_eq!(take(&proof_at(json!(at))).is_ok(), taken, "{} s after", at - began);
    }
    // Within that second, from whoever says it more closely.
    let of = |time: Time| Duration::from_micros(time.micros().try_into().unwrap()).as_secs_f64();
    let little = Span::from_micros(1_000);
    for (at, taken) in [(exactly.minus(little), false), (exactly.plus(little), true)] {
        assert_eq!(take(&proof_at(json!(of(at)))).is_ok(), taken, "{at:?}, and began at {exactly:?}");
    }
}
