//! The settings of a registered service: where it is, whether it reads the revocation list, its trust domain.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{listed, number, object, text, wrong};

const KEYS: [&str; 5] = ["address", "read_back", "server_ca", "crl_pull_secs", "trust_domain"];
const PULL_SECS: std::ops::RangeInclusive<u64> = 1..=3600;
/// As long as a chain gets.
const LONGEST_CA: usize = 64 * 1024;

/// A service's settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where its TLS listens, if it is ever asked.
    pub(crate) address: Option<Address>,
    pub(crate) read_back: ReadBack,
    /// Who vouches for the service, in PEM, if it is not one of our own authorities.
    pub(crate) server_ca: Option<String>,
    /// How often it is expected to read the revocation list; none if it never does.
    pub(crate) crl_pull_secs: Option<u64>,
    /// The SPIFFE trust domain of identities here.
    pub(crate) trust_domain: Option<String>,
}

/// Whether the service is asked if it still accepts a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadBack {
    /// Never: it cannot be reached from here, or answers the same to everybody until after the handshake.
    None,
    /// Shown the certificate in a handshake, without its key.
    Handshake,
}

/// Where a service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Settings {
    /// Reads settings, given by people or in normal form.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("settings", given, &KEYS)?;
        let address = match text(map, "address")? {
            None => None,
            Some(given) => Some(Address::read(given).ok_or_else(|| {
                wrong("address", format!("`{}` is no address; write `host:port` or `[2001:db8::7]:443`", short(given)))
            })?),
        };
        let read_back = match text(map, "read_back")? {
            None | Some("none") => ReadBack::None,
            Some("handshake") => ReadBack::Handshake,
            Some(other) => {
                let why = format!("`{}` is not one of {}", short(other), listed(&["none", "handshake"]));
                return Err(wrong("read_back", why));
            }
        };
        if read_back == ReadBack::Handshake && address.is_none() {
            return Err(wrong("address", "say where the service listens, so that it can be asked"));
        }
        let server_ca = text(map, "server_ca")?.map(str::to_owned);
        if let Some(pem) = &server_ca {
            let good = pem.len() <= LONGEST_CA && crate::query::roots(pem).is_ok_and(|roots| !roots.is_empty());
            if !good {
                return Err(wrong(
                    "server_ca",
                    "write the authority's certificate in PEM, from `-----BEGIN` to `-----END`",
                ));
            }
        }
        let crl_pull_secs = number(map, "crl_pull_secs")?;
        if let Some(secs) = crl_pull_secs.filter(|secs| !PULL_SECS.contains(secs)) {
            let (from, to) = (PULL_SECS.start(), PULL_SECS.end());
            return Err(wrong("crl_pull_secs", format!("`{secs}` is out of range; write {from} to {to}")));
        }
        if read_back == ReadBack::Handshake && crl_pull_secs.is_none() {
            return Err(wrong("crl_pull_secs", "a service that is asked has to read the list; say how often it does"));
        }
        let trust_domain = match text(map, "trust_domain")? {
            None => None,
            Some(given) if is_trust_domain(given) => Some(given.to_owned()),
            Some(given) => {
                let why = format!(
                    "`{}` is no SPIFFE trust domain; write lower-case letters, digits, `.`, `-`, `_`",
                    short(given)
                );
                return Err(wrong("trust_domain", why));
            }
        };
        Ok(Self { address, read_back, server_ca, crl_pull_secs, trust_domain })
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let read_back = match self.read_back {
            ReadBack::None => "none",
            ReadBack::Handshake => "handshake",
        };
        let mut out = Map::from_iter([("read_back".to_owned(), json!(read_back))]);
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                out.insert(key.to_owned(), value);
            }
        };
        put("address", self.address.as_ref().map(|address| json!(address.to_string())));
        put("server_ca", self.server_ca.as_ref().map(|pem| json!(pem)));
        put("crl_pull_secs", self.crl_pull_secs.map(|secs| json!(secs)));
        put("trust_domain", self.trust_domain.as_ref().map(|domain| json!(domain)));
        Value::Object(out)
    }
}

impl Address {
    fn read(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once("]:")?,
            None => text.rsplit_once(':').filter(|(name, _)| !name.contains(':'))?,
        };
        let plain = port.bytes().all(|digit| digit.is_ascii_digit());
        let port = port.parse().ok().filter(|port| plain && *port != 0)?;
        let host = match name.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => dns_name(name)?,
        };
        Some(Self { host, port })
    }
}

/// A DNS name in its one spelling; no wildcard, and nothing that could be read as an address.
pub(crate) fn dns_name(text: &str) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|c| c.is_ascii_digit()));
    (name.len() <= 253 && !numeric && name.split('.').all(label)).then_some(name)
}

/// The SPIFFE ID standard, section 2.1.
fn is_trust_domain(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-_".contains(&c))
}

pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_strict_and_normal() {
        let plain = Settings::read(&json!({})).unwrap();
        assert_eq!(plain.json(), json!({ "read_back": "none" }));
        let given = json!({ "address": "API.example.com:8443", "read_back": "handshake", "crl_pull_secs": 30, "trust_domain": "example.org" });
        let full = Settings::read(&given).unwrap();
        assert_eq!(full.json()["address"], "api.example.com:8443");
        assert_eq!(Settings::read(&full.json()).unwrap(), full);
        for (bad, key, word) in [
            (json!({ "adress": "a:1" }), "adress", "did you mean `address`?"),
            (json!({ "address": "a" }), "address", "host:port"),
            (json!({ "address": "127.1:443" }), "address", "no address"),
            (json!({ "read_back": "handshake", "crl_pull_secs": 5 }), "address", "where the service listens"),
            (json!({ "read_back": "handshake", "address": "a:443" }), "crl_pull_secs", "how often"),
            (json!({ "read_back": "ocsp" }), "read_back", "`handshake`"),
            (json!({ "crl_pull_secs": 0 }), "crl_pull_secs", "1 to 3600"),
            (json!({ "trust_domain": "Example.org" }), "trust_domain", "lower-case"),
            (json!({ "trust_domain": "a/b" }), "trust_domain", "SPIFFE"),
            (json!({ "server_ca": "no pem" }), "server_ca", "PEM"),
        ] {
            let error = Settings::read(&bad).unwrap_err();
            assert_eq!(error.what, key, "{bad}");
            assert!(error.why.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn a_dns_name_is_one_name() {
        for (given, read) in [
            ("Db.Internal", Some("db.internal")),
            ("*.internal", None),
            ("10.0.0.1", None),
            ("a..b", None),
            ("-a.b", None),
            ("a_b.c", None),
            ("a b", None),
            ("xn--nxasmq6b", Some("xn--nxasmq6b")),
            ("", None),
        ] {
            assert_eq!(dns_name(given).as_deref(), read, "{given}");
        }
    }
}
