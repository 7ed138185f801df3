//! What people write about targets: each error says what to write instead.

use serde_json::{Value, json};

use super::*;

fn good() -> Value {
    json!({
        "of": "tickets", "hands_out": "a token of its own", "url": "https://tickets.example.org/api",
        "auth": { "as": "header", "name": "Authorization", "prefix": "Bearer " },
        "parameters": { "team": "blue" },
        "residual": { "logins_secs": 5 },
        "create": {
            "path": "/teams/{parameters.team}/tokens", "json": { "name": "{name}", "until": "{end.time}", "scopes": "{role.scopes}" },
            "id": { "at": "/id" }, "secret": { "at": "/token" }, "shows": { "login": "{answer/user}" },
        },
        "revoke": { "path": "/tokens/{id}" },
        "verify_absent": { "path": "/tokens/{id}", "absent_if": { "at": "/revoked", "is": true } },
        "inventory": {
            "path": "/teams/{parameters.team}/tokens", "items": "", "name": { "at": "/name" }, "id": "/id",
            "pages": { "by": "page", "parameter": "page", "size": { "parameter": "per_page", "of": 100 } },
        },
    })
}

fn program_of() -> Value {
    json!({
        "of": "acl", "hands_out": "a user", "program": "redis-acl", "residual": { "logins_secs": 1, "sessions_secs": 1 },
        "calls": ["create", "revoke", "verify_absent", "inventory"], "secret": "generated",
    })
}

/// With a value at a place, or without it.
fn with(mut base: Value, at: &str, value: Value) -> Value {
    let (parent, key) = at.rsplit_once('/').unwrap();
    let map = base.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => drop(map.remove(key)),
        value => drop(map.insert(key.to_owned(), value)),
    }
    base
}

#[test]
fn the_normal_form_is_its_own() {
    for given in [good(), program_of()] {
        let first = Settings::read(&given).unwrap();
        let normal = first.json();
        let second = Settings::read(&normal).unwrap();
        assert_eq!(first, second);
        assert_eq!(second.json(), normal);
    }
}

#[test]
fn settings_are_read_strictly() {
    for (at, value, word) in [
        ("/colour", json!(1), "`colour` is unknown"),
        ("/reveal", json!({}), "did you mean `revoke`"),
        ("/of", Value::Null, "roles say which they are of"),
        ("/of", json!("A b"), "is no name"),
        ("/hands_out", Value::Null, "what its holder gets"),
        ("/residual", Value::Null, "declare what is left"),
        ("/residual/logins_secs", json!(1_000_000), "more than a day"),
        ("/residual/login_secs", json!(1), "did you mean `logins_secs`"),
        ("/url", json!("http://tickets.example.org"), "has to be `https`"),
        ("/url", json!("https://169.254.169.254/latest"), "is not called"),
        ("/url", json!("https://user@tickets.example.org"), "is not called"),
        ("/url", json!("https://tickets.example.org?x=1"), "is not called"),
        ("/ca_pem", json!("x"), "in PEM"),
        ("/auth/as", json!("haeder"), "did you mean `header`"),
        ("/auth/name", json!("Host"), "can be set"),
        ("/parameters/tame", json!("x"), "did you mean `team`"),
        ("/parameters", Value::Null, "`team` is missing"),
        ("/create/path", Value::Null, "which path"),
        ("/create/pth", json!("/x"), "did you mean `path`"),
        ("/create/json/name", json!("x"), "has to give what it makes its name"),
        ("/create/json/password", json!("{secret}"), "has to be `generated`"),
        ("/create/secret", json!("generated"), "stands nowhere"),
        ("/create/secret", json!("made"), "write `\"generated\"`"),
        ("/create/again", json!("owerwrite"), "did you mean `overwrite`"),
        ("/create/done", json!([404]), "200 to 299"),
        ("/create/shows/token", json!("{secret}"), "does not stand here"),
        ("/revoke/path", json!("/tokens/{role.scopes}"), "does not stand here"),
        ("/revoke/gone", json!([403]), "says nothing about what was asked for"),
        ("/verify_absent/absent", json!([401]), "says nothing about what was asked for"),
        ("/verify_absent/absent_if", json!({ "at": "revoked" }), "JSON Pointer"),
        ("/inventory/items", Value::Null, "where the list stands"),
        ("/inventory/pages/by", json!("pages"), "did you mean `page`"),
        ("/inventory/pages/size", Value::Null, "how full pages"),
        ("/calls", json!(["create"]), "goes with `receiver` or `program`"),
        ("/inventory", Value::Null, "could not be found again"),
        ("/inventory/id", Value::Null, "that is where it comes from"),
        ("/create/id", Value::Null, "stands in `verify_absent`"),
    ] {
        let met = Settings::read(&with(good(), at, value.clone())).unwrap_err().to_string();
        assert!(met.contains(word), "{at} = {value}: {met}");
    }
}

