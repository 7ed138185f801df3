//! The digest of an ask: test vectors, and that every field is in it.

use serde_json::Value;
use wane_domain::canonical::Digest;
use wane_domain::request::{Ask, Parent, Start};
use wane_domain::time::Span;

use crate::fixtures::{T0, as_json, ask, golden, id, item, task_item};

fn vectors() -> Vec<(&'static str, Ask)> {
    let plain = ask(Span::from_hours(2), Start::Now, None);
    let digest = Digest::of_bytes("t", b"parent");
    vec![
        ("now, for two hours", plain.clone()),
        ("from a moment on", Ask { start: Start::At(T0), ..plain.clone() }),
        ("no justification, no ticket", Ask { justification: None, ticket: None, ..plain.clone() }),
        (
            "two items",
            Ask { items: vec![item(), wane_domain::request::AskItem { role: id(22), ..item() }], ..plain.clone() },
        ),
        ("narrows another", Ask { parent: Some(Parent::Narrows { request: id(30), digest }), ..plain.clone() }),
        ("extends a grant", Ask { parent: Some(Parent::Extends { digest, grant: id(40) }), ..plain.clone() }),
        ("one command", Ask { items: vec![task_item("systemctl restart 'nginx'")], ..plain.clone() }),
        (
            "one command, and all that a role gives",
            Ask {
                items: vec![task_item("id"), wane_domain::request::AskItem { role: id(22), ..item() }],
                ..plain.clone()
            },
        ),
        ("text beyond ASCII", Ask { justification: Some("déjà vu 🦀 \"quoted\"\\\n\tend".parse().unwrap()), ..plain }),
    ]
}

/// Whoever implements the digest elsewhere checks it against these.
#[test]
fn test_vectors() {
    let mut out = String::from("SHA-256 over `wane.request.v1`, a line feed, and the RFC 8785 form of the ask.\n");
    for (what, ask) in vectors() {
        let canonical = String::from_utf8(serde_json_canonicalizer::to_vec(&ask).unwrap()).unwrap();
        let digest = ask.digest().unwrap();
        assert_eq!(digest, Digest::of_bytes("wane.request.v1", canonical.as_bytes()));
        out.push_str(&format!("\n{what}\n{canonical}\n{digest}\n"));
    }
    golden("digests.txt", &out);
}

/// Changes every leaf of the ask's JSON, one at a time: each change that is still an ask has another digest.
#[test]
fn every_field_is_in_the_digest() {
    let mut seen = std::collections::BTreeMap::new();
    for (what, ask) in vectors() {
        let whole = as_json(&ask);
        let mut leaves = Vec::new();
        walk(&whole, String::new(), &mut leaves);
        assert!(leaves.len() >= 9, "{what}: {leaves:?}");
        for leaf in leaves {
            let mut changed = whole.clone();
            change(changed.pointer_mut(&leaf).unwrap());
            let other: Ask = serde_json::from_value(changed).unwrap_or_else(|e| panic_at(&leaf, &e));
            assert_ne!(other.digest().unwrap(), ask.digest().unwrap(), "{what}: {leaf} is not in the digest");
        }
        assert_eq!(seen.insert(ask.digest().unwrap(), what), None);
    }
}

#[expect(clippy::panic, reason = "tests")]
pub(crate) fn panic_at(leaf: &str, e: &serde_json::Error) -> ! {
    panic!("the change at {leaf} is no ask: {e}")
}

pub(crate) fn walk(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| walk(v, format!("{at}/{k}"), out)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| walk(v, format!("{at}/{i}"), out)),
        // What is absent is shown by the vectors that have it.
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push(at),
    }
}

/// Another value of the same shape: `1` for a last digit that is not 1, else `2`; `at` for `now`.
pub(crate) fn change(value: &mut Value) {
    let changed = match &*value {
        Value::Number(n) => Value::from(n.as_i64().unwrap() + 1),
        Value::String(s) if s == "now" => serde_json::json!({ "at": 1 }),
        Value::String(s) => {
            let mut s = s.clone();
            let last = s.pop();
            Value::String(format!("{s}{}", if last == Some('4') { '8' } else { '4' }))
        }
        other => other.clone(),
    };
    *value = changed;
}

/// The order of a JSON object's members does not matter; the order of items does.
#[test]
fn members_have_no_order() {
    let (_, ask) = vectors().remove(3);
    let text = serde_json::to_string(&as_json(&ask)).unwrap();
    let Value::Object(map) = as_json(&ask) else { return };
    let backwards: Vec<String> = map.iter().rev().map(|(k, v)| format!("{}:{v}", Value::from(k.as_str()))).collect();
    let backwards = format!("{{{}}}", backwards.join(","));
    assert_ne!(backwards, text);
    let again: Ask = serde_json::from_str(&backwards).unwrap();
    assert_eq!(again.digest().unwrap(), ask.digest().unwrap());
    let mut swapped = ask.clone();
    swapped.items.reverse();
    assert_ne!(swapped.digest().unwrap(), ask.digest().unwrap());
}
