//! The settings of a registered resource server: its audience, and how it hears that a token is over.

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{listed, number, object, text, wrong};

const KEYS: [&str; 3] = ["audience", "hears", "cache_secs"];
const LONGEST_AUDIENCE: usize = 255;
const MOST_CACHE: u64 = 300;

/// A resource server's settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// What it calls itself, and the only `aud` it takes.
    pub(crate) audience: String,
    pub(crate) hears: Hears,
}

/// How it hears that a token is over before that runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    /// It does not: it checks signature and claims alone.
    Nothing,
    /// It asks about each token (RFC 7662), and keeps an answer for so long.
    Introspection { cache_secs: u64 },
    /// It takes the feed of ends.
    Feed,
}

impl Settings {
    /// Reads settings, given by people or in normal form.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("settings", given, &KEYS)?;
        let audience = match text(map, "audience")? {
            Some(given) if is_audience(given) => given.to_owned(),
            Some(given) => {
                let why = format!(
                    "`{}` cannot be an audience; write up to {LONGEST_AUDIENCE} visible characters without quotes, such as `https://api.example.com`",
                    short(given)
                );
                return Err(wrong("audience", why));
            }
            None => {
                return Err(wrong("audience", "say what the server calls itself, such as `https://api.example.com`"));
            }
        };
        let cache = number(map, "cache_secs")?;
        let hears = match text(map, "hears")? {
            None | Some("nothing") => Hears::Nothing,
            Some("introspection") => Hears::Introspection { cache_secs: cache.unwrap_or(0) },
            Some("feed") => Hears::Feed,
            Some(other) => {
                let why = format!("`{}` is not one of {}", short(other), listed(&["nothing", "introspection", "feed"]));
                return Err(wrong("hears", why));
            }
        };
        match (cache, hears) {
            (Some(secs), Hears::Introspection { .. }) if secs > MOST_CACHE => {
                Err(wrong("cache_secs", format!("`{secs}` is out of range; write 0 to {MOST_CACHE}")))
            }
            (Some(_), Hears::Nothing | Hears::Feed) => {
                Err(wrong("cache_secs", "it says how long an answer of introspection is kept; leave it out here"))
            }
            (Some(_) | None, _) => Ok(Self { audience, hears }),
        }
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let mut out = Map::from_iter([("audience".to_owned(), json!(self.audience))]);
        let word = match self.hears {
            Hears::Nothing => "nothing",
            Hears::Introspection { cache_secs } => {
                out.insert("cache_secs".to_owned(), json!(cache_secs));
                "introspection"
            }
            Hears::Feed => "feed",
        };
        out.insert("hears".to_owned(), json!(word));
        Value::Object(out)
    }
}

pub(crate) fn is_audience(text: &str) -> bool {
    (1..=LONGEST_AUDIENCE).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_graphic() && !b"\"'\\<>`".contains(&c))
}

pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_strict_and_normal() {
        let plain = Settings::read(&json!({ "audience": "https://api.example" })).unwrap();
        assert_eq!(plain.json(), json!({ "audience": "https://api.example", "hears": "nothing" }));
        let asks = Settings::read(&json!({ "audience": "api", "hears": "introspection" })).unwrap();
        assert_eq!(asks.json(), json!({ "audience": "api", "hears": "introspection", "cache_secs": 0 }));
        assert_eq!(Settings::read(&asks.json()).unwrap(), asks);
        for (bad, key, word) in [
            (json!({}), "audience", "calls itself"),
            (json!({ "audience": "" }), "audience", "visible"),
            (json!({ "audience": "a b" }), "audience", "visible"),
            (json!({ "audience": "a", "audiences": "b" }), "audiences", "did you mean `audience`?"),
            (json!({ "audience": ["a", "b"] }), "audience", "text"),
            (json!({ "audience": "a", "hears": "rumours" }), "hears", "`introspection`"),
            (json!({ "audience": "a", "cache_secs": 5 }), "cache_secs", "leave it out"),
            (json!({ "audience": "a", "hears": "introspection", "cache_secs": 301 }), "cache_secs", "0 to 300"),
        ] {
            let error = Settings::read(&bad).unwrap_err();
            assert_eq!(error.what, key, "{bad}");
            assert!(error.why.contains(word), "{bad}: {error}");
        }
    }
}
