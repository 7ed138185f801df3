//! Which calls are believed.

use aws_lc_rs::rsa::KeySize;
use serde_json::{Value, json};
use wane_acme::{AccountUpdate, By, Call, Change, Finalize, Identifier, LONGEST, NewOrder, Refused, Revoke, Sort};

use crate::client::{Client, encoded, sort};

const URL: &str = "https://wane.example/acme/new-account";

fn read(call: &Value) -> Result<Call, Refused> {
    Call::read(call.to_string().as_bytes())
}

/// Reads a call that brings its key, and checks it with that.
fn believed(call: &Value) -> Result<Call, Refused> {
    let call = read(call)?;
    call.is_for(URL)?;
    match call.by() {
        By::Key(key) => call.is_signed_by(key)?,
        By::Account(_) => panic!("it has a key"),
    }
    Ok(call)
}

#[test]
fn of_all_the_calls_one_is_believed() {
    for client in [Client::p256(1), Client::ed25519(2), Client::rsa(KeySize::Rsa2048)] {
        let header = |change: &dyn Fn(&mut Value)| {
            let mut header = json!({ "alg": client.alg(), "jwk": client.jwk(), "nonce": "n", "url": URL });
            change(&mut header);
            header
        };
        let set = |name: &'static str, value: Value| {
            let header = header(&|header| header[name] = value.clone());
            client.signed(&header, "{}")
        };
        let good = client.signed(&header(&|_| {}), "{}");
        let call = believed(&good).unwrap();
        assert_eq!((call.nonce(), call.is_asking()), ("n", false));
        // What nobody knows is not read, wherever it stands.
        let mut more = set("typ", json!("JWT"));
        more["more"] = json!({ "of": "this" });
        believed(&more).unwrap();
        let other = if client.alg() == "ES256" { "EdDSA" } else { "ES256" };
        let without = |name: &str| {
            let header = header(&|header| drop(header.as_object_mut().unwrap().remove(name)));
            client.signed(&header, "{}")
        };
        let with = |name: &str, value: Value| {
            let mut call = good.clone();
            call[name] = value;
            call
        };
        let signature = good["signature"].as_str().unwrap();
        for (what, call, why) in [
            ("no algorithm at all", set("alg", json!("none")), Sort::BadSignatureAlgorithm),
            ("a code instead of a signature", set("alg", json!("HS256")), Sort::BadSignatureAlgorithm),
            ("an algorithm nobody needs", set("alg", json!("RS1")), Sort::BadSignatureAlgorithm),
            ("an algorithm of another key", set("alg", json!(other)), Sort::BadSignatureAlgorithm),
            ("for elsewhere", set("url", json!("https://wane.example/acme/new-order")), Sort::Unauthorized),
            ("for elsewhere with us in it", set("url", json!(format!("{URL}/"))), Sort::Unauthorized),
            ("for nowhere", without("url"), Sort::Malformed),
            ("without a nonce", without("nonce"), Sort::BadNonce),
            ("without a key", without("jwk"), Sort::Malformed),
            ("with a key and an account", set("kid", json!("https://wane.example/acme/account/x")), Sort::Malformed),
            ("with something critical", set("crit", json!(["b64"])), Sort::Malformed),
            ("unencoded", set("b64", json!(false)), Sort::Malformed),
            ("with a header that nobody signed", with("header", json!({ "kid": "x" })), Sort::Malformed),
            ("with several signatures", with("signatures", json!([])), Sort::Malformed),
            ("with another payload", with("payload", json!(encoded("{\"a\":1}"))), Sort::Malformed),
            ("padded", with("payload", json!("e30=")), Sort::Malformed),
            (
                "with a signature that is cut short",
                with("signature", json!(signature[..40].to_owned())),
                Sort::Malformed,
            ),
            ("without a signature", with("signature", json!("")), Sort::Malformed),
            ("that is a list", json!([good]), Sort::Malformed),
            ("with a payload that is no text", with("payload", json!({})), Sort::Malformed),
        ] {
            assert_eq!(sort(believed(&call)), why, "{}: {what}", client.alg());
        }
        let (mut one, other) = (good.clone(), Client::p256(9));
        one["protected"] = json!(encoded(header(&|header| header["jwk"] = other.jwk()).to_string()));
        assert!(believed(&one).is_err(), "another's key");
        let elsewhere = Client::p256(7).key();
        assert!(call.is_signed_by(&elsewhere).is_err());
        let twice = good.to_string().replacen('{', "{\"payload\":\"e30\",", 1);
        assert_eq!(sort(Call::read(twice.as_bytes())), Sort::Malformed, "said twice");
        assert_eq!(sort(Call::read(&vec![b' '; LONGEST + 1])), Sort::Malformed);
        assert_eq!(sort(Call::read("[".repeat(5000).as_bytes())), Sort::Malformed);
        assert_eq!(sort(Call::read(b"\xff{}")), Sort::Malformed);
    }
}

#[test]
fn an_account_says_where_it_is() {
    let client = Client::p256(3);
    let header = json!({ "alg": "ES256", "kid": "https://wane.example/acme/account/x", "nonce": "n", "url": URL });
    let call = read(&client.signed(&header, "")).unwrap();
    assert!(matches!(call.by(), By::Account(kid) if kid == "https://wane.example/acme/account/x") && call.is_asking());
    call.is_signed_by(&client.key()).unwrap();
    assert!(call.is_signed_by(&Client::p256(4).key()).is_err());
    assert!(call.is_signed_by(&Client::rsa(KeySize::Rsa2048).key()).is_err(), "whose algorithm is another");
}

