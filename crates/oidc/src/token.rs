//! When a token of a provider says something: the one place where a JWT is read.
//!
//! INVARIANT: of a token whose signature, header or any claim is not exactly as it must be, nothing is
//! believed (held by `of_all_the_tokens_one_is_believed`). The signature is checked by `jsonwebtoken`; what the
//! claims must say is checked here, strictly: a claim of another shape is no claim that is absent.

use std::fmt;

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use wane_domain::time::{Span, Time};

use crate::claims::Claims;
use crate::keys::Keys;
use crate::members::Members;

/// How a token may be signed. Never with a secret that both sides have, and never not at all.
pub const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// The longest token that is read.
const LONGEST: usize = 64 * 1024;
/// How far two clocks may be apart.
const SKEW: Span = Span::from_secs(60);
/// How old a token may be that was made for this very call.
const OLDEST: Span = Span::from_mins(10);
/// How old a token of a job may be, and how long it may be good for: some are made when their job begins, some are
/// renewed while they are half as old.
const OLDEST_OF_JOB: Span = Span::from_hours(1);
const LONGEST_OF_JOB: Span = Span::from_hours(24);
/// The longest identifier of somebody at a provider (OpenID Connect Core section 2).
const LONGEST_SUBJECT: usize = 255;
/// What a token for signing out says it is about (Back-Channel Logout section 2.4).
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// What would have a reader fetch a key, or take one out of the token itself, or read it in another way.
const FOREIGN: [&str; 10] = ["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "enc", "zip"];

/// From whom, for whom and when.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Whose token it must be.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// The present moment.
    pub now: Time,
}

/// What sort of token it must be. None serves as another.
#[derive(Clone, Copy, Debug)]
pub enum Sort<'a> {
    /// It says who somebody is.
    Identity {
        /// What was sent along when it was asked for.
        nonce: &'a str,
        /// What came with it, to which its `at_hash` must belong if it has one.
        access_token: Option<&'a str>,
    },
    /// It says that somebody signed out.
    Logout,
    /// It says what a job is that asks: of a pipeline, a service account.
    Job {
        /// How it may be signed, of the ways there are.
        algorithms: &'a [Algorithm],
    },
}

/// Why a token says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token.
    #[error("it is not a signed token of three parts")]
    Malformed,
    /// Signed in a way that is not taken.
    #[error("it is signed with `{0}`; RS256, PS256, ES256 and EdDSA are taken")]
    Algorithm(String),
    /// Signed with a key that the provider does not publish, or that could be several.
    #[error("the provider publishes no one key it is signed with")]
    UnknownKey,
    /// The signature is another's.
    #[error("its signature does not hold")]
    Signature,
    /// Its header has something that a token of a provider has not.
    #[error("its header says `{0}`, which is not taken")]
    Header(String),
    /// A claim is not as it must be.
    #[error("its `{claim}` is {why}")]
    Claim {
        /// Which.
        claim: &'static str,
        /// What of it is wrong.
        why: &'static str,
    },
}

/// Believes a token, or says why not.
///
/// # Errors
/// When it is not exactly what it must be.
pub fn check(token: &str, keys: &Keys, rules: &Rules<'_>, sort: &Sort<'_>) -> Result<Claims, TokenError> {
    let header = header(token)?;
    let algorithm = algorithm(&header)?;
    if let Sort::Job { algorithms } = sort
        && !algorithms.contains(&algorithm)
    {
        return Err(TokenError::Algorithm(format!("{algorithm:?}")));
    }
    plain(&header, sort)?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(TokenError::Header("kid".to_owned())),
    };
    let key = keys.find(algorithm, kid).ok_or(TokenError::UnknownKey)?;
    let mut signature_only = Validation::new(algorithm);
    signature_only.required_spec_claims.clear();
    // Its clock is the machine's, and what it takes for absent is not: the claims are read below.
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    let read = jsonwebtoken::decode::<Members>(token, key, &signature_only).map_err(|_| TokenError::Signature)?;
    let claims = read.claims;
    from_and_for(&claims, rules)?;
    in_time(&claims, rules.now, sort)?;
    match sort {
        Sort::Job { .. } => job(&claims)?,
        Sort::Identity { nonce, access_token } => identity(&claims, algorithm, nonce, *access_token)?,
        Sort::Logout => logout(&claims)?,
    }
    Ok(Claims(claims))
}

