//! Tokens of a provider: of all texts one is believed, the one that was signed.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wane_domain::time::{Span, Time};
use wane_oidc::fuzzed::{Algorithm, Keys, Rules, Sort, check};
use wane_oidc::issuer_of;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use serde_json::json;

    use super::{JOB, SIGNED, claims, header, job, signed};

    pub(crate) fn oidc_token() -> Vec<Vec<u8>> {
        let mut odd = header();
        odd["kid"] = json!("k2");
        let none = json!({ "alg": "none", "typ": "JWT" });
        let others = [signed(&odd, &claims()), signed(&none, &claims()), signed(&header(), &json!({ "sub": "1" }))];
        others.into_iter().chain([SIGNED.token.clone(), "..".to_owned()]).map(String::into_bytes).collect()
    }

    pub(crate) fn job_token() -> Vec<Vec<u8>> {
        let with = |key: &str, value: serde_json::Value| {
            let mut claims = job();
            claims[key] = value;
            signed(&header(), &claims)
        };
        let several = with("aud", json!(["wane", "other"]));
        let others =
            [several, with("nonce", json!("n")), with("exp", json!(1)), signed(&json!({ "alg": "none" }), &job())];
        others.into_iter().chain([JOB.clone()]).map(String::into_bytes).collect()
    }
}

const ISSUER: &str = "https://login.example.org";
const NOW: u64 = 1_795_338_000;

struct Signed {
    token: String,
    keys: Keys,
}

static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let x = BASE64URL_NOPAD.encode(pair().public_key().as_ref());
    let keys = Keys::read(&json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x }] }));
    Signed { token: signed(&header(), &claims()), keys }
});

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "k1", "typ": "JWT" })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "1", "aud": "wane", "exp": NOW + 300, "iat": NOW, "nonce": "n" })
}

/// What a job says of itself, and its one token.
fn job() -> Value {
    json!({
        "iss": ISSUER, "sub": "repo:octo-org/octo-repo:environment:prod", "aud": "wane", "exp": NOW + 300, "iat": NOW,
        "jti": "1", "repository_id": "74",
    })
}

static JOB: LazyLock<String> = LazyLock::new(|| signed(&header(), &job()));

fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let body = format!("{}.{}", part(header), part(claims));
    let signature = BASE64URL_NOPAD.encode(pair().sign(body.as_bytes()).as_ref());
    format!("{body}.{signature}")
}

pub(crate) fn oidc_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now = Time::from_micros(0).plus(Span::from_secs(NOW));
    let rules = Rules { issuer: ISSUER, client_id: "wane", now };
    let identity = Sort::Identity { nonce: "n", access_token: None };
    let believed = check(&text, &SIGNED.keys, &rules, &identity);
    assert_eq!(believed.is_ok(), text == SIGNED.token, "{believed:?}");
    assert!(check(&text, &SIGNED.keys, &rules, &Sort::Logout).is_err(), "it says that nobody signed out");
}

pub(crate) fn job_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now = Time::from_micros(0).plus(Span::from_secs(NOW));
    let rules = Rules { issuer: ISSUER, client_id: "wane", now };
    let believed = check(&text, &SIGNED.keys, &rules, &Sort::Job { algorithms: &[Algorithm::EdDSA] });
    assert_eq!(believed.is_ok(), text == *JOB, "{believed:?}");
    // Whose it says it is, before anything is believed: what that is asked of is the issuer alone.
    assert!(issuer_of(&text).is_some_and(|said| said == ISSUER) || believed.is_err());
    let other = check(&text, &SIGNED.keys, &rules, &Sort::Job { algorithms: &[Algorithm::ES256] });
    assert!(other.is_err(), "signed in a way that its issuer does not");
    let identity = Sort::Identity { nonce: "n", access_token: None };
    assert!(text != *JOB || check(&text, &SIGNED.keys, &rules, &identity).is_err(), "it says who somebody is");
}
