//! Calls of ACME clients: signed, bound, changing keys.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use wane_acme::{AccountUpdate, Binding, By, Call, Change, ClientKey, Finalize, NewAccount, NewOrder, Nonces, Revoke};
use wane_domain::time::Time;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use super::CALLS;

    pub(crate) fn acme_call() -> Vec<Vec<u8>> {
        CALLS.lines().map(|line| line.as_bytes().to_vec()).collect()
    }
}

/// A call with a key, one by an account, a binding and a change, by throw-away keys.
const CALLS: &str = include_str!("acme/calls.txt");
const CHANGE: &str = "https://wane.example/acme/key-change";

/// A part of what was read: JSON, if it is a header or was itself taken.
fn part(value: &Value, name: &str) -> Option<Value> {
    let text = value[name].as_str().unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()).ok()
}

pub(crate) fn acme_call(data: &[u8]) {
    let given: Option<Value> = serde_json::from_slice(data).ok();
    if let Ok(call) = Call::read(data) {
        let given = given.as_ref().unwrap();
        let header = part(given, "protected").unwrap();
        // Who it is by stands in what is signed, and nowhere else.
        match call.by() {
            By::Key(key) => {
                assert_eq!(ClientKey::read(&header["jwk"]).unwrap().thumbprint(), key.thumbprint());
                if call.is_signed_by(key).is_ok() {
                    let mut other = given.clone();
                    other["payload"] = Value::from(format!("{}AAAA", given["payload"].as_str().unwrap()));
                    let other = Call::read(other.to_string().as_bytes());
                    assert!(other.is_err() || other.unwrap().is_signed_by(key).is_err(), "another payload");
                }
            }
            By::Account(kid) => assert_eq!(header["kid"].as_str(), Some(kid.as_str())),
        }
        assert_eq!(header["nonce"].as_str(), Some(call.nonce()));
        assert!(header.get("crit").is_none_or(Value::is_null) && given.get("header").is_none_or(Value::is_null));
        assert!(!Nonces::new(&[1; 32]).take(call.nonce(), Time::from_micros(1_800_000_000_000_000)), "nobody made it");
        if let Ok(order) = call.says::<NewOrder>()
            && let Ok(names) = order.names()
        {
            assert!(!names.is_empty() && names.windows(2).all(|two| two[0] < two[1]), "sorted, and each once");
        }
        let _ = (call.says::<NewAccount>(), call.says::<AccountUpdate>(), call.says::<Finalize>());
        let _ = call.says::<Revoke>().map(|revoke| (revoke.certificate(), revoke.reason()));
    }
    let Some(given) = given else { return };
    if let Ok(change) = Change::read(&given, CHANGE) {
        // Whoever is to take the place has signed it.
        let says = part(&given, "payload").unwrap();
        let old = ClientKey::read(&says["oldKey"]).unwrap();
        let new = change.takes_place_of(says["account"].as_str().unwrap(), old.thumbprint()).unwrap();
        assert_eq!(new.thumbprint(), ClientKey::read(&part(&given, "protected").unwrap()["jwk"]).unwrap().thumbprint());
    }
    if let Ok(binding) = Binding::read(&given) {
        assert_eq!(part(&given, "protected").unwrap()["kid"].as_str(), Some(binding.kid()));
        if let Some(jwk) = part(&given, "payload")
            && let Ok(key) = ClientKey::read(&jwk)
        {
            assert!(binding.is_good(&[9; 32], "https://wane.example/acme/new-account", &key).is_err());
        }
    }
}
