//! One declared call over HTTP: read strictly, and filled for one sending.
//!
//! Owns: method, path, query, headers, body, and which statuses a declaration may give a meaning. Refuses to know: sockets,
//! and what an answer is for.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;
use url::form_urlencoded::Serializer;
use wane_connector::KindError;
use wane_connector::strict::{listed, object, text, unknown_word, wrong};
use zeroize::Zeroizing;

use crate::document::Node;
use crate::fail::Fail;
use crate::settings::short;
use crate::text::{Key, Sort, Text, Values};

/// The keys that every declared call has.
pub(crate) const CALL_KEYS: &[&str] = &["method", "path", "query", "headers", "json", "form"];
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];
/// The most of a map of a call.
const MOST: usize = 64;
/// Headers that frame a message, name its way, or are said by Wane itself.
const NOT_TO_BE_SET: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "cookie",
    "expect",
    "user-agent",
];

/// A call, with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    method: Method,
    path: Text,
    query: Vec<(String, Text)>,
    headers: Vec<(String, Text)>,
    body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    None,
    Json(Node),
    Form(Vec<(String, Text)>),
}

/// A call that is filled: what is sent, but for the credential.
pub(crate) struct Filled {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Its media type and its bytes.
    pub(crate) body: Option<(&'static str, Zeroizing<Vec<u8>>)>,
}

impl Call {
    /// Reads the keys of a call out of a map that has others besides.
    pub(crate) fn read(what: &str, map: &Map<String, Value>, usual: &str, may: &[Sort]) -> Result<Self, KindError> {
        let at = |key: &str| format!("{what}.{key}");
        let method = text(map, "method")?.unwrap_or(usual);
        if !METHODS.contains(&method) {
            return Err(wrong(at("method"), unknown_word(method, METHODS)));
        }
        let path = text(map, "path")?
            .ok_or_else(|| wrong(at("path"), "say which path is called, below `url`: `/users/{name}`"))?;
        // What stands in a URL is written into logs on the way.
        let open: Vec<Sort> = may.iter().copied().filter(|sort| *sort != Sort::Secret).collect();
        let path = Text::read_path(&at("path"), path, &open)?;
        let query = pairs(&at("query"), map.get("query"), &open)?;
        let headers = pairs(&at("headers"), map.get("headers"), may)?;
        for (name, _) in &headers {
            header_name(&at("headers"), name)?;
        }
        let body = match (map.get("json"), map.get("form")) {
            (None, None) => Body::None,
            (Some(json), None) => Body::Json(Node::read(&at("json"), json, may)?),
            (None, Some(form)) => Body::Form(pairs(&at("form"), Some(form), may)?),
            (Some(_), Some(_)) => return Err(wrong(at("json"), "a call has `json` or `form`, not both")),
        };
        let method: Method = method.parse().map_err(|_| wrong(at("method"), "is no method"))?;
        if method == Method::GET && body != Body::None {
            return Err(wrong(at("method"), "`GET` carries no body; leave `json` and `form` out, or write `POST`"));
        }
        Ok(Self { method, path, query, headers, body })
    }

    /// Puts the call's keys into its normal form.
    pub(crate) fn put(&self, out: &mut Map<String, Value>) {
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("method", json!(self.method.as_str()));
        put("path", json!(self.path.written()));
        let written = |pairs: &[(String, Text)]| {
            Value::Object(pairs.iter().map(|(key, text)| (key.clone(), json!(text.written()))).collect())
        };
        if !self.query.is_empty() {
            put("query", written(&self.query));
        }
        if !self.headers.is_empty() {
            put("headers", written(&self.headers));
        }
        match &self.body {
            Body::None => {}
            Body::Json(node) => put("json", node.written()),
            Body::Form(pairs) => put("form", written(pairs)),
        }
    }

    /// The values it has places for.
    pub(crate) fn keys(&self) -> Vec<&Key> {
        let mut all: Vec<&Key> = self.path.keys().collect();
        all.extend(self.query.iter().flat_map(|(_, text)| text.keys()));
        all.extend(self.headers.iter().flat_map(|(_, text)| text.keys()));
        match &self.body {
            Body::None => {}
            Body::Json(node) => all.extend(node.keys()),
            Body::Form(pairs) => all.extend(pairs.iter().flat_map(|(_, text)| text.keys())),
        }
        all
    }

    /// In a word, for proofs and errors: `GET /users/wane_…`.
    pub(crate) fn said(&self, values: &Values<'_>) -> String {
        let path = self.path.path(values).unwrap_or_else(|_| self.path.written());
        format!("{} {path}", self.method)
    }

