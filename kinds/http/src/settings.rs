//! The settings of a registered application: its own origin, where it really is, and what is said to it.

use std::net::IpAddr;

use hyper::header::HeaderName;
use serde_json::{Map, Value, json};
use url::{Host, Position, Url};
use wane_connector::KindError;
use wane_connector::strict::{flag, listed, number, object, text, wrong};
use wane_domain::secret::Secret;

use crate::path::short;
use crate::upstream;

const KEYS: [&str; 9] =
    ["origin", "upstream", "upstream_ca", "upstream_plaintext", "http2", "host", "inject", "user_header", "idle_secs"];
const INJECT_KEYS: [&str; 4] = ["as", "name", "prefix", "user"];
const IDLE_SECS: std::ops::RangeInclusive<u64> = 60..=86_400;
const USUAL_IDLE: u64 = 1800;
const LONGEST_CA: usize = 64 * 1024;

/// An application's settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) origin: Origin,
    pub(crate) upstream: Upstream,
    /// Which host the application is asked for.
    pub(crate) host: HostSent,
    pub(crate) inject: Option<Inject>,
    /// A header that has the person's name, plain, for applications that read no assertion.
    pub(crate) user_header: Option<String>,
    /// After how long without a request a session is over.
    pub(crate) idle_secs: u64,
}

/// Where people open it: `https://HOST[:PORT]`, in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The one authority its certificate may come from, in PEM; without TLS none.
    pub(crate) ca: Option<String>,
    /// Whether plain HTTP to another machine is meant.
    plaintext: bool,
    /// Whether it is spoken to in HTTP/2.
    pub(crate) http2: bool,
}

/// Which host the application is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostSent {
    /// The one people open.
    Origin,
    /// The one it is reached at.
    Upstream,
}

/// How the credential that Wane holds is shown to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inject {
    Header { name: String, prefix: String },
    Basic { user: String },
    Cookie { name: String },
    ClientCertificate,
}

impl Settings {
    /// Reads settings, given by people or in normal form.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("settings", given, &KEYS)?;
        let origin = text(map, "origin")?
            .ok_or_else(|| wrong("origin", "say where people open it, such as `https://grafana.apps.example.com`"))?;
        let origin = Origin::read(origin).ok_or_else(|| {
            wrong(
                "origin",
                format!("`{}` is no origin; write `https://HOST` with no path, user or wildcard", short(origin)),
            )
        })?;
        let upstream = Upstream::read(map)?;
        let host = match text(map, "host")? {
            None | Some("origin") => HostSent::Origin,
            Some("upstream") => HostSent::Upstream,
            Some(other) => {
                return Err(wrong(
                    "host",
                    format!("`{}` is not one of {}", short(other), listed(&["origin", "upstream"])),
                ));
            }
        };
        let inject = map.get("inject").map(Inject::read).transpose()?;
        if inject == Some(Inject::ClientCertificate) && upstream.ca.is_none() {
            return Err(wrong("inject", "a client certificate is shown in TLS; make `upstream` an `https` URL"));
        }
        let user_header = text(map, "user_header")?.map(|name| header(name, "user_header")).transpose()?;
        let idle_secs = number(map, "idle_secs")?.unwrap_or(USUAL_IDLE);
        if !IDLE_SECS.contains(&idle_secs) {
            let (from, to) = (IDLE_SECS.start(), IDLE_SECS.end());
            return Err(wrong("idle_secs", format!("`{idle_secs}` is out of range; write {from} to {to}")));
        }
        Ok(Self { origin, upstream, host, inject, user_header, idle_secs })
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        put("origin", json!(self.origin.0));
        put("upstream", json!(self.upstream.url()));
        put("http2", json!(self.upstream.http2));
        put("idle_secs", json!(self.idle_secs));
        put(
            "host",
            json!(match self.host {
                HostSent::Origin => "origin",
                HostSent::Upstream => "upstream",
            }),
        );
        if let Some(ca) = &self.upstream.ca {
            put("upstream_ca", json!(ca));
        }
        if self.upstream.plaintext {
            put("upstream_plaintext", json!(true));
        }
        if let Some(inject) = &self.inject {
            put("inject", inject.json());
        }
        if let Some(name) = &self.user_header {
            put("user_header", json!(name));
        }
        Value::Object(out)
    }

    /// Why the credential that is kept for it, or that there is none, does not go with what is said to it.
    pub(crate) fn unusable_with(&self, credential: Option<&Secret>) -> Option<String> {
        match (&self.inject, credential) {
            (None, None) => None,
            (None, Some(_)) => Some("there is a credential, and `inject` does not say how it is shown".to_owned()),
            (Some(_), None) => Some("`inject` says how a credential is shown, and there is none".to_owned()),
            (Some(Inject::ClientCertificate), Some(secret)) => upstream::client_pair(secret.expose()).err(),
            (Some(_), Some(secret)) => {
                let plain = std::str::from_utf8(secret.expose()).is_ok_and(|text| {
                    (1..=4096).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b))
                });
                (!plain).then(|| "the credential is no text that could stand in a header".to_owned())
            }
        }
    }
}

