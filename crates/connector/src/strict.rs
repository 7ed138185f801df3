//! Reads the JSON objects people write about targets: every key known, every value of its type,
//! and an error that says what to write instead. Refuses to know what the keys mean.

use serde_json::{Map, Value};

use crate::kind::KindError;

/// Farther apart than this and a suggestion would only confuse.
const NEAR: usize = 3;

/// An error about one key.
pub fn wrong(what: impl Into<String>, why: impl Into<String>) -> KindError {
    KindError { what: what.into(), why: why.into() }
}

/// The object, if it is one and has no key but these. An unknown key is what the error is about.
///
/// # Errors
/// When it is no object, or has another key.
pub fn object<'a>(whole: &str, given: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>, KindError> {
    let Value::Object(map) = given else {
        return Err(wrong(whole, format!("write a JSON object with the keys {}", listed(keys))));
    };
    match map.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(map),
        Some(unknown) => Err(wrong(short(unknown), unknown_word(unknown, keys))),
    }
}

/// What to say about a word that is none of `known`.
#[must_use]
pub fn unknown_word(given: &str, known: &[&str]) -> String {
    let near = known.iter().map(|word| (strsim::levenshtein(&short(given), word), word)).min();
    match near {
        Some((far, word)) if far <= NEAR => format!("`{}` is unknown; did you mean `{word}`?", short(given)),
        Some(_) | None => format!("`{}` is unknown; use {}", short(given), listed(known)),
    }
}

/// A text, if the key is there.
///
/// # Errors
/// When it is something else.
pub fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, KindError> {
    match map.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(key, "write a text in quotes")),
    }
}

/// A list of texts, if the key is there.
///
/// # Errors
/// When it is something else.
pub fn texts<'a>(map: &'a Map<String, Value>, key: &str) -> Result<Option<Vec<&'a str>>, KindError> {
    let refused = || wrong(key, "write a list of texts, such as `[\"one\", \"two\"]`");
    match map.get(key) {
        None => Ok(None),
        Some(Value::Array(items)) => {
            items.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(Some).ok_or_else(refused)
        }
        Some(_) => Err(refused()),
    }
}

/// A whole number, if the key is there.
///
/// # Errors
/// When it is something else.
pub fn number(map: &Map<String, Value>, key: &str) -> Result<Option<u64>, KindError> {
    match map.get(key) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| wrong(key, "write a whole number")),
    }
}

/// A truth, if the key is there; false if it is not.
///
/// # Errors
/// When it is something else.
pub fn flag(map: &Map<String, Value>, key: &str) -> Result<bool, KindError> {
    match map.get(key) {
        None => Ok(false),
        Some(Value::Bool(yes)) => Ok(*yes),
        Some(_) => Err(wrong(key, "write `true` or `false`")),
    }
}

/// Whether one definition gives nothing that another does not, and is not as wide; one that cannot be read gives nothing.
pub fn is_narrower<D>(
    narrow: &Value,
    wide: &Value,
    read: impl Fn(&Value) -> Result<D, KindError>,
    is_within: impl Fn(&D, &D) -> bool,
) -> bool {
    match (read(narrow), read(wide)) {
        (Ok(narrow), Ok(wide)) => is_within(&narrow, &wide) && !is_within(&wide, &narrow),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// `a`, `b` and `c`, for an error.
#[must_use]
pub fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let said = |given: Value| {
            object("settings", &given, &["address", "user", "tls"]).map(|_| ()).map_err(|e| e.to_string())
        };
        for (given, expected) in [
            (json!({ "user": 1 }), Ok(())),
            (json!({ "adress": 1 }), Err("adress: `adress` is unknown; did you mean `address`?")),
            (json!({ "colour": 1 }), Err("colour: `colour` is unknown; use `address`, `user`, `tls`")),
            (json!([]), Err("settings: write a JSON object with the keys `address`, `user`, `tls`")),
        ] {
            assert_eq!(said(given.clone()), expected.map_err(str::to_owned), "{given}");
        }
        let long = "x".repeat(5000);
        assert!(unknown_word(&long, &["a"]).len() < 120);
    }
}