    /// Filled, below a URL.
    pub(crate) fn fill(&self, below: &Url, values: &Values<'_>) -> Result<Filled, Fail> {
        let path = format!("{}{}", below.path().trim_end_matches('/'), self.path.path(values)?);
        let mut url = below.clone();
        url.set_path(&path);
        // INVARIANT: what is called is what was declared, whatever a reader of URLs makes of it (held by
        // `a_call_goes_where_it_was_declared_to`).
        if url.path() != path {
            return Err(Fail::refused("its path is read as another one"));
        }
        if !self.query.is_empty() {
            let mut pairs = url.query_pairs_mut();
            for (key, text) in &self.query {
                pairs.append_pair(key, &text.plain(values)?);
            }
        }
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, text) in &self.headers {
            let value = HeaderValue::from_str(&text.plain(values)?)
                .map_err(|_| Fail::refused(format!("what would stand in the header `{name}` cannot stand in one")))?;
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| Fail::refused(e.to_string()))?;
            headers.push((name, value));
        }
        let body = match &self.body {
            Body::None => None,
            Body::Json(node) => {
                let bytes = serde_json::to_vec(&node.fill(values)?).map_err(|e| Fail::refused(e.to_string()))?;
                Some(("application/json", Zeroizing::new(bytes)))
            }
            Body::Form(pairs) => {
                let mut form = Serializer::new(String::new());
                for (key, text) in pairs {
                    form.append_pair(key, &Zeroizing::new(text.plain(values)?));
                }
                Some(("application/x-www-form-urlencoded", Zeroizing::new(form.finish().into_bytes())))
            }
        };
        Ok(Filled { method: self.method.clone(), url, headers, body })
    }
}

/// A name of a header that may be set, in lower case.
pub(crate) fn header_name(what: &str, name: &str) -> Result<String, KindError> {
    let read = HeaderName::from_bytes(name.as_bytes()).ok().map(|name| name.as_str().to_owned());
    match read.filter(|name| !NOT_TO_BE_SET.contains(&name.as_str())) {
        Some(name) => Ok(name),
        None => Err(wrong(what, format!("`{}` is no header that can be set", short(name)))),
    }
}

fn pairs(what: &str, given: Option<&Value>, may: &[Sort]) -> Result<Vec<(String, Text)>, KindError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let Value::Object(map) = given else { return Err(wrong(what, "write an object of texts: `{\"key\": \"value\"}`")) };
    if map.len() > MOST {
        return Err(wrong(what, format!("has more than {MOST} keys")));
    }
    map.iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), Text::read(what, text, may)?)),
            _ => Err(wrong(what, format!("write a text for `{}`", short(key)))),
        })
        .collect()
}

/// Statuses that mean the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statuses(BTreeSet<u16>);

/// What statuses may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It was done, or there: 2xx.
    Done,
    /// It is not there, or there already: 4xx, but none that is about who asks.
    Not,
}

/// These say that whoever asks is not known or not let, or asks too often: nothing about what was asked for.
const ABOUT_US: &[u16] = &[401, 403, 407, 408, 425, 429];

impl Statuses {
    pub(crate) fn read(
        what: &str,
        map: &Map<String, Value>,
        key: &str,
        usual: &[u16],
        meaning: Meaning,
    ) -> Result<Self, KindError> {
        let at = format!("{what}.{key}");
        let Some(given) = map.get(key) else { return Ok(Self(usual.iter().copied().collect())) };
        let shape = || wrong(at.clone(), "write a list of statuses, such as `[200, 204]`");
        let Value::Array(items) = given else { return Err(shape()) };
        let status = |item: &Value| item.as_u64().and_then(|n| u16::try_from(n).ok()).ok_or_else(shape);
        let all = items.iter().map(status).collect::<Result<BTreeSet<u16>, _>>()?;
        // INVARIANT: that our own credential is refused, or the target is in trouble, never says that something is not
        // there (held by `a_refusal_of_our_credential_is_no_absence`).
        let allowed = |status: u16| match meaning {
            Meaning::Done => (200..300).contains(&status),
            Meaning::Not => (400..500).contains(&status) && !ABOUT_US.contains(&status),
        };
        match all.iter().find(|status| !allowed(**status)) {
            None => Ok(Self(all)),
            Some(status) => Err(wrong(
                at,
                match meaning {
                    Meaning::Done => {
                        format!("`{status}` does not say that it was done; write statuses from 200 to 299")
                    }
                    Meaning::Not => format!(
                        "`{status}` says nothing about what was asked for; write statuses from 400 to 499, but none of {}",
                        listed(
                            &ABOUT_US
                                .iter()
                                .map(u16::to_string)
                                .collect::<Vec<_>>()
                                .iter()
                                .map(String::as_str)
                                .collect::<Vec<_>>()
                        )
                    ),
                },
            )),
        }
    }