#[test]
fn a_program_is_a_name_in_a_folder_and_nothing_else() {
    for file in ["/bin/sh", "../x", "a/b", "", ".x", "-x", "a b", "a\0b", "a\nb", "x;y"] {
        let met = Settings::read(&with(program_of(), "/program", json!(file))).unwrap_err().to_string();
        assert!(met.contains("hooks.programs"), "{file:?}: {met}");
    }
    for (at, value, word) in [
        ("/url", json!("https://a.example"), "goes with calls"),
        ("/create", json!({}), "goes with calls"),
        ("/receiver", json!(true), "choose one"),
        ("/calls", json!(["create"]), "has to have"),
        ("/calls", json!(["create", "revoke"]), "could ever say"),
        ("/calls", json!(["create", "revoke", "verify"]), "is unknown"),
        ("/secret", Value::Null, "where the holder's secret comes from"),
        ("/sha256", json!("x"), "64 hexadecimal"),
        ("/args", json!(["x"]), "`args` is unknown"),
    ] {
        let met = Settings::read(&with(program_of(), at, value.clone())).unwrap_err().to_string();
        assert!(met.contains(word), "{at} = {value}: {met}");
    }
}

/// A target that can say nothing about what it has, and does not end it either, is no target.
#[test]
fn what_could_never_be_proved_is_not_taken() {
    let by_name = |until: bool| {
        let mut given = with(with(good(), "/inventory", Value::Null), "/verify_absent", Value::Null);
        given = with(given, "/revoke/path", json!("/tokens/{name}"));
        if until { given } else { with(given, "/create/json/until", Value::Null) }
    };
    assert!(Settings::read(&by_name(false)).unwrap_err().to_string().contains("could ever say that it is gone"));
    let offers = Settings::read(&by_name(true)).unwrap().offers();
    assert!(!offers.proves() && offers.ends_itself && offers.ends_exactly);
}

#[test]
fn the_credential_goes_with_what_is_declared() {
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    let of = |auth: Value| Settings::read(&with(good(), "/auth", auth)).unwrap();
    assert!(of(Value::Null).unusable_with(None).is_none());
    assert!(of(Value::Null).unusable_with(Some(&secret("k"))).is_some());
    let header = of(json!({ "as": "header", "name": "X-Key" }));
    assert!(header.unusable_with(None).is_some() && header.unusable_with(Some(&secret("a\nb"))).is_some());
    assert!(header.unusable_with(Some(&secret("k"))).is_none());
    assert!(of(json!({ "as": "basic" })).unusable_with(Some(&secret("k"))).is_some());
    assert!(of(json!({ "as": "basic" })).unusable_with(Some(&secret("u:k"))).is_none());
    let several = of(json!({ "as": "headers", "names": ["DD-API-KEY", "DD-APP"] }));
    assert!(several.unusable_with(Some(&secret("k"))).is_some());
    assert!(several.unusable_with(Some(&secret(r#"{"dd-api-key":"a"}"#))).is_some());
    assert!(several.unusable_with(Some(&secret(r#"{"DD-API-KEY":"a","DD-APP":"b"}"#))).is_none());
}
