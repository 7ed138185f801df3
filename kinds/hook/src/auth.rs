//! How our own credential is shown to a target.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wane_connector::KindError;
use wane_connector::strict::{listed, object, text, unknown_word, wrong};
use wane_domain::secret::Secret;
use zeroize::Zeroizing;

use crate::call::header_name;
use crate::text::{Sort, Text};

/// How our own credential is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// In a header, behind a prefix.
    Header { name: String, prefix: String },
    /// As a password; without a user the credential is `user:password`.
    Basic { user: Option<Text> },
    /// It is an object of headers: `{"X-Key": "…", "X-App": "…"}`.
    Headers { names: Vec<String> },
}

impl Auth {
    const WAYS: &'static [&'static str] = &["header", "basic", "headers"];

    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        const WHAT: &str = "auth";
        let map = object(WHAT, given, &["as", "name", "prefix", "user", "names"])?;
        match text(map, "as")? {
            Some("header") => Ok(Self::Header {
                name: header_name(
                    "auth.name",
                    text(map, "name")?
                        .ok_or_else(|| wrong("auth.name", "say which header the credential stands in"))?,
                )?,
                prefix: text(map, "prefix")?.unwrap_or_default().to_owned(),
            }),
            Some("basic") => {
                let user = text(map, "user")?;
                Ok(Self::Basic { user: user.map(|u| Text::read("auth.user", u, &[Sort::Parameter])).transpose()? })
            }
            Some("headers") => {
                let shape =
                    || wrong("auth.names", "list the headers: the credential is then a JSON object of their values");
                let Some(Value::Array(names)) = map.get("names") else { return Err(shape()) };
                let name = |name: &Value| header_name("auth.names", name.as_str().ok_or_else(shape)?);
                let names = names.iter().map(name).collect::<Result<Vec<_>, _>>()?;
                if !(1..=8).contains(&names.len()) {
                    return Err(shape());
                }
                Ok(Self::Headers { names })
            }
            Some(other) => Err(wrong("auth.as", unknown_word(other, Self::WAYS))),
            None => Err(wrong("auth.as", format!("say how the credential is shown: {}", listed(Self::WAYS)))),
        }
    }

    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Header { name, prefix } => json!({ "as": "header", "name": name, "prefix": prefix }),
            Self::Basic { user: Some(user) } => json!({ "as": "basic", "user": user.written() }),
            Self::Basic { user: None } => json!({ "as": "basic" }),
            Self::Headers { names } => json!({ "as": "headers", "names": names }),
        }
    }

    pub(crate) fn unusable_with(&self, credential: &Secret) -> Option<String> {
        let text = credential
            .expose_str()
            .filter(|text| (1..=4096).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b)));
        let Some(text) = text else { return Some("the credential is no text that could stand in a header".to_owned()) };
        match self {
            Self::Basic { user: None } if !text.contains(':') => {
                Some("without `auth.user` the credential is `user:password`, and there is no `:` in it".to_owned())
            }
            Self::Headers { names } => headers_of(names, text).err(),
            Self::Header { .. } | Self::Basic { .. } => None,
        }
    }
}

/// What of a credential is told nowhere: the whole of it, and each part that is shown by itself.
pub(crate) fn parts(auth: Option<&Auth>, credential: &str) -> Vec<Zeroizing<String>> {
    let mut out = vec![Zeroizing::new(credential.to_owned())];
    match auth {
        Some(Auth::Headers { names }) => {
            let values = headers_of(names, credential).unwrap_or_default();
            out.extend(values.into_iter().map(|(_, value)| Zeroizing::new(value)));
        }
        Some(Auth::Basic { user: None }) => {
            out.extend(credential.split_once(':').map(|(_, password)| Zeroizing::new(password.to_owned())));
        }
        Some(Auth::Basic { user: Some(_) } | Auth::Header { .. }) | None => {}
    }
    out
}

/// The values of several headers, out of a credential that is an object of them.
pub(crate) fn headers_of(names: &[String], credential: &str) -> Result<Vec<(String, String)>, String> {
    let shape = || {
        format!(
            "the credential has to be a JSON object of texts with exactly the keys of `auth.names`: {}",
            names.join(", ")
        )
    };
    let map: BTreeMap<String, String> = serde_json::from_str(credential).map_err(|_| shape())?;
    let lower: BTreeMap<String, String> = map.into_iter().map(|(k, v)| (k.to_ascii_lowercase(), v)).collect();
    if lower.len() != names.len() {
        return Err(shape());
    }
    names.iter().map(|name| lower.get(name).map(|v| (name.clone(), v.clone())).ok_or_else(shape)).collect()
}
