//! The settings of a registered host: where it is, what it is called, how its end is read back.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use russh::keys::ssh_key::public::KeyData;
use serde_json::{Value, json};
use wane_connector::KindError;

use crate::key;
use wane_connector::strict::{listed, number, object, text, texts, wrong};

const KEYS: [&str; 5] = ["address", "read_back", "pull_secs", "host_names", "host_keys"];
const MOST_NAMES: usize = 16;
const PULL_SECS: std::ops::RangeInclusive<u64> = 1..=3600;

/// A host's settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) address: Address,
    pub(crate) read_back: ReadBack,
    /// How often the host is expected to pull the revocation list.
    pub(crate) pull_secs: u64,
    /// The names its host certificate is valid for, at least one.
    pub(crate) host_names: Vec<String>,
    /// Host keys it is believed by without a certificate; none unless somebody registered them.
    pub(crate) host_keys: Vec<KeyData>,
}

/// Whether the host is asked if it still accepts a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadBack {
    /// Offer the certificate without a signature and see (RFC 4252 section 7).
    Query,
    /// Never; the host cannot be reached from here.
    None,
}

/// Where sshd listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        let address = text(map, "address")?.ok_or_else(|| wrong("address", "say where sshd listens: `host:port`"))?;
        let address = Address::read(address).ok_or_else(|| {
            wrong(
                "address",
                format!("`{}` is no address; write `host:port`, `192.0.2.7:22` or `[2001:db8::7]:22`", short(address)),
            )
        })?;
        let read_back = match text(map, "read_back")? {
            None | Some("query") => ReadBack::Query,
            Some("none") => ReadBack::None,
            Some(other) => {
                return Err(wrong(
                    "read_back",
                    format!("`{}` is not one of {}", short(other), listed(&["query", "none"])),
                ));
            }
        };
        let pull_secs = number(map, "pull_secs")?.unwrap_or(30);
        if !PULL_SECS.contains(&pull_secs) {
            return Err(wrong(
                "pull_secs",
                format!("`{pull_secs}` is out of range; write {} to {}", PULL_SECS.start(), PULL_SECS.end()),
            ));
        }
        let mut host_names = Vec::new();
        for name in texts(map, "host_names")?.unwrap_or_else(|| vec![address.host.as_str()]) {
            let name = host(name).ok_or_else(|| {
                wrong("host_names", format!("`{}` is neither a host name nor an IP address", short(name)))
            })?;
            if !host_names.contains(&name) {
                host_names.push(name);
            }
        }
        if host_names.is_empty() || host_names.len() > MOST_NAMES {
            return Err(wrong("host_names", format!("name 1 to {MOST_NAMES} names, or leave it out")));
        }
        let mut host_keys = Vec::new();
        for line in texts(map, "host_keys")?.unwrap_or_default() {
            let key = key::read(line).map_err(|why| wrong("host_keys", why))?;
            if !host_keys.contains(&key) {
                host_keys.push(key);
            }
        }
        if host_keys.len() > MOST_NAMES {
            return Err(wrong("host_keys", format!("name at most {MOST_NAMES} keys")));
        }
        Ok(Self { address, read_back, pull_secs, host_names, host_keys })
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let read_back = match self.read_back {
            ReadBack::Query => "query",
            ReadBack::None => "none",
        };
        let mut out = json!({ "address": self.address.to_string(), "read_back": read_back, "pull_secs": self.pull_secs, "host_names": self.host_names });
        let keys: Vec<String> = self.host_keys.iter().filter_map(|key| key::line(key).ok()).collect();
        if let (Some(map), false) = (out.as_object_mut(), keys.is_empty()) {
            map.insert("host_keys".to_owned(), json!(keys));
        }
        out
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
        Some(Self { host: host(name)?, port })
    }
}

/// A host name or address in its one spelling. The allow-list also keeps it from being read as an
/// option or a pattern where it ends up in a command line or a known-hosts file.
pub(crate) fn host(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(address.to_string());
    }
    let name = text.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What looks like numbers and dots is an address or nothing: `127.1` has several readings.
    let numeric = name.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    let good = name.len() <= 253 && name.split('.').all(label) && (!numeric || name.parse::<IpAddr>().is_ok());
    good.then_some(name)
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_spelling() {
        for (given, shown) in [
            ("web1:22", Some("web1:22")),
            ("Web1.Example.COM:2222", Some("web1.example.com:2222")),
            ("127.0.0.1:22022", Some("127.0.0.1:22022")),
            ("[2001:DB8:0::7]:22", Some("[2001:db8::7]:22")),
            ("web1", None),
            ("web1:0", None),
            ("web1:+22", None),
            ("web1:99999", None),
            ("2001:db8::7:22", None),
            ("-oProxyCommand=id:22", None),
            ("a b:22", None),
            ("*:22", None),
            ("a,b:22", None),
            ("127.1:22", None),
            ("a\n:22", None),
            (":22", None),
        ] {
            let read = Settings::read(&json!({ "address": given }));
            assert_eq!(read.ok().map(|s| s.address.to_string()).as_deref(), shown, "{given}");
        }
    }

    #[test]
    fn settings_are_strict_and_normal() {
        let full = Settings::read(&json!({ "address": "web1:22" })).unwrap();
        assert_eq!(
            full.json(),
            json!({ "address": "web1:22", "read_back": "query", "pull_secs": 30, "host_names": ["web1"] })
        );
        assert_eq!(Settings::read(&full.json()).unwrap(), full);
        for (bad, key, word) in [
            (json!({}), "address", "host:port"),
            (json!({ "adress": "a:22" }), "adress", "did you mean `address`?"),
            (json!({ "address": 22 }), "address", "text"),
            (json!({ "address": "a:22", "read_back": "maybe" }), "read_back", "`query`"),
            (json!({ "address": "a:22", "pull_secs": 0 }), "pull_secs", "1 to 3600"),
            (json!({ "address": "a:22", "pull_secs": -1 }), "pull_secs", "whole number"),
            (json!({ "address": "a:22", "host_names": [] }), "host_names", "1 to 16"),
            (json!({ "address": "a:22", "host_names": ["*"] }), "host_names", "neither"),
            (json!({ "address": "a:22", "host_names": "a" }), "host_names", "list"),
        ] {
            let error = Settings::read(&bad).unwrap_err();
            assert_eq!(error.what, key, "{bad}");
            assert!(error.why.contains(word), "{bad}: {error}");
        }
    }
}