impl Origin {
    /// Reads an origin; one with anything more is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| url.scheme() == "https")?;
        let bare = url.path() == "/" && url[Position::AfterPath..].is_empty();
        let nobody = url.username().is_empty() && url.password().is_none();
        let named = matches!(url.host(), Some(Host::Domain(name)) if !name.contains('*') && !name.ends_with('.'));
        (bare && nobody && named).then(|| Self(url.origin().ascii_serialization()))
    }

    /// The origin that a request names as its host.
    pub(crate) fn of_host(host: &str) -> Option<Self> {
        let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
        if plain { Self::read(&format!("https://{host}")) } else { None }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As it stands in a `Host` header.
    pub(crate) fn host(&self) -> &str {
        self.0.strip_prefix("https://").unwrap_or(&self.0)
    }
}

impl Upstream {
    fn read(map: &Map<String, Value>) -> Result<Self, KindError> {
        let given = text(map, "upstream")?
            .ok_or_else(|| wrong("upstream", "say where the application is, such as `https://10.0.0.5:3000`"))?;
        let no_url =
            || wrong("upstream", format!("`{}` is no URL; write `https://HOST:PORT` with no path", short(given)));
        let url = Url::parse(given).map_err(|_| no_url())?;
        let bare = url.path() == "/" && url[Position::AfterPath..].is_empty();
        let nobody = url.username().is_empty() && url.password().is_none();
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(no_url()),
        };
        let (host, loopback) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), name == "localhost"),
            Some(Host::Ipv4(address)) => (address.to_string(), address.is_loopback()),
            Some(Host::Ipv6(address)) => (address.to_string(), address.is_loopback()),
            None => return Err(no_url()),
        };
        let port = url.port_or_known_default().filter(|_| bare && nobody).ok_or_else(no_url)?;
        let ca = text(map, "upstream_ca")?.map(str::to_owned);
        match (&ca, tls) {
            (None, true) => {
                return Err(wrong("upstream_ca", "write the one authority its certificate comes from, in PEM"));
            }
            (Some(_), false) => {
                return Err(wrong("upstream_ca", "`upstream` is not `https`, so nothing is vouched for"));
            }
            (Some(pem), true) if pem.len() > LONGEST_CA || upstream::roots(pem).is_err() => {
                return Err(wrong("upstream_ca", "write a certificate in PEM, from `-----BEGIN` to `-----END`"));
            }
            (Some(_), true) | (None, false) => {}
        }
        let plaintext = flag(map, "upstream_plaintext")?;
        if !tls && !loopback && !plaintext {
            let why = "plain HTTP to another machine is read by whoever is between; set `upstream_plaintext` if that is meant";
            return Err(wrong("upstream", why));
        }
        Ok(Self { host, port, ca, plaintext, http2: flag(map, "http2")? })
    }

    /// As a URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// As it stands in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            Ok(IpAddr::V4(_)) | Err(_) => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Inject {
    fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("inject", given, &INJECT_KEYS)?;
        let needed = |key: &'static str, what: &str| text(map, key)?.ok_or_else(|| wrong(key, format!("say {what}")));
        match text(map, "as")? {
            Some("header") => Ok(Self::Header {
                name: header(needed("name", "which header the credential stands in")?, "name")?,
                prefix: text(map, "prefix")?.unwrap_or_default().to_owned(),
            }),
            Some("basic") => Ok(Self::Basic { user: needed("user", "whose password it is")?.to_owned() }),
            Some("cookie") => {
                let name = needed("name", "which cookie the credential is")?;
                let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
                if !token {
                    return Err(wrong("name", format!("`{}` is no name of a cookie", short(name))));
                }
                Ok(Self::Cookie { name: name.to_owned() })
            }
            Some("client_certificate") => Ok(Self::ClientCertificate),
            Some(other) => Err(wrong("as", wane_connector::strict::unknown_word(other, &WAYS))),
            None => Err(wrong("as", format!("say how the credential is shown: {}", listed(&WAYS)))),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Header { name, prefix } => json!({ "as": "header", "name": name, "prefix": prefix }),
            Self::Basic { user } => json!({ "as": "basic", "user": user }),
            Self::Cookie { name } => json!({ "as": "cookie", "name": name }),
            Self::ClientCertificate => json!({ "as": "client_certificate" }),
        }
    }
}

