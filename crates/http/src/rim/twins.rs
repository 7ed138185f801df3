//! A member that is said twice: readers differ on which of the two counts, so it is no body at all.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// JSON of any shape in which no object says a member twice. Keeps nothing of it.
#[derive(Debug)]
pub(super) struct NoTwins;

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
    fn visit_bool<E>(self, _: bool) -> Result<NoTwins, E> {
        Ok(NoTwins)
    }
    fn visit_i64<E>(self, _: i64) -> Result<NoTwins, E> {
        Ok(NoTwins)
    }
    fn visit_u64<E>(self, _: u64) -> Result<NoTwins, E> {
        Ok(NoTwins)
    }
    fn visit_f64<E>(self, _: f64) -> Result<NoTwins, E> {
        Ok(NoTwins)
    }
    fn visit_str<E>(self, _: &str) -> Result<NoTwins, E> {
        Ok(NoTwins)
    }
    fn visit_unit<E>(self) -> Result<NoTwins, E> {
        Ok(NoTwins)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NoTwins, A::Error> {
        while list.next_element::<NoTwins>()?.is_some() {}
        Ok(NoTwins)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NoTwins, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                let shown: String = key.chars().take(64).collect();
                return Err(A::Error::custom(format!("`{shown}` is said twice; say it once")));
            }
            seen.insert(key);
            map.next_value::<NoTwins>()?;
        }
        Ok(NoTwins)
    }
}
