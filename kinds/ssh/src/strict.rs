//! Reads the JSON objects people write: every key known, every value of its type, and an error
//! that says what to write instead. Refuses to know what the keys mean.

use serde_json::{Map, Value};
use wane_connector::KindError;

/// An error about one key.
pub(crate) fn wrong(what: &str, why: impl Into<String>) -> KindError {
    KindError { what: what.to_owned(), why: why.into() }
}

/// The object, if it is one and has no key but these.
pub(crate) fn object<'a>(whole: &str, given: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>, KindError> {
    let Value::Object(map) = given else {
        return Err(wrong(whole, format!("write a JSON object with the keys {}", listed(keys))));
    };
    for key in map.keys() {
        if !keys.contains(&key.as_str()) {
            let shown: String = key.chars().take(64).collect();
            let hint = nearest(key, keys)
                .map_or_else(|| format!("the keys are {}", listed(keys)), |near| format!("did you mean `{near}`?"));
            return Err(wrong(&shown, format!("`{shown}` is not a key here; {hint}")));
        }
    }
    Ok(map)
}

/// A text, if the key is there.
pub(crate) fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, KindError> {
    match map.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(key, "write a text in quotes")),
    }
}

/// A list of texts, if the key is there.
pub(crate) fn texts<'a>(map: &'a Map<String, Value>, key: &str) -> Result<Option<Vec<&'a str>>, KindError> {
    match map.get(key) {
        None => Ok(None),
        Some(Value::Array(items)) => items
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<_>>>()
            .map(Some)
            .ok_or_else(|| wrong(key, "write a list of texts")),
        Some(_) => Err(wrong(key, "write a list of texts, such as `[\"one\", \"two\"]`")),
    }
}

/// A whole number, if the key is there.
pub(crate) fn number(map: &Map<String, Value>, key: &str) -> Result<Option<u64>, KindError> {
    match map.get(key) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| wrong(key, "write a whole number")),
    }
}

/// `a`, `b` and `c`, for an error.
pub(crate) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The word that was most likely meant.
pub(crate) fn nearest<'a>(given: &str, words: &[&'a str]) -> Option<&'a str> {
    let limit = given.chars().count().max(4) / 2;
    words.iter().map(|word| (distance(given, word), *word)).min().filter(|(far, _)| *far <= limit).map(|(_, word)| word)
}

/// How many letters have to be put in, taken out or changed (Levenshtein), over at most 64 letters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut next = vec![i + 1];
        for ((y, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(0);
            let change = diagonal + usize::from(x != *y);
            next.push(change.min(left + 1).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_gets_a_suggestion() {
        let keys = ["address", "read_back", "pull_secs"];
        for (given, near) in [
            ("adress", Some("address")),
            ("readback", Some("read_back")),
            ("pull_sec", Some("pull_secs")),
            ("colour", None),
        ] {
            assert_eq!(nearest(given, &keys), near, "{given}");
        }
        assert!(object("settings", &serde_json::json!([]), &keys).is_err());
    }
}
