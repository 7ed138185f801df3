//! Reads JSON objects strictly: a key nobody reads is an error that names the nearest one.

use serde_json::{Map, Value};
use wane_connector::KindError;

/// Farther apart than this and a suggestion would only confuse.
const NEAR: usize = 3;

/// A refusal of one key.
pub(crate) fn refuse(what: impl Into<String>, why: impl Into<String>) -> KindError {
    KindError { what: what.into(), why: why.into() }
}

/// The object, if it has no other keys than these.
pub(crate) fn object<'a>(what: &str, given: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>, KindError> {
    let Some(object) = given.as_object() else {
        return Err(refuse(what, format!("must be an object with the keys {}", listed(keys))));
    };
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(object),
        Some(unknown) => Err(unknown_key(what, unknown, keys)),
    }
}

/// The error for a key or value that is none of `known`.
pub(crate) fn unknown_key(what: &str, unknown: &str, known: &[&str]) -> KindError {
    let shown: String = unknown.chars().take(64).collect();
    let nearest = known.iter().map(|key| (distance(unknown, key), key)).min();
    let why = match nearest {
        Some((steps, key)) if steps <= NEAR => format!("`{shown}` is unknown; did you mean `{key}`?"),
        _ => format!("`{shown}` is unknown; use {}", listed(known)),
    };
    refuse(what, why)
}

fn listed(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// How many characters have to be put in, taken out or changed (Levenshtein), row by row.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut next = vec![i + 1];
        let mut left = i + 1;
        for ((y, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(x != *y);
            left = changed.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
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
        assert_eq!(said(json!({"user": 1})), Ok(()));
        assert_eq!(
            said(json!({"adress": 1})),
            Err("settings: `adress` is unknown; did you mean `address`?".to_owned())
        );
        assert_eq!(
            said(json!({"colour": 1})),
            Err("settings: `colour` is unknown; use `address`, `user`, `tls`".to_owned())
        );
        assert!(said(json!([])).is_err());
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("tsl", "tls", 2)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
