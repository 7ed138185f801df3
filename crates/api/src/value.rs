//! The small values every part of the contract shares: pages, spans, edits, secrets.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Send it as `cursor` for the next page; none at the end.
    pub next: Option<String>,
}

/// A length of time in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpanView {
    /// For people: `1h30m`.
    pub text: String,
    /// Whole seconds, rounded down.
    pub secs: u64,
}

/// What an edit does to a field that may be empty: left out keeps it, `null` clears it, a value sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// Left as it is.
    #[default]
    Keep,
    /// Made empty.
    Clear,
    /// Replaced.
    Set(T),
}

impl<T> Edit<T> {
    /// Whether it changes nothing; such a field is left out.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: Serialize> Serialize for Edit<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => s.serialize_none(),
            Self::Set(value) => value.serialize(s),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Edit<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Option::deserialize(d).map(|value| value.map_or(Self::Clear, Self::Set))
    }
}

/// A secret on the wire: a password, a one-time code, a token. `Debug` shows nothing, there is no
/// `Clone` and no `Display`, and it is wiped when dropped.
///
/// ```compile_fail
/// let copy = wane_api::SecretText::new("s".to_owned()).clone();
/// ```
/// ```compile_fail
/// println!("{}", wane_api::SecretText::new("s".to_owned()));
/// ```
#[derive(ToSchema)]
#[schema(value_type = String, format = Password)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a secret over.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret, handed over.
    #[must_use]
    pub fn reveal(self) -> Zeroizing<String> {
        self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self::new)
    }
}

/// Names the values of an enum for people and tables, as they stand on the wire.
macro_rules! wire_names {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// The word on the wire, and for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
        #[cfg(test)]
        mod names {
            #[test]
            fn match_the_wire() {
                $(assert_eq!(serde_json::to_value(super::$type::$variant).unwrap(), $name);)+
            }
        }
    };
}
pub(crate) use wire_names;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Patch {
        #[serde(default, skip_serializing_if = "Edit::is_keep")]
        manager: Edit<String>,
    }

    #[test]
    fn left_out_null_and_value_differ() {
        for (text, edit) in [
            ("{}", Edit::Keep),
            (r#"{"manager":null}"#, Edit::Clear),
            (r#"{"manager":"maya"}"#, Edit::Set("maya".to_owned())),
        ] {
            let patch = Patch { manager: edit };
            assert_eq!(serde_json::from_str::<Patch>(text).unwrap(), patch, "{text}");
            assert_eq!(serde_json::to_string(&patch).unwrap(), text);
        }
    }

    #[test]
    fn a_secret_is_on_the_wire_and_nowhere_else() {
        let secret: SecretText = serde_json::from_str("\"canary\"").unwrap();
        assert_eq!(format!("{secret:?}"), "SecretText(…)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"canary\"");
        assert_eq!(secret.reveal().as_str(), "canary");
    }
}