fn header(token: &str) -> Result<Members, TokenError> {
    if token.len() > LONGEST || token.split('.').count() != 3 || token.split('.').any(str::is_empty) {
        return Err(TokenError::Malformed);
    }
    let first = token.split('.').next().unwrap_or_default();
    let bytes = BASE64URL_NOPAD.decode(first.as_bytes()).map_err(|_| TokenError::Malformed)?;
    Members::read(&bytes).map_err(|_| TokenError::Malformed)
}

fn algorithm(header: &Members) -> Result<Algorithm, TokenError> {
    let said = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let known = ALGORITHMS.into_iter().find(|algorithm| format!("{algorithm:?}") == said);
    known.ok_or_else(|| TokenError::Algorithm(said.chars().take(16).collect()))
}

/// Nothing that leads elsewhere, and not a token of another sort (RFC 8725 section 3.11).
fn plain(header: &Members, sort: &Sort<'_>) -> Result<(), TokenError> {
    // A thumbprint leads nowhere: the key is found by its name, and GitHub says both.
    let harmless = |name: &str| matches!(sort, Sort::Job { .. }) && matches!(name, "x5t" | "x5t#S256");
    let header = &header.without(harmless);
    if let Some(foreign) = FOREIGN.into_iter().find(|name| header.get(name).is_some()) {
        return Err(TokenError::Header(foreign.to_owned()));
    }
    let good = match (header.get("typ"), sort) {
        (None, _) => true,
        (Some(Value::String(typ)), Sort::Identity { .. } | Sort::Job { .. }) => typ.eq_ignore_ascii_case("jwt"),
        (Some(Value::String(typ)), Sort::Logout) => {
            ["jwt", "logout+jwt", "application/logout+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
        }
        (Some(_), _) => false,
    };
    if good && header.get("cty").is_none() { Ok(()) } else { Err(TokenError::Header("typ".to_owned())) }
}

fn from_and_for(claims: &Members, rules: &Rules<'_>) -> Result<(), TokenError> {
    if text(claims, "iss")? != Some(rules.issuer) {
        return Err(wrong("iss", "another's"));
    }
    let authorized = text(claims, "azp")?;
    let to_us = match claims.get("aud") {
        Some(Value::String(one)) => one == rules.client_id,
        Some(Value::Array(all)) => {
            let named = all.iter().all(Value::is_string) && all.iter().any(|one| one == rules.client_id);
            // Meant for several: then for us only where it was also made for us.
            named && (all.len() == 1 || authorized == Some(rules.client_id))
        }
        _ => false,
    };
    if !to_us {
        return Err(wrong("aud", "not this server alone"));
    }
    if authorized.is_some_and(|party| party != rules.client_id) {
        return Err(wrong("azp", "another's"));
    }
    Ok(())
}

fn in_time(claims: &Members, now: Time, sort: &Sort<'_>) -> Result<(), TokenError> {
    let expires = moment(claims, "exp")?.ok_or_else(|| wrong("exp", "missing"))?;
    if now >= expires.plus(SKEW) {
        return Err(wrong("exp", "past"));
    }
    if moment(claims, "nbf")?.is_some_and(|begins| now.plus(SKEW) < begins) {
        return Err(wrong("nbf", "ahead"));
    }
    let made = moment(claims, "iat")?.ok_or_else(|| wrong("iat", "missing"))?;
    if now.plus(SKEW) < made {
        return Err(wrong("iat", "ahead"));
    }
    let oldest = match sort {
        Sort::Identity { .. } | Sort::Logout => OLDEST,
        Sort::Job { .. } => OLDEST_OF_JOB,
    };
    if made.plus(oldest) < now {
        return Err(wrong("iat", "long past"));
    }
    if matches!(sort, Sort::Job { .. }) && expires > made.plus(LONGEST_OF_JOB) {
        return Err(wrong("exp", "more than a day after it was made"));
    }
    Ok(())
}

/// For us and nobody else: what another takes as well, another could show us.
fn job(claims: &Members) -> Result<(), TokenError> {
    if claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() != 1) {
        return Err(wrong("aud", "not this server alone"));
    }
    subject(claims)?.ok_or_else(|| wrong("sub", "missing"))?;
    if text(claims, "jti")?.is_some_and(|jti| jti.is_empty() || jti.len() > LONGEST_SUBJECT) {
        return Err(wrong("jti", "not 1 to 255 characters"));
    }
    // A word about a person who signs in is none about a job.
    match ["nonce", "events", "at_hash"].into_iter().find(|claim| claims.get(claim).is_some()) {
        Some(claim) => Err(wrong(claim, "of another sort of token")),
        None => Ok(()),
    }
}

