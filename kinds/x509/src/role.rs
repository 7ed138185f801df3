//! What a role means in a certificate: for which end of a connection, under which identity and names, how long.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use wane_connector::KindError;
use wane_connector::strict::{listed, number, object, text, texts, wrong};
use wane_domain::time::Span;

use crate::certificate::LONGEST;
use crate::key::Names;
use crate::settings::{Settings, dns_name, short};

const KEYS: [&str; 6] = ["use", "common_name", "spiffe_path", "dns_names", "ip_addresses", "life_secs"];
const MOST_NAMES: usize = 32;
const LIFE_SECS: std::ops::RangeInclusive<u64> = 10..=3600;
const USUAL_LIFE: u64 = 900;
/// RFC 5280, `ub-common-name`.
const LONGEST_NAME: usize = 64;
const LONGEST_PATH: usize = 512;
/// Stands in a SPIFFE path for who holds the grant.
const HOLDER: &str = "{holder}";

/// Which end of a connection a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Client,
    Server,
}

impl Usage {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// A role's definition, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) usage: Usage,
    /// The subject's common name; the grant's id if none is given.
    pub(crate) common_name: Option<String>,
    /// The path of the SPIFFE ID; without one, the identity is the grant itself.
    pub(crate) spiffe_path: Option<String>,
    pub(crate) dns_names: BTreeSet<String>,
    pub(crate) ip_addresses: BTreeSet<IpAddr>,
    pub(crate) life: Span,
}

impl Definition {
    /// Reads a definition, given by people or in normal form.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("definition", given, &KEYS)?;
        let usage = match text(map, "use")? {
            Some("client") => Usage::Client,
            Some("server") => Usage::Server,
            Some(other) => {
                return Err(wrong(
                    "use",
                    format!("`{}` is not one of {}", short(other), listed(&["client", "server"])),
                ));
            }
            None => return Err(wrong("use", "say which end of a connection it is for: `client` or `server`")),
        };
        let common_name = match text(map, "common_name")? {
            None => None,
            Some(given) if is_common_name(given) => Some(given.to_owned()),
            Some(given) => {
                let why = format!(
                    "`{}` cannot be a name; write up to {LONGEST_NAME} letters, digits, `.`, `-`, `_`, `@`",
                    short(given)
                );
                return Err(wrong("common_name", why));
            }
        };
        let spiffe_path = match text(map, "spiffe_path")? {
            None => None,
            Some(given) if is_path(given) => Some(given.to_owned()),
            Some(given) => {
                let why = format!(
                    "`{}` is no path of a SPIFFE ID; write `/ns/shop/sa/api`; `{HOLDER}` stands for who holds the grant",
                    short(given)
                );
                return Err(wrong("spiffe_path", why));
            }
        };
        let (dns_names, ip_addresses) = names(map, usage)?;
        let life = number(map, "life_secs")?.unwrap_or(USUAL_LIFE);
        if !LIFE_SECS.contains(&life) {
            let (from, to) = (LIFE_SECS.start(), LIFE_SECS.end());
            return Err(wrong("life_secs", format!("`{life}` is out of range; write {from} to {to}")));
        }
        Ok(Self { usage, common_name, spiffe_path, dns_names, ip_addresses, life: Span::from_secs(life).min(LONGEST) })
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let mut out = json!({ "use": self.usage.word(), "life_secs": self.life.secs() });
        if let Some(map) = out.as_object_mut() {
            let mut put = |key: &str, value: Option<Value>| value.map(|value| map.insert(key.to_owned(), value));
            put("common_name", self.common_name.as_ref().map(|name| json!(name)));
            put("spiffe_path", self.spiffe_path.as_ref().map(|path| json!(path)));
            put("dns_names", (!self.dns_names.is_empty()).then(|| json!(self.dns_names)));
            put("ip_addresses", (!self.ip_addresses.is_empty()).then(|| json!(self.ip_addresses)));
        }
        out
    }

    /// Whether everything this gives, `wide` gives too.
    pub(crate) fn is_within(&self, wide: &Self) -> bool {
        self.usage == wide.usage
            && self.common_name == wide.common_name
            && self.spiffe_path == wide.spiffe_path
            && self.dns_names.is_subset(&wide.dns_names)
            && self.ip_addresses.is_subset(&wide.ip_addresses)
            && self.life <= wide.life
    }

    /// Why it cannot be used for a service with these settings.
    pub(crate) fn unusable_at(&self, settings: &Settings) -> Option<String> {
        let lacks = self.spiffe_path.is_some() && settings.trust_domain.is_none();
        lacks.then(|| "the role has a `spiffe_path`, and the resource no `trust_domain`".to_owned())
    }

    /// The same for some of its names.
    pub(crate) fn of_names(self, (dns, ip): Names) -> Result<Self, String> {
        // INVARIANT: nothing is certified that the role does not name (held by
        // `a_certificate_is_for_names_of_the_role_and_no_others`).
        let other = dns.difference(&self.dns_names).next().cloned();
        let other = other.or_else(|| ip.difference(&self.ip_addresses).map(ToString::to_string).next());
        if let Some(name) = other {
            return Err(format!("the role does not give `{}`", short(&name)));
        }
        if dns.is_empty() && ip.is_empty() {
            return Err("name at least one of the role's names, or leave `dns_names` and `ip_addresses` out".to_owned());
        }
        // Clients renew what they find in a certificate, its common name included: one that is no name of it is ordered in vain.
        let names = dns.iter().cloned().chain(ip.iter().map(ToString::to_string));
        let common_name = self.common_name.or_else(|| names.into_iter().find(|name| name.len() <= LONGEST_NAME));
        Ok(Self { dns_names: dns, ip_addresses: ip, common_name, ..self })
    }

    /// The SPIFFE ID in a trust domain.
    pub(crate) fn spiffe_id(&self, domain: &str, holder: &str) -> Option<String> {
        self.spiffe_path.as_ref().map(|path| format!("spiffe://{domain}{}", path.replace(HOLDER, holder)))
    }
}

