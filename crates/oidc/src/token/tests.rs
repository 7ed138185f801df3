//! The corpus: tokens that are broken in one way each, and the one that is not.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use serde_json::{Map, json};

use super::*;

const ISSUER: &str = "https://login.example.org";
const CLIENT: &str = "wane";
const NONCE: &str = "n-0S6_WzA2Mj";
const ACCESS: &str = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
/// 2026-11-22T09:00:00Z, in seconds.
const NOW: u64 = 1_795_338_000;

fn now() -> Time {
    Time::from_micros(0).plus(Span::from_secs(NOW))
}

fn ours() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn theirs() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap()
}

fn public(pair: &Ed25519KeyPair) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "x": BASE64URL_NOPAD.encode(pair.public_key().as_ref()) })
}

fn keys() -> Keys {
    Keys::read(&json!({ "keys": [public(&ours())] }))
}

fn sealed(header: &str, claims: &str, pair: &Ed25519KeyPair) -> String {
    let body = format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
    let signature = BASE64URL_NOPAD.encode(pair.sign(body.as_bytes()).as_ref());
    format!("{body}.{signature}")
}

fn good_header() -> Value {
    json!({ "alg": "EdDSA", "kid": "k1", "typ": "JWT" })
}

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "248289761001", "aud": CLIENT, "exp": NOW + 300, "iat": NOW - 5, "nonce": NONCE,
        "auth_time": NOW - 30, "at_hash": half_hash(Algorithm::EdDSA, ACCESS),
    })
}

fn with(mut value: Value, name: &str, to: Value) -> Value {
    value.as_object_mut().unwrap().insert(name.to_owned(), to);
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

/// A token, with one thing about its claims changed.
fn claims(name: &str, to: Value) -> String {
    sealed(&good_header().to_string(), &with(good(), name, to).to_string(), &ours())
}

fn lacking(name: &str) -> String {
    sealed(&good_header().to_string(), &without(good(), name).to_string(), &ours())
}

fn headed(name: &str, to: Value) -> String {
    sealed(&with(good_header(), name, to).to_string(), &good().to_string(), &ours())
}

fn valid() -> String {
    sealed(&good_header().to_string(), &good().to_string(), &ours())
}

fn id() -> Sort<'static> {
    Sort::Identity { nonce: NONCE, access_token: Some(ACCESS) }
}

fn judged(token: &str, sort: &Sort<'_>) -> Result<Claims, TokenError> {
    check(token, &keys(), &Rules { issuer: ISSUER, client_id: CLIENT, now: now() }, sort)
}

/// What has been done to a token's parts after it was signed.
fn cut(change: impl Fn(&mut Vec<String>)) -> String {
    let mut parts: Vec<String> = valid().split('.').map(str::to_owned).collect();
    change(&mut parts);
    parts.join(".")
}

