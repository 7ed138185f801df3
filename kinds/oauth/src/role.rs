//! What a role means in a token: which scopes, how long, and whether it has to be bound to a key of its holder.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{listed, number, object, text, texts, wrong};
use wane_domain::time::Span;

use crate::LONGEST;
use crate::claims::Bound;
use crate::settings::short;

const KEYS: [&str; 4] = ["scopes", "life_secs", "bound", "environment"];
const MOST_SCOPES: usize = 64;
const LONGEST_SCOPE: usize = 128;
const LIFE_SECS: std::ops::RangeInclusive<u64> = 10..=3600;
const USUAL_LIFE: u64 = 900;

/// To what a token has to be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// To nothing: whoever has it may use it.
    Nothing,
    /// To a key (RFC 9449) or a certificate (RFC 8705), whichever its holder has.
    Either,
    Key,
    Certificate,
}

impl Must {
    const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "no",
            Self::Either => "either",
            Self::Key => "key",
            Self::Certificate => "certificate",
        }
    }

    /// Whether what a token is bound to is enough.
    pub(crate) fn is_met_by(self, bound: Option<&Bound>) -> bool {
        let (key, certificate) = bound.map_or((false, false), |bound| (bound.jkt.is_some(), bound.x5t.is_some()));
        match self {
            Self::Nothing => true,
            Self::Either => key || certificate,
            Self::Key => key,
            Self::Certificate => certificate,
        }
    }

    /// Whether it asks for as much as another does.
    fn is_as_strict_as(self, other: Self) -> bool {
        self == other
            || other == Self::Nothing
            || (other == Self::Either && matches!(self, Self::Key | Self::Certificate))
    }
}

/// A role's definition, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) life: Span,
    pub(crate) bound: Must,
    /// Whether a program may be given the token in its environment.
    pub(crate) environment: Environment,
}

/// Whether a token may stand in a program's environment, where its children and whoever reads `/proc` find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    Refused,
    Allowed,
}

impl Definition {
    /// Reads a definition, given by people or in normal form.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("definition", given, &KEYS)?;
        let mut scopes = BTreeSet::new();
        for given in texts(map, "scopes")?.unwrap_or_default() {
            if !is_scope(given) {
                let why = format!(
                    "`{}` is no scope; write up to {LONGEST_SCOPE} visible characters without spaces, quotes and `\\`",
                    short(given)
                );
                return Err(wrong("scopes", why));
            }
            scopes.insert(given.to_owned());
        }
        if scopes.is_empty() {
            return Err(wrong("scopes", "say what a token allows, such as `[\"orders.read\"]`"));
        }
        if scopes.len() > MOST_SCOPES {
            return Err(wrong("scopes", format!("{} are too many; the most is {MOST_SCOPES}", scopes.len())));
        }
        let life = number(map, "life_secs")?.unwrap_or(USUAL_LIFE);
        if !LIFE_SECS.contains(&life) {
            let (from, to) = (LIFE_SECS.start(), LIFE_SECS.end());
            return Err(wrong("life_secs", format!("`{life}` is out of range; write {from} to {to}")));
        }
        let all = [Must::Nothing, Must::Either, Must::Key, Must::Certificate];
        let bound = match text(map, "bound")? {
            None => Must::Nothing,
            Some(given) => all.into_iter().find(|must| must.word() == given).ok_or_else(|| {
                wrong("bound", format!("`{}` is not one of {}", short(given), listed(&all.map(Must::word))))
            })?,
        };
        let environment = match text(map, "environment")? {
            None | Some("refused") => Environment::Refused,
            Some("allowed") => Environment::Allowed,
            Some(given) => {
                let why = format!("`{}` is not one of {}", short(given), listed(&["refused", "allowed"]));
                return Err(wrong("environment", why));
            }
        };
        Ok(Self { scopes, life: Span::from_secs(life).min(LONGEST), bound, environment })
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let mut out = Map::from_iter([
            ("scopes".to_owned(), json!(self.scopes)),
            ("life_secs".to_owned(), json!(self.life.secs())),
        ]);
        if self.bound != Must::Nothing {
            out.insert("bound".to_owned(), json!(self.bound.word()));
        }
        if self.environment == Environment::Allowed {
            out.insert("environment".to_owned(), json!("allowed"));
        }
        Value::Object(out)
    }

    /// Whether everything this gives, `wide` gives too.
    pub(crate) fn is_within(&self, wide: &Self) -> bool {
        self.scopes.is_subset(&wide.scopes)
            && self.life <= wide.life
            && self.bound.is_as_strict_as(wide.bound)
            && (self.environment == wide.environment || self.environment == Environment::Refused)
    }
}

