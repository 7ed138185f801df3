//! Where a directory is and whom to believe that it is it. There is no plaintext but on loopback.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use wane_domain::time::Time;

use crate::tls;

/// A directory's servers, and who Wane is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// `ldaps://host[:port]` or `ldap://host[:port]`, in the order they are tried; all take writes.
    pub urls: Vec<String>,
    /// Whether `ldap://` becomes TLS before anything else is said.
    #[serde(default)]
    pub starttls: bool,
    /// Whom to believe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Who Wane is there: the name of an entry, or for Active Directory also `name@domain`.
    pub bind_dn: String,
}

/// Whom to believe that it is the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The authority that signed the server's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// SHA-256 of the server key's SubjectPublicKeyInfo, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spki_sha256: Option<String>,
    /// TLS 1.3 alone, unless an old server needs 1.2.
    #[serde(default)]
    pub allow_tls12: bool,
}

/// What is wrong with one key, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct Wrong {
    /// The key.
    pub key: &'static str,
    /// Why.
    pub why: String,
}

fn wrong(key: &'static str, why: impl Into<String>) -> Wrong {
    Wrong { key, why: why.into() }
}

/// How many servers of one directory are named at most.
const MOST: usize = 8;

impl Place {
    /// Whether all of it can be used.
    ///
    /// # Errors
    /// The first thing that cannot, and what to write.
    pub fn check(&self) -> Result<(), Wrong> {
        if self.urls.is_empty() || self.urls.len() > MOST {
            return Err(wrong("urls", format!("name 1 to {MOST} servers, such as `ldaps://dir.example.org`")));
        }
        for url in &self.urls {
            self.check_url(url)?;
        }
        if let Some(tls) = &self.tls {
            // What is asked is whether it can be read; nobody is met at that moment.
            tls::client_config(tls, Time::from_micros(0)).map_err(|why| wrong("tls", why))?;
        }
        if self.bind_dn.trim().is_empty() || self.bind_dn.contains('\0') {
            return Err(wrong("bind_dn", "name the entry Wane binds as; an anonymous bind is never used"));
        }
        Ok(())
    }

    fn check_url(&self, url: &str) -> Result<(), Wrong> {
        let shown: String = url.chars().take(80).collect();
        let (secure, rest) = match (url.strip_prefix("ldaps://"), url.strip_prefix("ldap://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(wrong("urls", format!("`{shown}` begins with neither ldaps:// nor ldap://"))),
        };
        let host = parts(rest).map(|(host, _)| host);
        let no_host = || wrong("urls", format!("`{shown}` is not ldaps://HOST or ldaps://HOST:PORT"));
        let host = host.ok_or_else(no_host)?;
        if secure && self.starttls {
            return Err(wrong("starttls", "belongs to `ldap://`; `ldaps://` is TLS from its first byte"));
        }
        let is_tls = secure || self.starttls;
        // INVARIANT: no password goes over a wire in the clear (held by `no_password_goes_in_the_clear`).
        if !is_tls && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            return Err(wrong("urls", format!("`{shown}` is plaintext; write ldaps://, or set `starttls`")));
        }
        if is_tls && self.tls.is_none() {
            return Err(wrong("tls", "give `ca_pem`, the authority that signed the server's certificate"));
        }
        Ok(())
    }
}

impl Place {
    /// Host and port of one of its addresses, and whether it is TLS from its first byte.
    pub(crate) fn server<'a>(&self, url: &'a str) -> Option<(&'a str, u16, bool)> {
        let (rest, usual, secure) = match url.strip_prefix("ldaps://") {
            Some(rest) => (rest, 636, true),
            None => (url.strip_prefix("ldap://")?, 389, false),
        };
        let (host, port) = parts(rest)?;
        Some((host, port.unwrap_or(usual), secure))
    }
}

/// Host and port of what stands behind the scheme, if that is a host with or without a port and nothing else.
fn parts(rest: &str) -> Option<(&str, Option<u16>)> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(six) => {
            let (host, port) = six.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    let port = match port {
        None => None,
        Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port > 0)?),
    };
    (!host.is_empty() && host.chars().all(plain)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_goes_in_the_clear() {
        let pin = || Some(Tls { ca_pem: None, spki_sha256: Some("00".repeat(32)), allow_tls12: false });
        let said = |url: &str, starttls: bool, tls: Option<Tls>| {
            Place { urls: vec![url.to_owned()], starttls, tls, bind_dn: "cn=wane".to_owned() }
                .check()
                .map_err(|e| e.key)
        };
        for (url, starttls, tls, expected) in [
            ("ldaps://dir.example.org", false, pin(), Ok(())),
            ("ldaps://dir.example.org:636/", false, pin(), Ok(())),
            ("ldaps://[2001:db8::1]:636", false, pin(), Ok(())),
            ("ldap://dir.example.org", true, pin(), Ok(())),
            ("ldap://127.0.0.1:389", false, None, Ok(())),
            ("ldap://[::1]", false, None, Ok(())),
            ("ldap://dir.example.org", false, pin(), Err("urls")),
            ("ldap://localhost", false, None, Err("urls")),
            ("ldap://127.0.0.1.example.org", false, None, Err("urls")),
            ("ldaps://dir.example.org", false, None, Err("tls")),
            ("ldap://dir.example.org", true, None, Err("tls")),
            ("ldaps://dir.example.org", true, pin(), Err("starttls")),
            ("ldapi:///run/slapd", false, None, Err("urls")),
            ("ldaps://user@dir.example.org", false, pin(), Err("urls")),
            ("ldaps://dir.example.org/dc=x?uid", false, pin(), Err("urls")),
            ("ldaps://:636", false, pin(), Err("urls")),
            ("ldaps://dir:0", false, pin(), Err("urls")),
        ] {
            assert_eq!(said(url, starttls, tls), expected, "{url}");
        }
    }

    #[test]
    fn nobody_binds_as_nobody() {
        let place = |bind_dn: &str| Place {
            urls: vec!["ldap://127.0.0.1".to_owned()],
            starttls: false,
            tls: None,
            bind_dn: bind_dn.to_owned(),
        };
        assert!(place("").check().is_err() && place(" ").check().is_err() && place("cn=wane").check().is_ok());
    }
}
