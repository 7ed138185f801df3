//! Access tokens (RFC 9068): what one says, its one spelling, and what the signer lets pass.
//!
//! INVARIANT: of a token whose header, spelling or any claim is not exactly as this server writes them nothing is believed
//! (held by `of_all_the_tokens_one_is_believed`), and the signer reads the bytes it signs itself: [`check_token`] (held by
//! `the_signer_refuses_what_exceeds_the_permit`).

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use wane_domain::id::{GrantId, LeaseId, PersonId};
use wane_domain::issue::{Reach, Right};
use wane_domain::time::{Span, Time};

use crate::role::{joined, scopes_of};

/// The longest a token may be valid.
pub const LONGEST: Span = Span::from_hours(1);
/// How far the clock of a resource server may be behind before a token that ran out is over there.
pub const SKEW: Span = Span::from_secs(60);
/// Whom a token is handed to, as `client_id` has it: there is one client of this server, which is whoever holds a grant.
pub(crate) const CLIENT: &str = "wane";
const TYPE: &str = "at+jwt";
/// No token of ours is longer.
pub(crate) const LONGEST_TOKEN: usize = 16 * 1024;

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// The header, in the order of its one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) alg: Algorithm,
    typ: String,
    pub(crate) kid: String,
}

impl Header {
    pub(crate) fn new(alg: Algorithm, kid: String) -> Self {
        Self { alg, typ: TYPE.to_owned(), kid }
    }
}

/// The claims, in the order of their one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: PersonId,
    pub(crate) aud: String,
    pub(crate) exp: i64,
    pub(crate) nbf: i64,
    pub(crate) iat: i64,
    pub(crate) jti: Jti,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) wane_grant: GrantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cnf: Option<Bound>,
}

/// What a token is bound to (RFC 7800): a key (RFC 9449), a certificate (RFC 8705), or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bound {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jkt: Option<String>,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub(crate) x5t: Option<String>,
}

impl Claims {
    pub(crate) fn expires(&self) -> Time {
        Time::from_micros(self.exp.saturating_mul(1_000_000))
    }
}

/// The id of a token: `tok_`, what its lease is called, and its serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jti {
    pub(crate) lease: LeaseId,
    pub(crate) serial: u64,
}

impl fmt::Display for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tok_{}_{}", self.lease.suffix(), self.serial)
    }
}

impl FromStr for Jti {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no = || "it is no id of a token".to_owned();
        let (lease, serial) = text.strip_prefix("tok_").and_then(|rest| rest.split_once('_')).ok_or_else(no)?;
        let lease = format!("lse_{lease}").parse().map_err(|_| no())?;
        let read = Self { lease, serial: serial.parse().map_err(|_| no())? };
        if read.to_string() == text { Ok(read) } else { Err(no()) }
    }
}

impl Serialize for Jti {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Jti {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What is to be signed of a token.
pub(crate) fn to_be_signed(header: &Header, claims: &Claims) -> Result<String, String> {
    Ok(format!("{}.{}", part(header)?, part(claims)?))
}

fn part(of: &impl Serialize) -> Result<String, String> {
    serde_json::to_vec(of).map(|bytes| BASE64URL_NOPAD.encode(&bytes)).map_err(|e| e.to_string())
}

/// Reads what is to be signed, or was. What has a second spelling is refused: what is read is what is signed.
pub(crate) fn read(text: &str) -> Result<(Header, Claims), String> {
    let no = |what: &str| format!("its {what} is not as this server writes it");
    if text.len() > LONGEST_TOKEN {
        return Err("it is too long".to_owned());
    }
    let (first, second) = text.split_once('.').ok_or("it has not two parts")?;
    let header: Header = member(first).ok_or_else(|| no("header"))?;
    let claims: Claims = member(second).ok_or_else(|| no("claims"))?;
    if header.typ != TYPE || to_be_signed(&header, &claims)? != text {
        return Err(no("header or spelling"));
    }
    let scopes = scopes_of(&claims.scope)?;
    if joined(&scopes) != claims.scope || claims.client_id != CLIENT || claims.cnf == Some(Bound::default()) {
        return Err(no("scope, client or binding"));
    }
    if claims.nbf != claims.iat || claims.exp <= claims.iat || claims.iss.is_empty() || claims.aud.is_empty() {
        return Err(no("time, issuer or audience"));
    }
    Ok((header, claims))
}

fn member<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Whether a permit allows these to-be-signed bytes: the checker of a key for tokens.
///
/// # Errors
/// When they are no token in its one spelling, or say more than the permit: another holder, grant or lease, a beginning
/// before it, an end after it, or more than an hour. Audience and scopes are not in a permit, so which they may be is the
/// issuer's to keep.
pub fn check_token(permit: &Right, bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
    let (_, claims) = read(text)?;
    let refuse = |why: &str| Err(why.to_owned());
    if permit.reach() != Reach::Target {
        return refuse("nothing of this kind is good at the gateway alone");
    }
    if claims.wane_grant != permit.grant() || claims.jti.lease != permit.lease() {
        return refuse("it is not for the grant");
    }
    if claims.sub != permit.holder() {
        return refuse("it is not for the holder of the grant");
    }
    if claims.iat < permit.not_before().seconds() {
        return refuse("it begins before the grant");
    }
    if claims.exp > permit.not_after().min(permit.not_before().plus(LONGEST)).seconds() {
        return refuse("it outlives the grant or an hour");
    }
    Ok(())
}