fn secret_signed(alg: &str, secret: &[u8]) -> String {
    let header = with(good_header(), "alg", json!(alg)).to_string();
    let body = format!(
        "{}.{}",
        BASE64URL_NOPAD.encode(header.as_bytes()),
        BASE64URL_NOPAD.encode(good().to_string().as_bytes())
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), body.as_bytes());
    format!("{body}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

fn raw_claims(change: impl Fn(String) -> String) -> String {
    sealed(&good_header().to_string(), &change(good().to_string()), &ours())
}

fn corpus() -> Vec<(&'static str, String)> {
    let event = json!({ LOGOUT: {} });
    let evil = json!("https://evil.example/keys");
    let first =
        |parts: &mut Vec<String>, header: Value| parts[0] = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    vec![
        ("another issuer", claims("iss", json!("https://evil.example"))),
        ("the issuer with a slash", claims("iss", json!("https://login.example.org/"))),
        ("the issuer in capitals", claims("iss", json!("https://LOGIN.example.org"))),
        ("the issuer in a list", claims("iss", json!([ISSUER]))),
        ("no issuer", lacking("iss")),
        ("an empty issuer", claims("iss", json!(""))),
        ("another audience", claims("aud", json!("other"))),
        ("the audience in capitals", claims("aud", json!("WANE"))),
        ("an audience that begins so", claims("aud", json!("wane2"))),
        ("no audience", lacking("aud")),
        ("an empty list of audiences", claims("aud", json!([]))),
        ("audiences without us", claims("aud", json!(["a", "b"]))),
        ("audiences with us and nobody authorised", claims("aud", json!([CLIENT, "other"]))),
        ("an audience that is an object", claims("aud", json!({ CLIENT: true }))),
        ("an audience beside a number", claims("aud", json!([CLIENT, 1]))),
        ("somebody else authorised", claims("azp", json!("other"))),
        ("a number authorised", claims("azp", json!(1))),
        ("expired", claims("exp", json!(NOW - 61))),
        ("expired long ago", claims("exp", json!(1))),
        ("no expiry", lacking("exp")),
        ("an expiry as a text", claims("exp", json!((NOW + 300).to_string()))),
        ("an expiry of nothing", claims("exp", json!(null))),
        ("a negative expiry", claims("exp", json!(-1))),
        ("an endless expiry", raw_claims(|c| c.replace(&(NOW + 300).to_string(), "1e300"))),
        ("an expiry in a list", claims("exp", json!([NOW + 300]))),
        ("an expiry that is true", claims("exp", json!(true))),
        ("not yet good", claims("nbf", json!(NOW + 61))),
        ("not yet good, as a text", claims("nbf", json!("tomorrow"))),
        ("made in the future", claims("iat", json!(NOW + 61))),
        ("made long ago", claims("iat", json!(NOW - 601))),
        ("not made at all", lacking("iat")),
        ("made at a text", claims("iat", json!("now"))),
        ("proved after it was made", claims("auth_time", json!(NOW + 600))),
        ("proved at a text", claims("auth_time", json!("now"))),
        ("another nonce", claims("nonce", json!("n-0S6_WzA2Mk"))),
        ("no nonce", lacking("nonce")),
        ("an empty nonce", claims("nonce", json!(""))),
        ("a nonce in a list", claims("nonce", json!([NONCE]))),
        ("nobody", lacking("sub")),
        ("an empty subject", claims("sub", json!(""))),
        ("a subject that is a number", claims("sub", json!(248))),
        ("a subject with a line in it", claims("sub", json!("a\nb"))),
        ("a subject that is too long", claims("sub", json!("x".repeat(256)))),
        ("of another access token", claims("at_hash", json!(half_hash(Algorithm::EdDSA, "other")))),
        ("hashed in another way", claims("at_hash", json!(half_hash(Algorithm::ES256, ACCESS)))),
        ("a hash that is a number", claims("at_hash", json!(1))),
        ("a sign-out", claims("events", event)),
        (
            "unsigned, as none",
            cut(|p| {
                first(p, json!({ "alg": "none" }));
                p[2].clear()
            }),
        ),
        ("unsigned, as None", cut(|p| first(p, json!({ "alg": "None", "kid": "k1" })))),
        ("the signature left out", cut(|p| p[2].clear())),
        (
            "the signature cut",
            cut(|p| {
                p[2].pop();
                p[2].pop();
            }),
        ),
        ("the signature of another token", cut(|p| p[2] = lacking("sub").split('.').next_back().unwrap().to_owned())),
        (
            "a bit changed in the claims",
            cut(|p| p[1] = BASE64URL_NOPAD.encode(with(good(), "sub", json!("0")).to_string().as_bytes())),
        ),
        ("another's key", sealed(&good_header().to_string(), &good().to_string(), &theirs())),
        ("signed with the public key as a secret", secret_signed("HS256", ours().public_key().as_ref())),
        ("signed with a secret under our name", secret_signed("EdDSA", ours().public_key().as_ref())),
        ("signed with nothing as a secret", secret_signed("HS256", b"")),
        ("an algorithm that is not taken", headed("alg", json!("ES384"))),
        ("an algorithm in small letters", headed("alg", json!("eddsa"))),
        ("an algorithm of the key's other sort", headed("alg", json!("RS256"))),
        ("no algorithm", sealed(&without(good_header(), "alg").to_string(), &good().to_string(), &ours())),
        ("an algorithm in a list", headed("alg", json!(["EdDSA"]))),
        ("a key nobody published", headed("kid", json!("k2"))),
        ("a key by path", headed("kid", json!("../../k1"))),
        ("a key that is a number", headed("kid", json!(1))),
        ("keys from elsewhere", headed("jku", evil.clone())),
        ("a certificate from elsewhere", headed("x5u", evil)),
        ("a key of its own", headed("jwk", public(&theirs()))),
        ("a certificate of its own", headed("x5c", json!(["MII"]))),
        ("something critical", headed("crit", json!(["exp"]))),
        ("nothing critical", headed("crit", json!([]))),
        ("not encoded", headed("b64", json!(false))),
        ("compressed", headed("zip", json!("DEF"))),
        ("encrypted", headed("enc", json!("A256GCM"))),
        ("an access token", headed("typ", json!("at+jwt"))),
        ("a logout token", headed("typ", json!("logout+jwt"))),
        ("a type that is a number", headed("typ", json!(1))),
        ("a token in a token", headed("cty", json!("JWT"))),
        ("two issuers", raw_claims(|c| c.replacen('{', "{\"iss\":\"https://evil.example\",", 1))),
        ("two nonces", raw_claims(|c| c.replacen('{', "{\"nonce\":\"another\",", 1))),
        ("two subjects", raw_claims(|c| c.replacen('{', "{\"sub\":\"root\",", 1))),
        ("two algorithms", sealed("{\"alg\":\"none\",\"alg\":\"EdDSA\",\"kid\":\"k1\"}", &good().to_string(), &ours())),
        ("claims in a list", raw_claims(|c| format!("[{c}]"))),
        ("claims and something after", raw_claims(|c| format!("{c} {{}}"))),
        ("claims that are no JSON", raw_claims(|_| "sub=1".to_owned())),
        ("four parts", format!("{}.x", valid())),
        ("two parts", valid().rsplit_once('.').unwrap().0.to_owned()),
        ("a space before", format!(" {}", valid())),
        ("a line after", format!("{}\n", valid())),
        ("padded", cut(|p| p[2].push('='))),
        ("in the other alphabet", cut(|p| p[2] = p[2].replace(['-', '_'], "+"))),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("a megabyte", claims("more", json!("x".repeat(1 << 20)))),
        ("the one", valid()),
    ]
}

#[test]
fn of_all_the_tokens_one_is_believed() {
    let corpus = corpus();
    assert!(corpus.len() > 60, "{}", corpus.len());
    let different: BTreeSet<&str> = corpus.iter().map(|(_, token)| token.as_str()).collect();
    assert_eq!(different.len(), corpus.len(), "each is broken in its own way");
    let believed: Vec<&str> =
        corpus.iter().filter(|(_, token)| judged(token, &id()).is_ok()).map(|(what, _)| *what).collect();
    assert_eq!(believed, ["the one"]);
    // Nor is any of them, or the good one, a word that somebody signed out.
    for (what, token) in &corpus {
        assert!(judged(token, &Sort::Logout).is_err(), "{what}");
    }
}

/// What GitHub documents that its tokens say, made for us.
fn good_job() -> Value {
    json!({
        "jti": "example-id", "sub": "repo:octo-org/octo-repo:environment:prod", "environment": "prod", "aud": CLIENT,
        "ref": "refs/heads/main", "repository": "octo-org/octo-repo", "repository_id": "74", "run_id": "7",
        "event_name": "workflow_dispatch", "iss": ISSUER, "nbf": NOW - 605, "exp": NOW + 295, "iat": NOW - 5,
    })
}

fn job_token(change: impl FnOnce(Value) -> Value) -> String {
    let header = with(good_header(), "x5t", json!("example-thumbprint")).to_string();
    sealed(&header, &change(good_job()).to_string(), &ours())
}

const JOB: Sort<'static> = Sort::Job { algorithms: &[Algorithm::EdDSA, Algorithm::RS256] };

/// The same corpus as tokens about jobs: whatever was broken for people is broken for them, and so is more.
#[test]
fn of_all_the_tokens_about_jobs_one_is_believed() {
    let people = [
        "no nonce",
        "an empty nonce",
        "another nonce",
        "a nonce in a list",
        "proved",
        "hash",
        "access token",
        "made long ago",
    ];
    for (what, token) in corpus() {
        assert!(judged(&token, &JOB).is_err(), "{what}: a token about a person");
        // Without what makes it a person's, it has nothing wrong but what it was broken in.
        let parts: Vec<&str> = token.split('.').collect();
        let decoded = |at: usize| parts.get(at).and_then(|part| BASE64URL_NOPAD.decode(part.as_bytes()).ok());
        let (Some(header), Some(claims), 3) = (decoded(0), decoded(1), parts.len()) else { continue };
        let (Ok(header), Ok(mut claims)) = (String::from_utf8(header), serde_json::from_slice::<Value>(&claims)) else {
            continue;
        };
        let by_us = sealed(&header, &serde_json::to_string(&claims).unwrap(), &ours()) == token;
        let Some(members) = claims.as_object_mut().filter(|_| by_us) else { continue };
        ["nonce", "at_hash", "auth_time"].iter().for_each(|name| drop(members.remove(*name)));
        let said = judged(&sealed(&header, &claims.to_string(), &ours()), &JOB);
        let good = what == "the one" || people.iter().any(|word| what.contains(word)) && what != "an access token";
        assert_eq!(said.is_ok(), good, "{what}: {said:?}");
    }
    let now = |value: u64| json!(value);
    for (what, token) in [
        ("for two", job_token(|c| with(with(c, "aud", json!([CLIENT, "other"])), "azp", json!(CLIENT)))),
        ("for us twice", job_token(|c| with(c, "aud", json!([CLIENT, CLIENT])))),
        ("good for more than a day", job_token(|c| with(c, "exp", now(NOW + 86_400)))),
        ("good for ever", job_token(|c| with(c, "exp", now(1 << 36)))),
        ("made more than an hour ago", job_token(|c| with(c, "iat", now(NOW - 3_601)))),
        ("no subject", job_token(|c| without(c, "sub"))),
        ("no name of its own but an empty one", job_token(|c| with(c, "jti", json!("")))),
        ("a name that is a number", job_token(|c| with(c, "jti", json!(7)))),
        ("a person's", job_token(|c| with(c, "nonce", json!(NONCE)))),
        ("a sign-out", job_token(|c| with(c, "events", json!({ LOGOUT: {} })))),
        ("not yet good", job_token(|c| with(c, "nbf", now(NOW + 61)))),
        ("expired", job_token(|c| with(c, "exp", now(NOW - 61)))),
    ] {
        assert!(judged(&token, &JOB).is_err(), "{what}");
    }
    for (what, token) in [
        ("as GitHub documents it", job_token(|c| c)),
        ("a list of us", job_token(|c| with(c, "aud", json!([CLIENT])))),
        ("no name of its own", job_token(|c| without(c, "jti"))),
        ("made most of an hour ago", job_token(|c| with(with(c, "iat", now(NOW - 3_500)), "exp", now(NOW + 100)))),
    ] {
        assert!(judged(&token, &JOB).is_ok(), "{what}: {:?}", judged(&token, &JOB));
    }
    let only_rsa = Sort::Job { algorithms: &[Algorithm::RS256] };
    assert!(judged(&job_token(|c| c), &only_rsa).is_err(), "signed in a way that is not allowed of this issuer");
    assert!(judged(&job_token(|c| c), &id()).is_err() && judged(&job_token(|c| c), &Sort::Logout).is_err());
}

/// Of a signature on P-256 everybody can make a second one that holds. It is the same token, whatever it looks like.
#[test]
#[expect(
    clippy::disallowed_types,
    reason = "these signatures are made with chance, which a test may take from the machine"
)]
fn a_token_with_another_signature_is_the_same_token() {
    let rng = aws_lc_rs::rand::SystemRandom::new();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = ec.public_key().as_ref().to_vec();
    let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "e", "x": BASE64URL_NOPAD.encode(&point[1..33]), "y": BASE64URL_NOPAD.encode(&point[33..]) }] });
    let header = BASE64URL_NOPAD.encode(json!({ "alg": "ES256", "kid": "e" }).to_string().as_bytes());
    let body = format!("{header}.{}", BASE64URL_NOPAD.encode(without(good_job(), "jti").to_string().as_bytes()));
    let signature = ec.sign(&rng, body.as_bytes()).unwrap().as_ref().to_vec();
    // The order of P-256, less `s`.
    let order =
        data_encoding::HEXLOWER.decode(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let (mut other, mut borrow) = (signature.clone(), 0i16);
    for at in (0..32).rev() {
        let digit = i16::from(order[at]) - i16::from(signature[32 + at]) - borrow;
        borrow = i16::from(digit < 0);
        other[32 + at] = u8::try_from(digit + 256 * borrow).unwrap();
    }
    let settings = crate::JobIssuerSettings {
        issuer: ISSUER.to_owned(),
        audience: CLIENT.to_owned(),
        algorithms: vec!["ES256"],
        ca_pem: None,
        keys: Some(keys),
    };
    let issuer = crate::JobIssuer::new(settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let name = |signature: &[u8]| {
        let token = format!("{body}.{}", BASE64URL_NOPAD.encode(signature));
        runtime.block_on(issuer.check(&token, now())).unwrap().name
    };
    assert_ne!(signature, other);
    assert_eq!(name(&signature), name(&other));
}

#[test]
fn what_may_vary_may_vary() {
    for (what, token) in [
        ("a list of us", claims("aud", json!([CLIENT]))),
        ("us authorised", claims("azp", json!(CLIENT))),
        ("for several, made for us", {
            let both = with(with(good(), "aud", json!(["other", CLIENT])), "azp", json!(CLIENT));
            sealed(&good_header().to_string(), &both.to_string(), &ours())
        }),
        ("clocks a little apart", claims("iat", json!(NOW + 59))),
        ("expired a moment ago", claims("exp", json!(NOW - 59))),
        ("a broken second", claims("exp", json!(1_795_338_300.25))),
        ("good since", claims("nbf", json!(NOW))),
        ("no hash", lacking("at_hash")),
        ("no type", sealed(&without(good_header(), "typ").to_string(), &good().to_string(), &ours())),
        ("no key named", sealed(&without(good_header(), "kid").to_string(), &good().to_string(), &ours())),
    ] {
        assert!(judged(&token, &id()).is_ok(), "{what}: {:?}", judged(&token, &id()));
    }
    let no_token = Sort::Identity { nonce: NONCE, access_token: None };
    assert!(judged(&valid(), &no_token).is_err(), "a hash of what did not come");
    let no_nonce = Sort::Identity { nonce: "", access_token: Some(ACCESS) };
    assert!(judged(&claims("nonce", json!("")), &no_nonce).is_err(), "nothing was asked with no nonce");
}

#[test]
fn a_sign_out_is_believed_as_that_alone() {
    let base = json!({
        "iss": ISSUER, "sub": "248289761001", "aud": CLIENT, "exp": NOW + 120, "iat": NOW, "jti": "bWJq", "sid": "08a5",
        "events": { LOGOUT: {} },
    });
    let out = |claims: &Value, typ: &str| {
        sealed(&with(good_header(), "typ", json!(typ)).to_string(), &claims.to_string(), &ours())
    };
    for (what, claims, typ) in [
        ("whole", base.clone(), "logout+jwt"),
        ("in an older form", base.clone(), "JWT"),
        ("no session", without(base.clone(), "sid"), "logout+jwt"),
        ("nobody", without(base.clone(), "sub"), "logout+jwt"),
    ] {
        assert!(judged(&out(&claims, typ), &Sort::Logout).is_ok(), "{what}");
        assert!(judged(&out(&claims, typ), &id()).is_err(), "{what}");
    }
    for (what, claims, typ) in [
        ("neither", without(without(base.clone(), "sub"), "sid"), "logout+jwt"),
        ("with a nonce", with(base.clone(), "nonce", json!(NONCE)), "logout+jwt"),
        ("no events", without(base.clone(), "events"), "logout+jwt"),
        ("another event", with(base.clone(), "events", json!({ "x": {} })), "logout+jwt"),
        ("the event as a text", with(base.clone(), "events", json!(LOGOUT)), "logout+jwt"),
        ("the event with no object", with(base.clone(), "events", json!({ LOGOUT: 1 })), "logout+jwt"),
        ("no name of its own", without(base.clone(), "jti"), "logout+jwt"),
        ("an empty name", with(base.clone(), "jti", json!("")), "logout+jwt"),
        ("for another", with(base.clone(), "aud", json!("other")), "logout+jwt"),
        ("from another", with(base.clone(), "iss", json!("https://evil.example")), "logout+jwt"),
        ("old", with(base.clone(), "iat", json!(NOW - 601)), "logout+jwt"),
        ("an access token", base.clone(), "at+jwt"),
    ] {
        assert!(judged(&out(&claims, typ), &Sort::Logout).is_err(), "{what}");
    }
}

#[test]
#[expect(
    clippy::disallowed_types,
    reason = "these signatures are made with chance, which a test may take from the machine"
)]
fn each_algorithm_that_is_taken_is_checked_with_its_own_key() {
    let rng = aws_lc_rs::rand::SystemRandom::new();
    let rsa = RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let n = rsa.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let e = rsa.public_key().exponent().big_endian_without_leading_zero().to_vec();
    let point = ec.public_key().as_ref().to_vec();
    let keys = Keys::read(&json!({ "keys": [
        { "kty": "RSA", "kid": "r", "n": BASE64URL_NOPAD.encode(&n), "e": BASE64URL_NOPAD.encode(&e) },
        { "kty": "EC", "crv": "P-256", "kid": "e", "x": BASE64URL_NOPAD.encode(&point[1..33]), "y": BASE64URL_NOPAD.encode(&point[33..]) },
        public(&ours()),
    ] }));
    assert_eq!(keys.len(), 3);
    let sign = |alg: &str, kid: &str, by: &str| {
        let claims = without(good(), "at_hash").to_string();
        let header = json!({ "alg": alg, "kid": kid }).to_string();
        let body =
            format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
        let mut signature = vec![0; rsa.public_modulus_len()];
        match by {
            "RS256" => rsa.sign(&RSA_PKCS1_SHA256, &rng, body.as_bytes(), &mut signature).unwrap(),
            "PS256" => rsa.sign(&RSA_PSS_SHA256, &rng, body.as_bytes(), &mut signature).unwrap(),
            "ES256" => signature = ec.sign(&rng, body.as_bytes()).unwrap().as_ref().to_vec(),
            _ => signature = ours().sign(body.as_bytes()).as_ref().to_vec(),
        }
        format!("{body}.{}", BASE64URL_NOPAD.encode(&signature))
    };
    let rules = Rules { issuer: ISSUER, client_id: CLIENT, now: now() };
    let all = [("RS256", "r"), ("PS256", "r"), ("ES256", "e"), ("EdDSA", "k1")];
    for (alg, kid) in all {
        for (by, _) in all {
            for (_, named) in all {
                let good = alg == by && named == kid;
                let said = check(&sign(alg, named, by), &keys, &rules, &id());
                assert_eq!(said.is_ok(), good, "{alg} by {by} with {named}: {said:?}");
            }
        }
    }
}

#[test]
fn every_claim_that_counts_is_kept_as_it_was_said() {
    let claims = judged(&claims("groups", json!(["Ops", "dev"])), &id()).unwrap();
    assert_eq!(claims.texts("groups"), ["Ops", "dev"], "no letter of a name is changed");
    let _: &Map<String, Value> = &claims.0.0;
}
