//! A JSON object in which nothing is said twice: readers differ on which of two members counts, so what says
//! one twice says nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The members of an object, each said once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl Members {
    /// Reads an object and nothing after it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The same without some of them.
    pub(crate) fn without(&self, left_out: impl Fn(&str) -> bool) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| !left_out(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is said twice"));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::Members;

    #[test]
    fn what_is_said_twice_is_nothing() {
        for (text, is_read) in [
            (r#"{"a":1,"b":2}"#, true),
            (r#"{}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"{"a":1} {}"#, false),
            (r#"[["a",1]]"#, false),
            ("null", false),
        ] {
            assert_eq!(Members::read(text.as_bytes()).is_ok(), is_read, "{text}");
        }
    }
}
