//! What a holder sends along: less than the role gives, and what the token is to be bound to.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wane_connector::KindError;
use wane_connector::strict::{self, number, text, wrong};
use wane_domain::time::Span;
use x509_cert::der::{Decode as _, pem};

use crate::role::scopes_of;

const KEYS: [&str; 5] = ["scope", "life_secs", "dpop", "certificate", "within"];
const LONGEST_CERTIFICATE: usize = 16 * 1024;
const SHORTEST_LIFE: u64 = 10;

/// What was sent, read.
pub(crate) struct Sent<'a> {
    /// Some of the scopes.
    pub(crate) scopes: Option<BTreeSet<String>>,
    /// For less time.
    pub(crate) life: Option<Span>,
    /// The proof of a key.
    pub(crate) dpop: Option<&'a str>,
    /// The thumbprint of a certificate (RFC 8705, section 3.1).
    pub(crate) x5t: Option<String>,
    /// A token that this one is to be within.
    pub(crate) within: Option<&'a str>,
}

impl<'a> Sent<'a> {
    pub(crate) fn read(input: &'a Value) -> Result<Self, KindError> {
        if input.is_null() {
            return Ok(Self { scopes: None, life: None, dpop: None, x5t: None, within: None });
        }
        let map = strict::object("input", input, &KEYS)?;
        let scopes =
            text(map, "scope")?.map(|given| scopes_of(given).map_err(|why| wrong("scope", why))).transpose()?;
        let life = match number(map, "life_secs")? {
            Some(secs) if secs < SHORTEST_LIFE => {
                return Err(wrong("life_secs", format!("a token lives {SHORTEST_LIFE} s at least")));
            }
            given => given.map(Span::from_secs),
        };
        let x5t = text(map, "certificate")?.map(thumbprint).transpose()?;
        Ok(Self { scopes, life, dpop: text(map, "dpop")?, x5t, within: text(map, "within")? })
    }
}

fn thumbprint(given: &str) -> Result<String, KindError> {
    of_certificate(given).map_err(|why| wrong("certificate", why))
}

/// The thumbprint of a certificate in PEM.
pub(crate) fn of_certificate(given: &str) -> Result<String, String> {
    let bad = || "send the client's certificate in PEM, from `-----BEGIN CERTIFICATE-----` on".to_owned();
    if given.len() > LONGEST_CERTIFICATE {
        return Err(format!("it is {} bytes long; the most is {LONGEST_CERTIFICATE}", given.len()));
    }
    let (label, der) = pem::decode_vec(given.trim().as_bytes()).map_err(|_| bad())?;
    if label != "CERTIFICATE" || x509_cert::Certificate::from_der(&der).is_err() {
        return Err(bad());
    }
    Ok(BASE64URL_NOPAD.encode(&Sha256::digest(&der)))
}
