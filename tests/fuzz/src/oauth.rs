//! What comes back of access tokens, what holders prove of their keys, and what is sent in forms.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use wane_kind_oauth::fuzzed;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use super::{CLAIMS, HEADER, PROOF, encoded};

    pub(crate) fn access_token() -> Vec<Vec<u8>> {
        vec![format!("{}.{}", encoded(HEADER), encoded(CLAIMS)).into_bytes(), PROOF.as_bytes().to_vec()]
    }

    pub(crate) fn key_proof() -> Vec<Vec<u8>> {
        vec![PROOF.as_bytes().to_vec(), format!("{}.{}.AA", encoded(HEADER), encoded(CLAIMS)).into_bytes()]
    }

    pub(crate) fn oauth_form() -> Vec<Vec<u8>> {
        [
            "token=a.b.c&token_type_hint=access_token",
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=x&scope=a+b&empty=",
            "token=a&token=b",
            "%ff=%00&&=&x",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    }
}

const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#;
const CLAIMS: &str = concat!(
    r#"{"iss":"https://wane.example","sub":"per_00000000000000000000000000","aud":"https://api.example","exp":1800000060,"#,
    r#""nbf":1800000000,"iat":1800000000,"jti":"tok_00000000000000000000000000_7","client_id":"wane","scope":"a b","#,
    r#""wane_grant":"grt_00000000000000000000000000","cnf":{"jkt":"x"}}"#
);
/// A proof by a throw-away key, as `wane token-proof` makes it.
const PROOF: &str = include_str!("oauth/proof.txt");

fn encoded(text: &str) -> String {
    BASE64URL_NOPAD.encode(text.as_bytes())
}

fn part(text: &str, at: usize) -> Value {
    let part = text.split('.').nth(at).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

pub(crate) fn access_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok((grant, audience, scope, exp)) = fuzzed::token(text) else { return };
    // What is read is what any reader of JSON finds there, and nothing is there besides.
    let (header, claims) = (part(text, 0), part(text, 1));
    assert_eq!((&header["typ"], header.as_object().unwrap().len()), (&Value::from("at+jwt"), 3));
    assert_eq!((&claims["wane_grant"], &claims["aud"]), (&Value::from(grant), &Value::from(audience)));
    assert_eq!((&claims["scope"], &claims["exp"]), (&Value::from(scope.clone()), &Value::from(exp)));
    assert!(claims["exp"].as_i64() > claims["iat"].as_i64());
    let scopes: Vec<&str> = scope.split(' ').collect();
    assert!(scopes.is_sorted() && scopes.iter().all(|one| !one.is_empty()), "{scopes:?}");
    assert!(fuzzed::proof(text).is_err(), "a token that is a proof");
}

pub(crate) fn key_proof(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok((_, method, address)) = fuzzed::proof(text) else { return };
    // Nobody without the key makes one: what is taken is what was signed, to the last byte before the signature.
    let (header, claims) = (part(text, 0), part(text, 1));
    assert_eq!(header["typ"], "dpop+jwt");
    assert!(header["jwk"].get("d").is_none(), "a private key was taken");
    assert_eq!((&claims["htm"], &claims["htu"]), (&Value::from(method), &Value::from(address)));
    assert_eq!(text.rsplit_once('.').unwrap().0, PROOF.rsplit_once('.').unwrap().0);
}

pub(crate) fn oauth_form(data: &[u8]) {
    let Some(form) = wane_http::fuzzed::form(data) else { return };
    assert!(form.values().all(|value| !value.is_empty()));
    // Written again by what any client writes it with, it is the same.
    let again: String = form.iter().map(|(name, value)| format!("{}={}&", escaped(name), escaped(value))).collect();
    assert_eq!(wane_http::fuzzed::form(again.trim_end_matches('&').as_bytes()), Some(form));
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
