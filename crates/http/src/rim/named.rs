//! JSON read by the names of its members. To serde a list in the place of an object is an object, member by
//! member in the order of our source; whoever sends one means something else, so it is refused at any depth.

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

const OBJECT: &str = "an object `{…}` with named members";

/// A value whose objects are read from objects alone.
#[derive(Debug)]
pub(super) struct ByName(pub(super) Value);

impl ByName {
    fn object<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(_) => Err(Error::invalid_type(Unexpected::Seq, &OBJECT)),
            _ => self.deserialize_any(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for ByName {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(yes) => visitor.visit_bool(yes),
            Value::Number(number) => number.deserialize_any(visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(list) => {
                let mut list = SeqDeserializer::new(list.into_iter().map(Self));
                let read = visitor.visit_seq(&mut list)?;
                list.end().map(|()| read)
            }
            Value::Object(members) => {
                let mut members = MapDeserializer::new(members.into_iter().map(|(name, value)| (name, Self(value))));
                let read = visitor.visit_map(&mut members)?;
                members.end().map(|()| read)
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.object(visitor)
    }

    // What a variant with named members is read as, too.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.object(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(members) if members.len() == 1 => {
                let members = MapDeserializer::new(members.into_iter().map(|(word, value)| (word, Self(value))));
                MapAccessDeserializer::new(members).deserialize_enum(name, variants, visitor)
            }
            Value::Object(_) => Err(Error::invalid_value(Unexpected::Map, &"an object with a single member")),
            Value::String(word) => {
                IntoDeserializer::<Error>::into_deserializer(word).deserialize_enum(name, variants, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for ByName {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::ByName;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        a: u64,
        b: Option<bool>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Plain,
        One(Inner),
        Two { c: i64 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        one: Option<Inner>,
        many: Vec<Inner>,
        by_name: BTreeMap<String, Inner>,
        word: Word,
        any: Value,
        pair: (f64, String),
    }

    fn whole() -> Value {
        json!({
            "one": {"a": 1}, "many": [{"a": 2, "b": true}], "by_name": {"x": {"a": 3, "b": null}},
            "word": {"two": {"c": -4}}, "any": [{"free": []}], "pair": [0.5, "p"],
        })
    }

    fn with(path: &str, value: Value) -> Value {
        let mut whole = whole();
        *whole.pointer_mut(path).unwrap() = value;
        whole
    }

    #[test]
    fn what_serde_json_reads_is_read_alike() {
        for value in [
            whole(),
            with("/one", Value::Null),
            with("/word", json!("plain")),
            with("/word", json!({"one": {"a": 9}})),
            with("/word", json!("unheard")),
            with("/word", json!({"two": {"c": 1}, "plain": null})),
            with("/word", json!(7)),
            with("/many", json!({})),
            with("/many/0/a", json!(-1)),
            with("/pair", json!([1, "p", 3])),
            with("/one", json!("text")),
            json!(null),
        ] {
            let (ours, theirs) =
                (Outer::deserialize(ByName(value.clone())), serde_json::from_value::<Outer>(value.clone()));
            assert_eq!(ours.ok(), theirs.ok(), "{value}");
        }
    }

    #[test]
    fn a_list_is_no_object_at_any_depth() {
        let listed = |value: &Value| Value::Array(value.as_object().unwrap().values().cloned().collect());
        let mut tried = 0;
        for path in ["", "/one", "/many/0", "/by_name/x", "/by_name", "/word/two"] {
            let value = with(path, listed(whole().pointer(path).unwrap()));
            let refused = Outer::deserialize(ByName(value.clone())).unwrap_err().to_string();
            assert!(refused.contains("named members"), "{path}: {refused}");
            tried += 1;
        }
        assert_eq!(tried, 6);
        // Where any JSON may stand, a list may.
        assert!(Outer::deserialize(ByName(with("/any", json!([1, 2])))).is_ok());
    }
}
