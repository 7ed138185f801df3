//! The OpenAPI document: the committed copy is current, and it keeps what it promises.
//!
//! `WANE_WRITE_OPENAPI=1 cargo nextest run -p wane-http` writes the copy anew.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

fn document() -> Value {
    serde_json::to_value(wane_http::document()).unwrap()
}

/// Method, path and operation of every route.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let methods = ["get", "post", "put", "patch", "delete"];
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &Value)| {
        let item = item.as_object().unwrap().clone();
        let path = path.clone();
        item.into_iter().filter(|(m, _)| methods.contains(&m.as_str())).map(move |(m, op)| (m, path.clone(), op))
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn the_copy_is_current() {
    let now = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("WANE_WRITE_OPENAPI").is_some() {
        std::fs::write(COPY, &now).unwrap();
    }
    let copy = std::fs::read_to_string(Path::new(COPY)).unwrap();
    assert!(
        copy == now,
        "docs/openapi.json is not what the routes say; write it anew with WANE_WRITE_OPENAPI=1 and review the difference"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn refs(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|v| refs(v, found));
            }
            Value::Array(list) => list.iter().for_each(|v| refs(v, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    refs(&document, &mut found);
    assert!(found.len() > 40);
    for reference in found {
        let at = reference.trim_start_matches('#');
        assert!(document.pointer(at).is_some(), "{reference}");
    }
}

#[test]
fn every_route_says_what_it_is() {
    let document = document();
    let operations = operations(&document);
    let mut ids = BTreeSet::new();
    for (method, path, op) in &operations {
        assert!(ids.insert(op["operationId"].as_str().unwrap()), "{method} {path}: its id is taken");
        assert!(!op["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path} has no summary");
        assert!(
            op["responses"]["default"]["content"]["application/problem+json"].is_object(),
            "{method} {path} has no error"
        );
        let keyed = op["parameters"].as_array().is_some_and(|p| p.iter().any(|p| p["name"] == "Idempotency-Key"));
        assert_eq!(keyed, method != "get", "{method} {path}: the idempotency key");
    }
    assert_eq!(operations.len(), 128);
}

#[test]
fn only_these_need_no_session() {
    let document = document();
    let open: Vec<String> = operations(&document)
        .into_iter()
        .filter(|(_, _, op)| op.get("security").is_some())
        .map(|(method, path, op)| format!("{method} {path} {}", op["security"]))
        .collect();
    assert_eq!(
        open,
        [
            "post /v1/devices [{}]",
            "post /v1/devices/token [{}]",
            "post /v1/enrolments [{}]",
            "get /v1/gateways [{}]",
            "get /v1/health [{}]",
            "post /v1/hosts/join [{}]",
            "get /v1/hosts/revocations [{\"host\":[]}]",
            "post /v1/jobs [{}]",
            "get /v1/openapi.json [{}]",
            "get /v1/published/{kind}/{name} [{}]",
            "post /v1/sessions [{}]",
        ]
    );
    assert_eq!(document["security"].to_string(), "[{\"session\":[]}]");
}

#[test]
fn every_input_is_closed() {
    let document = document();
    let mut looked_at = 0;
    for (method, path, op) in operations(&document) {
        let Some(schema) = op["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() else {
            continue;
        };
        let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{method} {path}");
        looked_at += 1;
    }
    assert!(looked_at >= 18, "{looked_at}");
}

#[test]
fn no_answer_has_a_field_for_what_came_in_secretly() {
    let document = document();
    for view in ["ResourceView", "PersonView", "GrantView", "RequestView", "RecordView", "Me"] {
        let fields = document["components"]["schemas"][view]["properties"].as_object().unwrap();
        for secret in ["credential", "password", "secret", "token", "totp_secret", "code"] {
            assert!(!fields.contains_key(secret), "{view}.{secret}");
        }
    }
}