#[test]
fn a_key_takes_anothers_place_if_both_say_so() {
    const CHANGE: &str = "https://wane.example/acme/key-change";
    let (old, new) = (Client::p256(5), Client::ed25519(6));
    let thumbprint = old.key().thumbprint().to_owned();
    let account = "https://wane.example/acme/account/x";
    let says = json!({ "account": account, "oldKey": old.jwk() });
    let good = new.inside(CHANGE, &says);
    let key = Change::read(&good, CHANGE).unwrap().takes_place_of(account, &thumbprint).unwrap();
    assert_eq!(key.thumbprint(), new.key().thumbprint());
    let taken = |inside: &Value| Change::read(inside, CHANGE).and_then(|c| c.takes_place_of(account, &thumbprint));
    // Signed with the old key only, in the new one's name.
    let mut stolen = old.inside(CHANGE, &says);
    stolen["protected"] = good["protected"].clone();
    assert!(taken(&stolen).is_err());
    let nonce = json!({ "alg": "EdDSA", "jwk": new.jwk(), "url": CHANGE, "nonce": "n" });
    let kid = json!({ "alg": "EdDSA", "kid": account, "url": CHANGE });
    for (what, inside) in [
        ("for elsewhere", new.inside(URL, &says)),
        ("of another account", new.inside(CHANGE, &json!({ "account": format!("{account}y"), "oldKey": old.jwk() }))),
        ("of another key", new.inside(CHANGE, &json!({ "account": account, "oldKey": Client::p256(8).jwk() }))),
        ("without the old key", new.inside(CHANGE, &json!({ "account": account }))),
        ("with a nonce", new.signed(&nonce, &says.to_string())),
        ("by an account", new.signed(&kid, &says.to_string())),
        ("nothing", json!({})),
    ] {
        assert!(taken(&inside).is_err(), "{what}");
    }
}

#[test]
fn what_is_said_is_read_strictly_where_it_counts() {
    let says = |payload: &Value| {
        let client = Client::p256(1);
        let header = json!({ "alg": "ES256", "jwk": client.jwk(), "nonce": "n", "url": URL });
        read(&client.signed(&header, &payload.to_string())).unwrap()
    };
    let names = |given: Value| says(&given).says::<NewOrder>().and_then(|order| order.names());
    let dns = |name: &str| json!({ "type": "dns", "value": name });
    let both = json!({ "identifiers": [dns("b.example"), { "type": "ip", "value": "192.0.2.7" }, dns("A.example"), dns("a.example")], "unknown": 1 });
    let read = names(both).unwrap();
    let of = |name: &str| Identifier::Dns(name.to_owned());
    assert_eq!(read, [of("a.example"), of("b.example"), Identifier::Ip([192, 0, 2, 7].into())]);
    let many: Vec<Value> = (0..40).map(|n| dns(&format!("n{n}.example"))).collect();
    for (given, why) in [
        (json!({ "identifiers": [] }), Sort::Malformed),
        (json!({ "identifiers": many }), Sort::Malformed),
        (json!({}), Sort::Malformed),
        (json!({ "identifiers": [{ "type": "email", "value": "a@b" }] }), Sort::UnsupportedIdentifier),
        (json!({ "identifiers": [{ "type": "ip", "value": "192.0.2" }] }), Sort::Malformed),
        (json!({ "identifiers": [dns(&"x".repeat(300))] }), Sort::Malformed),
        (json!({ "identifiers": [dns("a")], "notAfter": "2040-01-01T00:00:00Z" }), Sort::Malformed),
    ] {
        assert_eq!(sort(names(given.clone())), why, "{given:.80}");
    }
    let replaces = |text: &str| {
        let order = says(&json!({ "identifiers": [dns("a")], "replaces": text })).says::<NewOrder>()?;
        order.replaces().map(|replaces| replaces.map(str::to_owned))
    };
    let known = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
    assert_eq!(replaces(known), Ok(Some(known.to_owned())));
    assert_eq!(says(&json!({ "identifiers": [dns("a")] })).says::<NewOrder>().unwrap().replaces(), Ok(None));
    for other in
        ["", ".", "AAAA", "AAAA.", ".AAAA", "AAAA.BBBB.CCCC", "AA+A.BBBB", &format!("AAAA.{}", "A".repeat(124))]
    {
        assert_eq!(sort(replaces(other)), Sort::Malformed, "{other}");
    }
    let gives_up = |given: Value| says(&given).says::<AccountUpdate>().and_then(|update| update.gives_up());
    assert_eq!(gives_up(json!({ "contact": ["mailto:a@b"] })), Ok(false));
    assert_eq!(gives_up(json!({ "status": "deactivated" })), Ok(true));
    assert!(gives_up(json!({ "status": "revoked" })).is_err());
    let reason = |given: Value| says(&given).says::<Revoke>().and_then(|revoke| revoke.reason());
    assert_eq!(reason(json!({ "certificate": "AA" })), Ok(0));
    assert_eq!(reason(json!({ "certificate": "AA", "reason": 4 })), Ok(4));
    for bad in [2, 6, 8, 9, 10, 11] {
        let given = json!({ "certificate": "AA", "reason": bad });
        assert_eq!(sort(reason(given)), Sort::BadRevocationReason);
    }
    let csr = says(&json!({ "csr": "MII+" })).says::<Finalize>().unwrap();
    assert_eq!(sort(csr.request()), Sort::Malformed, "base64url, and no other");
}
