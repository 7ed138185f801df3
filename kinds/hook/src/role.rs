//! What a role is: which sort of target it is of, and the values that `create` is told.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{object, text, unknown_word, wrong};

use crate::settings::{Settings, role_values, short};

/// A role, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// What its targets are called (`of`).
    pub(crate) of: String,
    pub(crate) values: BTreeMap<String, Value>,
}

impl Definition {
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("role", given, &["of", "values"])?;
        let of = text(map, "of")?.filter(|of| (1..=64).contains(&of.len())).ok_or_else(|| {
            wrong("of", "say which targets it is of: what their settings say under `of`, or the template's name")
        })?;
        Ok(Self { of: of.to_owned(), values: role_values("values", map.get("values"))? })
    }

    pub(crate) fn json(&self) -> Value {
        let mut out = Map::from_iter([("of".to_owned(), json!(self.of))]);
        if !self.values.is_empty() {
            out.insert("values".to_owned(), json!(self.values));
        }
        Value::Object(out)
    }

    pub(crate) fn map(&self) -> Map<String, Value> {
        self.values.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether it is of this target.
    pub(crate) fn is_of(&self, settings: &Settings) -> bool {
        self.of == settings.of
    }

    /// Why it cannot be given at a target it is of.
    pub(crate) fn problem(&self, settings: &Settings) -> Option<String> {
        if !self.is_of(settings) {
            return Some(format!("it is of `{}`, and this is `{}`", short(&self.of), settings.of));
        }
        let keys = settings.role_keys()?;
        if let Some(missing) = keys.iter().find(|key| !self.values.contains_key(**key)) {
            return Some(format!("`values` has no `{missing}`, and `{{role.{missing}}}` stands in `create`"));
        }
        let known: Vec<&str> = keys.iter().copied().collect();
        match self.values.keys().find(|name| !keys.contains(name.as_str())) {
            None => None,
            Some(unused) if known.is_empty() => {
                Some(format!("`{}` stands nowhere in `create`; leave it out", short(unused)))
            }
            Some(unused) => Some(unknown_word(unused, &known)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_values_of_one_sort_of_target() {
        let read = |given: Value| Definition::read(&given).map_err(|e| e.to_string());
        let role = read(json!({ "of": "tickets", "values": { "scopes": ["read"] } })).unwrap();
        assert_eq!(Definition::read(&role.json()).unwrap(), role);
        for (given, word) in [
            (json!({}), "which targets"),
            (json!({ "of": "x", "value": {} }), "did you mean `values`"),
            (json!({ "of": "x", "values": [] }), "write an object"),
            (json!({ "of": "x", "values": { "A": 1 } }), "is no name"),
            (json!({ "of": "x", "values": { "a": null } }), "has no value"),
        ] {
            let met = read(given.clone()).unwrap_err();
            assert!(met.contains(word), "{given}: {met}");
        }
    }
}
