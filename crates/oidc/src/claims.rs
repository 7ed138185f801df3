//! What a provider says of somebody, as its rules read it.

use serde_json::Value;

use crate::members::Members;

/// The claims of a token that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(pub(crate) Members);

impl Claims {
    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.find(name)?.as_str()
    }

    /// A claim as a short text: a text, a number or a truth; nothing of what has parts.
    #[must_use]
    pub fn plain(&self, name: &str) -> Option<String> {
        match self.find(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// A claim that is a list of texts, or one text alone; what else is in a list is left out.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.find(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        }
    }

    /// A short text that lies along a path within one claim, whatever dots that claim's own name has.
    #[must_use]
    pub fn within(&self, claim: &str, path: &str) -> Option<String> {
        let value = path.split('.').try_fold(self.0.get(claim)?, |value, part| value.get(part))?;
        value.as_str().map(str::to_owned)
    }

    /// All that are short texts as they stand, by name.
    #[must_use]
    pub fn plain_ones(&self) -> Vec<(String, String)> {
        self.0.0.keys().filter_map(|name| Some((name.clone(), self.plain(name)?))).collect()
    }

    /// A claim by its name; else, where the name has dots, the one that lies along it: `realm_access.roles`.
    /// A name that is a claim as it stands (`https://example.org/groups`) is that claim.
    fn find(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(self.0.get(first)?, |value, part| value.get(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_as_it_stands_or_along_its_dots() {
        let text = r#"{"a":{"b":["x",1,"y"]},"a.c":"whole","n":7,"t":true,"o":{},"one":"z"}"#;
        let claims = Claims(Members::read(text.as_bytes()).unwrap());
        assert_eq!(claims.texts("a.b"), ["x", "y"]);
        assert_eq!(claims.text("a.c"), Some("whole"));
        assert_eq!(claims.texts("one"), ["z"]);
        assert!(claims.texts("a").is_empty() && claims.texts("none.at.all").is_empty());
        for (name, plain) in [("n", Some("7")), ("t", Some("true")), ("one", Some("z")), ("o", None), ("a.b", None)] {
            assert_eq!(claims.plain(name).as_deref(), plain, "{name}");
        }
    }
}
