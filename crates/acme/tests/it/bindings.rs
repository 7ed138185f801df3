//! Which bindings are good.

use serde_json::{Value, json};
use wane_acme::{Binding, Sort};

use crate::client::{Client, bound, encoded, sort};

const URL: &str = "https://wane.example/acme/new-account";
const SECRET: [u8; 32] = [7; 32];

#[test]
fn a_binding_binds_one_key_at_one_address() {
    let (mine, other) = (Client::p256(1), Client::p256(2));
    let key = mine.key();
    let good = |given: &Value| Binding::read(given).and_then(|binding| binding.is_good(&SECRET, URL, &key));
    for alg in ["HS256", "HS384", "HS512"] {
        good(&bound(alg, "kid", URL, &mine.jwk(), &SECRET)).unwrap();
    }
    assert_eq!(Binding::read(&bound("HS256", "kid", URL, &mine.jwk(), &SECRET)).unwrap().kid(), "kid");
    // The same key said otherwise is the same key.
    let mut said = mine.jwk();
    said["use"] = json!("sig");
    good(&bound("HS256", "kid", URL, &said, &SECRET)).unwrap();
    let honest = bound("HS256", "kid", URL, &mine.jwk(), &SECRET);
    let with = |name: &str, value: Value| {
        let mut binding = honest.clone();
        binding[name] = value;
        binding
    };
    let header = |header: Value| with("protected", json!(encoded(header.to_string())));
    for (what, binding, why) in [
        ("of another secret", bound("HS256", "kid", URL, &mine.jwk(), &[8; 32]), Sort::Unauthorized),
        ("of no secret", bound("HS256", "kid", URL, &mine.jwk(), &[]), Sort::Unauthorized),
        ("for elsewhere", bound("HS256", "kid", "https://other.example/", &mine.jwk(), &SECRET), Sort::Unauthorized),
        ("of another's key", bound("HS256", "kid", URL, &other.jwk(), &SECRET), Sort::Unauthorized),
        ("of no key", bound("HS256", "kid", URL, &json!({}), &SECRET), Sort::Unauthorized),
        ("with another key put in", with("payload", json!(encoded(other.jwk().to_string()))), Sort::Unauthorized),
        ("with a signature", with("signature", json!("")), Sort::Unauthorized),
        ("without algorithm", header(json!({ "alg": "none", "kid": "kid", "url": URL })), Sort::Malformed),
        ("with a signature's algorithm", header(json!({ "alg": "ES256", "kid": "kid", "url": URL })), Sort::Malformed),
        ("with a nonce", header(json!({ "alg": "HS256", "kid": "kid", "url": URL, "nonce": "n" })), Sort::Malformed),
        ("without a key identifier", header(json!({ "alg": "HS256", "url": URL })), Sort::Malformed),
        (
            "with something critical",
            header(json!({ "alg": "HS256", "kid": "k", "url": URL, "crit": [] })),
            Sort::Malformed,
        ),
        ("that is none", json!("x"), Sort::Malformed),
    ] {
        assert_eq!(sort(good(&binding)), why, "{what}");
    }
}