fn identity(claims: &Members, algorithm: Algorithm, nonce: &str, access_token: Option<&str>) -> Result<(), TokenError> {
    subject(claims)?.ok_or_else(|| wrong("sub", "missing"))?;
    let said = text(claims, "nonce")?.ok_or_else(|| wrong("nonce", "missing"))?;
    if nonce.is_empty() || !bool::from(said.as_bytes().ct_eq(nonce.as_bytes())) {
        return Err(wrong("nonce", "another"));
    }
    if claims.get("events").is_some() {
        return Err(wrong("events", "of another sort of token"));
    }
    if let Some(auth_time) = moment(claims, "auth_time")?
        && auth_time > moment(claims, "iat")?.unwrap_or(auth_time).plus(SKEW)
    {
        return Err(wrong("auth_time", "after it was made"));
    }
    match (text(claims, "at_hash")?, access_token) {
        (Some(said), Some(token)) if said != half_hash(algorithm, token) => Err(wrong("at_hash", "of another token")),
        (Some(_), None) => Err(wrong("at_hash", "of a token that did not come")),
        (Some(_) | None, _) => Ok(()),
    }
}

fn logout(claims: &Members) -> Result<(), TokenError> {
    let event = claims.get("events").and_then(|events| events.get(LOGOUT));
    if !event.is_some_and(Value::is_object) {
        return Err(wrong("events", "not a sign-out"));
    }
    if claims.get("nonce").is_some() {
        return Err(wrong("nonce", "of another sort of token"));
    }
    if text(claims, "jti")?.is_none_or(|jti| jti.is_empty() || jti.len() > LONGEST_SUBJECT) {
        return Err(wrong("jti", "missing"));
    }
    if subject(claims)?.is_none() && text(claims, "sid")?.is_none_or(str::is_empty) {
        return Err(wrong("sub", "missing, and so is its `sid`"));
    }
    Ok(())
}

/// Who: a text of the length that the standard allows, in which nothing hides.
fn subject(claims: &Members) -> Result<Option<&str>, TokenError> {
    let Some(subject) = text(claims, "sub")? else { return Ok(None) };
    let good = (1..=LONGEST_SUBJECT).contains(&subject.len()) && !subject.chars().any(char::is_control);
    if good { Ok(Some(subject)) } else { Err(wrong("sub", "not 1 to 255 plain characters")) }
}

fn text<'c>(claims: &'c Members, claim: &'static str) -> Result<Option<&'c str>, TokenError> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(claim, "no text")),
    }
}

/// Seconds since 1970, whole or not (RFC 7519 section 2).
pub(crate) fn moment(claims: &Members, claim: &'static str) -> Result<Option<Time>, TokenError> {
    const MOST: u64 = 1 << 36;
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let parts = || wrong(claim, "no number of seconds");
    let seconds = match (value.as_u64(), value.as_f64()) {
        (Some(whole), _) => whole,
        (None, Some(broken)) if broken.is_finite() && broken >= 0.0 => {
            // The text before the point: a cast would be silent about what it cuts off.
            format!("{broken:.3}").split('.').next().unwrap_or_default().parse().map_err(|_| parts())?
        }
        (None, _) => return Err(parts()),
    };
    if seconds > MOST {
        return Err(parts());
    }
    Ok(Some(Time::from_micros(0).plus(Span::from_secs(seconds))))
}

/// The left half of a hash, by the algorithm of the signature (OpenID Connect Core section 3.1.3.6).
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let by = if algorithm == Algorithm::EdDSA { &digest::SHA512 } else { &digest::SHA256 };
    let hash = digest::digest(by, token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    BASE64URL_NOPAD.encode(left)
}

const fn wrong(claim: &'static str, why: &'static str) -> TokenError {
    TokenError::Claim { claim, why }
}

impl fmt::Display for Sort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity { .. } => "ID token",
            Self::Logout => "logout token",
            Self::Job { .. } => "token of a job",
        })
    }
}

#[cfg(test)]
mod tests;
