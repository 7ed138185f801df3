//! A JSON document with places for values in its texts. Keys and structure are what was declared.

use serde_json::Value;
use wane_connector::KindError;
use wane_connector::strict::wrong;

use crate::fail::Fail;
use crate::text::{Key, Sort, Text, Values};

/// A JSON document with places in its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Text(Text),
    Fixed(Value),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Node {
    /// How deep a document may be.
    const DEEPEST: usize = 16;

    pub(crate) fn read(what: &str, given: &Value, may: &[Sort]) -> Result<Self, KindError> {
        Self::read_at(what, given, may, 0)
    }

    fn read_at(what: &str, given: &Value, may: &[Sort], depth: usize) -> Result<Self, KindError> {
        if depth > Self::DEEPEST {
            return Err(wrong(what, format!("is more than {} deep", Self::DEEPEST)));
        }
        let inner = |value: &Value| Self::read_at(what, value, may, depth.saturating_add(1));
        Ok(match given {
            Value::String(text) => Self::Text(Text::read(what, text, may)?),
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Fixed(given.clone()),
            Value::Array(items) => Self::List(items.iter().map(inner).collect::<Result<_, _>>()?),
            Value::Object(map) => {
                if map.keys().any(|key| key.contains(['{', '}'])) {
                    return Err(wrong(what, "has a `{` or `}` in a key; values stand in texts only"));
                }
                let pair = |(key, value): (&String, &Value)| Ok((key.clone(), inner(value)?));
                Self::Object(map.iter().map(pair).collect::<Result<_, KindError>>()?)
            }
        })
    }

    pub(crate) fn written(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.written()),
            Self::Fixed(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(Self::written).collect()),
            Self::Object(pairs) => {
                Value::Object(pairs.iter().map(|(key, node)| (key.clone(), node.written())).collect())
            }
        }
    }

    pub(crate) fn keys(&self) -> Vec<&Key> {
        match self {
            Self::Text(text) => text.keys().collect(),
            Self::Fixed(_) => Vec::new(),
            Self::List(items) => items.iter().flat_map(Self::keys).collect(),
            Self::Object(pairs) => pairs.iter().flat_map(|(_, node)| node.keys()).collect(),
        }
    }

    pub(crate) fn fill(&self, values: &Values<'_>) -> Result<Value, Fail> {
        Ok(match self {
            Self::Text(text) => text.json(values)?,
            Self::Fixed(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(|node| node.fill(values)).collect::<Result<_, _>>()?),
            Self::Object(pairs) => {
                let pair = |(key, node): &(String, Self)| Ok((key.clone(), node.fill(values)?));
                Value::Object(pairs.iter().map(pair).collect::<Result<_, Fail>>()?)
            }
        })
    }
}