/// The names and addresses a server's certificate is for.
fn names(map: &Map<String, Value>, usage: Usage) -> Result<(BTreeSet<String>, BTreeSet<IpAddr>), KindError> {
    let mut dns = BTreeSet::new();
    for given in texts(map, "dns_names")?.unwrap_or_default() {
        let why = || wrong("dns_names", format!("`{}` is no DNS name; wildcards are not certified", short(given)));
        dns.insert(dns_name(given).ok_or_else(why)?);
    }
    let mut addresses = BTreeSet::new();
    for given in texts(map, "ip_addresses")?.unwrap_or_default() {
        let address = given.parse::<IpAddr>();
        addresses.insert(address.map_err(|_| wrong("ip_addresses", format!("`{}` is no IP address", short(given))))?);
    }
    let many = dns.len().saturating_add(addresses.len());
    match usage {
        Usage::Client if many > 0 => {
            Err(wrong("dns_names", "a client is known by its identity, not by a name; leave names and addresses out"))
        }
        Usage::Server if many == 0 => {
            Err(wrong("dns_names", "name what the server is reached by: `dns_names`, `ip_addresses`, or both"))
        }
        Usage::Client | Usage::Server if many > MOST_NAMES => {
            Err(wrong("dns_names", format!("{many} names are too many; the most is {MOST_NAMES}")))
        }
        Usage::Client | Usage::Server => Ok((dns, addresses)),
    }
}

pub(crate) fn is_common_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || b".-_@".contains(&c))
}

/// The SPIFFE ID standard, section 2.2.
pub(crate) fn is_path(text: &str) -> bool {
    let segment = |segment: &str| {
        let plain = |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || b".-_".contains(&c));
        !segment.is_empty() && segment != "." && segment != ".." && (segment == HOLDER || plain(segment))
    };
    text.len() <= LONGEST_PATH && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_strict_and_normal() {
        let client = Definition::read(&json!({ "use": "client" })).unwrap();
        assert_eq!(client.json(), json!({ "use": "client", "life_secs": 900 }));
        let server = json!({ "use": "server", "dns_names": ["B.example", "a.example", "b.example"], "ip_addresses": ["::1"], "life_secs": 3600 });
        let server = Definition::read(&server).unwrap();
        assert_eq!(server.json()["dns_names"], json!(["a.example", "b.example"]));
        assert_eq!(Definition::read(&server.json()).unwrap(), server);
        for (bad, key, word) in [
            (json!({}), "use", "`client` or `server`"),
            (json!({ "use": "ca" }), "use", "`client`"),
            (json!({ "use": "client", "dns_names": ["a"] }), "dns_names", "not by a name"),
            (json!({ "use": "server" }), "dns_names", "reached by"),
            (json!({ "use": "server", "dns_names": ["*.a"] }), "dns_names", "wildcards"),
            (json!({ "use": "server", "ip_addresses": ["10.0.0.0/8"] }), "ip_addresses", "no IP address"),
            (json!({ "use": "client", "life_secs": 3601 }), "life_secs", "10 to 3600"),
            (json!({ "use": "client", "common_name": "a,O=b" }), "common_name", "letters"),
            (json!({ "use": "client", "spiffe_path": "/a/../b" }), "spiffe_path", "SPIFFE"),
            (json!({ "use": "client", "spiffe_path": "a" }), "spiffe_path", "SPIFFE"),
            (json!({ "use": "client", "ca": true }), "ca", "unknown"),
        ] {
            let error = Definition::read(&bad).unwrap_err();
            assert_eq!(error.what, key, "{bad}");
            assert!(error.why.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn narrower_is_less_of_the_same() {
        let of = |names: &[&str], life: u64| {
            Definition::read(&json!({ "use": "server", "dns_names": names, "life_secs": life })).unwrap()
        };
        assert!(of(&["a"], 60).is_within(&of(&["a", "b"], 60)));
        assert!(of(&["a"], 60).is_within(&of(&["a"], 90)));
        assert!(!of(&["a", "c"], 60).is_within(&of(&["a", "b"], 60)));
        assert!(!of(&["a"], 91).is_within(&of(&["a"], 90)));
        let client = Definition::read(&json!({ "use": "client", "life_secs": 60 })).unwrap();
        assert!(!client.is_within(&of(&["a"], 90)));
    }
}
