//! What is said in calls. Of what a client may say besides nothing is read (RFC 8555, section 7).

use std::fmt;
use std::net::IpAddr;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused::{Refused, Sort};

/// Names in one order.
pub const MOST_NAMES: usize = 32;
/// RFC 1035, section 2.3.4.
const LONGEST_NAME: usize = 253;
/// What a certificate is known by: of its authority 20 bytes as a rule, of its number 21 at the most.
const LONGEST_KNOWN: usize = 128;
/// Why a certificate may be revoked by its holder (RFC 5280, section 5.3.1): unspecified, the key is known, another took its
/// place, and the like.
pub const REASONS: [u64; 5] = [0, 1, 3, 4, 5];

/// base64url without padding, as all of ACME has it.
///
/// # Errors
/// When it is not.
pub fn decoded(what: &str, text: &str) -> Result<Vec<u8>, Refused> {
    let wrong = |_| Refused::malformed(format!("`{what}` is not base64url without padding"));
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(wrong)
}

/// Somebody wants an account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewAccount {
    /// Only one that there is.
    #[serde(default)]
    pub only_return_existing: bool,
    /// What binds it.
    pub external_account_binding: Option<Value>,
}

/// Somebody changes their account.
#[derive(Debug, Deserialize)]
pub struct AccountUpdate {
    status: Option<String>,
}

impl AccountUpdate {
    /// Whether it is to be given up.
    ///
    /// # Errors
    /// When it is to become anything else.
    pub fn gives_up(&self) -> Result<bool, Refused> {
        match self.status.as_deref() {
            None | Some("valid") => Ok(false),
            Some("deactivated") => Ok(true),
            Some(_) => Err(Refused::malformed("`status` of an account becomes `deactivated` and nothing else")),
        }
    }
}

/// Somebody orders a certificate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    identifiers: Vec<Raw>,
    not_before: Option<Value>,
    not_after: Option<Value>,
    replaces: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Raw {
    r#type: String,
    value: String,
}

impl NewOrder {
    /// The names, sorted and each once.
    ///
    /// # Errors
    /// When there are none, too many, or some of a sort that nobody certifies here.
    pub fn names(&self) -> Result<Vec<Identifier>, Refused> {
        if self.not_before.is_some() || self.not_after.is_some() {
            let why = "how long a certificate is good is the role's to say; leave `notBefore` and `notAfter` out";
            return Err(Refused::malformed(why));
        }
        if self.identifiers.is_empty() || self.identifiers.len() > MOST_NAMES {
            return Err(Refused::malformed(format!("order a certificate for 1 to {MOST_NAMES} names")));
        }
        let mut names = self.identifiers.iter().map(Identifier::read).collect::<Result<Vec<_>, _>>()?;
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Which certificate it takes the place of, if its client says so (RFC 9773, section 5).
    ///
    /// # Errors
    /// When it is not written as certificates are known.
    pub fn replaces(&self) -> Result<Option<&str>, Refused> {
        let is_one = |part: &str| !part.is_empty() && BASE64URL_NOPAD.decode(part.as_bytes()).is_ok();
        let known = |text: &str| {
            text.len() <= LONGEST_KNOWN
                && text.split_once('.').is_some_and(|(authority, serial)| is_one(authority) && is_one(serial))
        };
        match self.replaces.as_deref() {
            Some(text) if !known(text) => {
                Err(Refused::malformed("`replaces` is no certificate as `renewalInfo` knows it; leave it out"))
            }
            replaces => Ok(replaces),
        }
    }
}

/// A name that a certificate is for (RFC 8555, section 9.7.7, and RFC 8738).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identifier {
    /// A DNS name, in lower case.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl Identifier {
    fn read(raw: &Raw) -> Result<Self, Refused> {
        match raw.r#type.as_str() {
            "dns" if raw.value.len() <= LONGEST_NAME => Ok(Self::Dns(raw.value.to_ascii_lowercase())),
            "dns" => Err(Refused::malformed("a name is too long")),
            "ip" => {
                let wrong = |_| Refused::malformed("an identifier of type `ip` is no address");
                raw.value.parse().map(Self::Ip).map_err(wrong)
            }
            _ => Err(Refused::new(Sort::UnsupportedIdentifier, "names are of type `dns` or `ip`")),
        }
    }

    /// As clients read it.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Dns(name) => json!({ "type": "dns", "value": name }),
            Self::Ip(address) => json!({ "type": "ip", "value": address.to_string() }),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// Somebody wants the certificate they ordered.
#[derive(Debug, Deserialize)]
pub struct Finalize {
    csr: String,
}

impl Finalize {
    /// The signing request, in DER.
    ///
    /// # Errors
    /// When it is not encoded as it has to be.
    pub fn request(&self) -> Result<Vec<u8>, Refused> {
        decoded("csr", &self.csr)
    }
}

/// Somebody wants a certificate revoked.
#[derive(Debug, Deserialize)]
pub struct Revoke {
    certificate: String,
    reason: Option<u64>,
}

impl Revoke {
    /// The certificate, in DER.
    ///
    /// # Errors
    /// When it is not encoded as it has to be.
    pub fn certificate(&self) -> Result<Vec<u8>, Refused> {
        decoded("certificate", &self.certificate)
    }

    /// Why.
    ///
    /// # Errors
    /// When it is no reason that a holder may give.
    pub fn reason(&self) -> Result<u64, Refused> {
        let reason = self.reason.unwrap_or_default();
        if REASONS.contains(&reason) {
            return Ok(reason);
        }
        let why = "the reason is none that a holder may give; take 0, 1, 3, 4 or 5";
        Err(Refused::new(Sort::BadRevocationReason, why))
    }
}
