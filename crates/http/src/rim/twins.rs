//! A member that is said twice: readers differ on which of the two counts, so it is no body at all.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// JSON of any shape in which no object says a member twice.
#[derive(Debug)]
pub(super) struct NoTwins(pub(super) Value);

impl<'de> Deserialize<'de> for NoTwins {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = NoTwins;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, yes: bool) -> Result<NoTwins, E> {
        Ok(NoTwins(yes.into()))
    }
    fn visit_i64<E>(self, n: i64) -> Result<NoTwins, E> {
        Ok(NoTwins(n.into()))
    }
    fn visit_u64<E>(self, n: u64) -> Result<NoTwins, E> {
        Ok(NoTwins(n.into()))
    }
    fn visit_f64<E>(self, n: f64) -> Result<NoTwins, E> {
        Ok(NoTwins(n.into()))
    }
    fn visit_str<E>(self, text: &str) -> Result<NoTwins, E> {
        Ok(NoTwins(text.into()))
    }
    fn visit_string<E>(self, text: String) -> Result<NoTwins, E> {
        Ok(NoTwins(text.into()))
    }
    fn visit_unit<E>(self) -> Result<NoTwins, E> {
        Ok(NoTwins(Value::Null))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NoTwins, A::Error> {
        let mut kept = Vec::new();
        while let Some(NoTwins(value)) = list.next_element()? {
            kept.push(value);
        }
        Ok(NoTwins(kept.into()))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NoTwins, A::Error> {
        let mut kept = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if kept.contains_key(&key) {
                let shown: String = key.chars().take(64).collect();
                return Err(A::Error::custom(format!("`{shown}` is said twice; say it once")));
            }
            let NoTwins(value) = map.next_value()?;
            kept.insert(key, value);
        }
        Ok(NoTwins(kept.into()))
    }
}