    pub(crate) fn has(&self, status: u16) -> bool {
        self.0.contains(&status)
    }

    pub(crate) fn json(&self) -> Value {
        json!(self.0)
    }
}

/// A condition on a document: what stands at a place is this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    at: String,
    is: Value,
}

impl Condition {
    pub(crate) fn read(what: &str, given: Option<&Value>) -> Result<Option<Self>, KindError> {
        let Some(given) = given else { return Ok(None) };
        let map = object(what, given, &["at", "is"])?;
        let at = pointer(&format!("{what}.at"), map.get("at"))?
            .ok_or_else(|| wrong(what, "say where: `{\"at\": \"/revoked\", \"is\": true}`"))?;
        match map.get("is") {
            Some(is @ (Value::Bool(_) | Value::String(_) | Value::Number(_))) => Ok(Some(Self { at, is: is.clone() })),
            Some(_) | None => Err(wrong(format!("{what}.is"), "write what stands there then: true, a text, a number")),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "at": self.at, "is": self.is })
    }

    pub(crate) fn holds(&self, document: &Value) -> bool {
        document.pointer(&self.at) == Some(&self.is)
    }

    pub(crate) fn said(&self) -> String {
        format!("`{}` is `{}`", self.at, self.is)
    }
}

/// A JSON Pointer (RFC 6901); the empty one is the whole document.
pub(crate) fn pointer(what: &str, given: Option<&Value>) -> Result<Option<String>, KindError> {
    let refused = || wrong(what, "write a JSON Pointer, such as `/data/id`, or `\"\"` for the whole document");
    match given {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= 256 && (text.is_empty() || text.starts_with('/')) => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &Value) -> Result<Call, KindError> {
        Call::read("create", given.as_object().unwrap(), "POST", &[Sort::Name, Sort::Secret, Sort::Parameter])
    }

    #[test]
    fn a_call_goes_where_it_was_declared_to() {
        let below: Url = "https://h.example:8443/api/v4".parse().unwrap();
        let call = read(&json!({
            "path": "/users/{parameters.v}", "query": { "a&b": "{parameters.v}" },
            "headers": { "X-A": "v {parameters.v}" }, "form": { "n": "{parameters.v}" },
        }))
        .unwrap();
        let fill = |v: &str| {
            let parameters = json!({ "v": v });
            call.fill(&below, &Values::of(parameters.as_object().unwrap()))
        };
        let filled = fill("a/?&=#b").unwrap();
        assert_eq!(
            filled.url.as_str(),
            "https://h.example:8443/api/v4/users/a%2F%3F%26%3D%23b?a%26b=a%2F%3F%26%3D%23b"
        );
        assert_eq!(filled.body.unwrap().1.as_slice(), b"n=a%2F%3F%26%3D%23b");
        for hostile in ["..", ".", "", "a\r\nX-Evil: 1", "a\0b"] {
            assert!(fill(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn calls_are_read_strictly() {
        for (given, word) in [
            (json!({}), "which path"),
            (json!({ "path": "/a", "method": "get" }), "did you mean `GET`"),
            (json!({ "path": "/{secret}" }), "does not stand here"),
            (json!({ "path": "/a", "query": { "s": "{secret}" } }), "does not stand here"),
            (json!({ "path": "/a", "query": ["s"] }), "object of texts"),
            (json!({ "path": "/a", "headers": { "Host": "x" } }), "can be set"),
            (json!({ "path": "/a", "headers": { "a b": "x" } }), "can be set"),
            (json!({ "path": "/a", "json": {}, "form": {} }), "not both"),
            (json!({ "path": "/a", "method": "GET", "json": {} }), "no body"),
            (json!({ "path": "/a", "json": { "{name}": 1 } }), "in a key"),
        ] {
            let met = read(&given).unwrap_err().to_string();
            assert!(met.contains(word), "{given}: {met}");
        }
    }

    #[test]
    fn a_refusal_of_our_credential_is_no_absence() {
        for status in [200, 302, 401, 403, 407, 408, 429, 500, 503] {
            let given = json!({ "absent": [404, status] });
            let read = Statuses::read("verify_absent", given.as_object().unwrap(), "absent", &[404], Meaning::Not);
            assert!(read.is_err(), "{status}");
        }
        for status in [199, 302, 404, 500] {
            let given = json!({ "done": [status] });
            assert!(Statuses::read("create", given.as_object().unwrap(), "done", &[200], Meaning::Done).is_err());
        }
    }
}