const WAYS: [&str; 4] = ["header", "basic", "cookie", "client_certificate"];

/// Headers that frame a message or name its way: nobody's to set.
const FRAMING: [&str; 8] =
    ["host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "cookie"];

fn header(name: &str, key: &str) -> Result<String, KindError> {
    let read = HeaderName::from_bytes(name.as_bytes()).ok().map(|name| name.as_str().to_owned());
    match read.filter(|name| !FRAMING.contains(&name.as_str()) && !name.contains('_')) {
        Some(name) => Ok(name),
        None => Err(wrong(key, format!("`{}` is no header that can be set", short(name)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_strict_and_normal() {
        let base = json!({ "origin": "https://Grafana.example.com:443/", "upstream": "http://127.0.0.1:3000" });
        let plain = Settings::read(&base).unwrap();
        assert_eq!(plain.json()["origin"], "https://grafana.example.com");
        assert_eq!(Settings::read(&plain.json()).unwrap(), plain);
        let with = |key: &str, value: Value| {
            let mut given = base.clone();
            given[key] = value;
            Settings::read(&given)
        };
        for (key, value, word) in [
            ("origin", json!("http://a.example.com"), "https"),
            ("origin", json!("https://a.example.com/x"), "no path"),
            ("origin", json!("https://u@a.example.com"), "user"),
            ("origin", json!("https://*.example.com"), "wildcard"),
            ("origin", json!("https://192.0.2.1"), "no origin"),
            ("upstream", json!("ftp://a"), "no URL"),
            ("upstream", json!("http://10.0.0.1:80"), "upstream_plaintext"),
            ("upstream", json!("http://127.0.0.1/x"), "no path"),
            ("upstream_ca", json!("x"), "nothing is vouched for"),
            ("host", json!("other"), "`upstream`"),
            ("idle_secs", json!(1), "60 to 86400"),
            ("user_header", json!("content-length"), "can be set"),
            ("user_header", json!("x_user"), "can be set"),
            ("inject", json!({ "as": "heder" }), "did you mean `header`?"),
            ("inject", json!({ "as": "header" }), "which header"),
            ("inject", json!({ "as": "client_certificate" }), "`https`"),
            ("inject", json!({ "as": "cookie", "name": "a b" }), "no name"),
        ] {
            let error = with(key, value.clone()).unwrap_err().to_string();
            assert!(error.contains(word), "{key} {value}: {error}");
        }
        let error = with("upstream", json!("https://10.0.0.1")).unwrap_err();
        assert_eq!(error.what, "upstream_ca");
        let injected = with("inject", json!({ "as": "header", "name": "X-Api-Key" })).unwrap();
        assert_eq!(Settings::read(&injected.json()).unwrap(), injected);
        let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
        assert!(injected.unusable_with(Some(&secret("k"))).is_none());
        assert!(injected.unusable_with(None).is_some() && plain.unusable_with(Some(&secret("k"))).is_some());
        assert!(injected.unusable_with(Some(&secret("a\r\nb: c"))).is_some(), "a second header");
    }

    #[test]
    fn an_origin_is_one_host() {
        for (host, origin) in [
            ("a.example.com", Some("https://a.example.com")),
            ("A.EXAMPLE.com:443", Some("https://a.example.com")),
            ("a.example.com:8443", Some("https://a.example.com:8443")),
            ("a.example.com.", None),
            ("a.example.com/x", None),
            ("u@a.example.com", None),
            ("a.example.com:x", None),
            ("a b", None),
            ("", None),
            ("[::1]", None),
        ] {
            assert_eq!(Origin::of_host(host).as_ref().map(Origin::as_str), origin, "{host}");
        }
    }
}
