//! Rows of the store and records of the trail, read back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wane_audit::Record;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::directory::{Group, Person};
use wane_domain::grant::GrantData;
use wane_domain::lease::LeaseData;
use wane_domain::lock::Lock;
use wane_domain::request::RequestData;
use wane_store::{Answer, Issuance, Login, Token};

pub(crate) mod seeds;

/// A row's type is its first letter; the document follows.
pub(crate) fn row(data: &[u8]) {
    let Some((sort, doc)) = data.split_first() else { return };
    match sort {
        b'q' => same::<RequestData>(doc),
        b'g' => same::<GrantData>(doc),
        b'l' => same::<LeaseData>(doc),
        b'k' => same::<Lock>(doc),
        b'r' => same::<Resource>(doc),
        b'R' => same::<Role>(doc),
        b'p' => same::<Person>(doc),
        b'G' => same::<Group>(doc),
        b't' => same::<Token>(doc),
        b'L' => same::<Login>(doc),
        b'i' => same::<Issuance>(doc),
        b'K' => same::<Answer>(doc),
        _ => {}
    }
}

/// Read and written it is the same row, and nothing was understood as something else.
fn same<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(doc: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(doc) else { return };
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(serde_json::from_value::<T>(written.clone()).unwrap(), read);
    let given: Value = serde_json::from_slice(doc).unwrap();
    agree(&given, &written, "row");
}

/// Every field that was given and is known says what it said.
fn agree(given: &Value, written: &Value, at: &str) {
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => {
            for (key, value) in written {
                match given.get(key) {
                    Some(said) => agree(said, value, key),
                    None => assert!(value.is_null(), "`{key}` of {at} was made up: {value}"),
                }
            }
        }
        // Sets are kept in order, and without a second of the same.
        (Value::Array(given), Value::Array(written)) => assert!(given.len() >= written.len(), "{at} grew"),
        // One JSON number has many spellings.
        (Value::Number(_), Value::Number(_)) => assert_eq!(given.to_string(), written.to_string(), "{at}"),
        (given, written) => assert_eq!(given, written, "{at}"),
    }
}

/// Whether every number is one that RFC 8785 carries exactly: beyond 2^53 its numbers are rounded.
pub(crate) fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(n) => n.as_f64().is_some_and(|n| n.abs() < 9e15) || n.is_f64(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(map) => map.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

pub(crate) fn record(data: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(data) else { return };
    if !is_exact(&serde_json::to_value(&record).unwrap()) {
        return;
    }
    let Ok(line) = record.canonical() else { return };
    assert!(line.iter().all(|byte| *byte >= 0x20), "one record is one line");
    let again: Record = serde_json::from_slice(&line).unwrap();
    assert_eq!((again.canonical().unwrap(), again.leaf_hash().unwrap()), (line, record.leaf_hash().unwrap()));
    assert_eq!((&again.event, &again.about, again.at), (&record.event, &record.about, record.at));
}