/// RFC 6749, section 3.3.
pub(crate) fn is_scope(text: &str) -> bool {
    (1..=LONGEST_SCOPE).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic() && c != b'"' && c != b'\\')
}

/// The scopes of a list with single spaces between them, each once.
pub(crate) fn scopes_of(text: &str) -> Result<BTreeSet<String>, String> {
    let mut scopes = BTreeSet::new();
    for one in text.split(' ') {
        if !is_scope(one) {
            return Err(format!("`{}` is no scope; write them with one space between two", short(one)));
        }
        if !scopes.insert(one.to_owned()) {
            return Err(format!("`{}` is there twice", short(one)));
        }
        if scopes.len() > MOST_SCOPES {
            return Err(format!("more than {MOST_SCOPES} are too many"));
        }
    }
    Ok(scopes)
}

pub(crate) fn joined(scopes: &BTreeSet<String>) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_strict_and_normal() {
        let plain = Definition::read(&json!({ "scopes": ["b", "a", "b"] })).unwrap();
        assert_eq!(plain.json(), json!({ "scopes": ["a", "b"], "life_secs": 900 }));
        let full = json!({ "scopes": ["a"], "life_secs": 60, "bound": "key", "environment": "allowed" });
        assert_eq!(Definition::read(&full).unwrap().json(), full);
        for (bad, key, word) in [
            (json!({}), "scopes", "what a token allows"),
            (json!({ "scopes": [] }), "scopes", "what a token allows"),
            (json!({ "scopes": ["a b"] }), "scopes", "no scope"),
            (json!({ "scopes": ["a\"b"] }), "scopes", "no scope"),
            (json!({ "scopes": ["é"] }), "scopes", "no scope"),
            (json!({ "scopes": ["a"], "life_secs": 3601 }), "life_secs", "10 to 3600"),
            (json!({ "scopes": ["a"], "life_secs": 0 }), "life_secs", "10 to 3600"),
            (json!({ "scopes": ["a"], "bound": "yes" }), "bound", "`either`"),
            (json!({ "scopes": ["a"], "environment": "yes" }), "environment", "`allowed`"),
            (json!({ "scopes": ["a"], "scope": "b" }), "scope", "did you mean `scopes`?"),
        ] {
            let error = Definition::read(&bad).unwrap_err();
            assert_eq!(error.what, key, "{bad}");
            assert!(error.why.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn narrower_is_less_of_the_same() {
        let of = |given: Value| Definition::read(&given).unwrap();
        let wide = of(json!({ "scopes": ["a", "b"], "life_secs": 60, "bound": "either" }));
        for (narrow, within) in [
            (json!({ "scopes": ["a"], "life_secs": 60, "bound": "either" }), true),
            (json!({ "scopes": ["a", "b"], "life_secs": 60, "bound": "key" }), true),
            (json!({ "scopes": ["a", "b"], "life_secs": 60 }), false),
            (json!({ "scopes": ["a", "c"], "life_secs": 60, "bound": "key" }), false),
            (json!({ "scopes": ["a"], "life_secs": 61, "bound": "key" }), false),
            (json!({ "scopes": ["a"], "life_secs": 60, "bound": "key", "environment": "allowed" }), false),
        ] {
            assert_eq!(of(narrow.clone()).is_within(&wide), within, "{narrow}");
        }
    }

    #[test]
    fn a_list_of_scopes_has_one_reading() {
        assert_eq!(scopes_of("b a").unwrap(), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        for bad in ["", " ", "a  b", " a", "a ", "a a", "a\tb", "a\u{a0}b"] {
            assert!(scopes_of(bad).is_err(), "{bad:?}");
        }
    }
}
