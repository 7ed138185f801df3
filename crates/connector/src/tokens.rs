//! Tokens that come back: at the door of a resource server that asks about one, to be ended, to be exchanged for less.

use serde_json::Value;
use wane_domain::catalogue::Resource;
use wane_domain::id::{GrantId, LeaseId, PersonId};
use wane_domain::time::Time;

/// What a kind knows of the tokens it issues, without the store.
pub trait Tokens: Send + Sync {
    /// What a text says that is a token of ours, its signature good and its time now; nothing of anything else, and never why.
    /// Whether what it stands under still stands is for whoever asks to look.
    fn read(&self, text: &str, now: Time) -> Option<TokenRead>;

    /// Whether a token is for this resource.
    fn is_for(&self, token: &TokenRead, resource: &Resource) -> bool;

    /// Whether a resource calls itself so.
    fn is_named(&self, resource: &Resource, audience: &str) -> bool;

    /// The id of the token with this serial number under a lease.
    fn id(&self, lease: LeaseId, serial: u64) -> String;

    /// What the issuer says of itself (RFC 8414), if it can issue at all.
    fn metadata(&self) -> Option<Value>;

    /// The same for whoever looks for it as OpenID Connect has it (Discovery 1.0): clouds that believe other issuers do.
    fn discovery(&self) -> Option<Value>;

    /// Takes the proof of a key that comes with a token, once; the key's thumbprint.
    ///
    /// # Errors
    /// When it is no proof for this call, or was taken before.
    fn take_proof(&self, proof: &TokenProof<'_>) -> Result<String, String>;

    /// The thumbprint of a certificate in PEM.
    ///
    /// # Errors
    /// When it is none.
    fn certificate(&self, pem: &str) -> Result<String, String>;

    /// A certificate in DER as [`Tokens::certificate`] reads it.
    fn certificate_of(&self, der: &[u8]) -> String;

    /// A resource server was told whether a token is good, which runs out then: what its effects go by.
    fn told(&self, lease: LeaseId, is_good: bool, runs_out: Time, now: Time);
}

/// What a token says.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenRead {
    /// Its id.
    pub id: String,
    /// The grant it stands under.
    pub grant: GrantId,
    /// The lease.
    pub lease: LeaseId,
    /// Its serial number among all that was issued.
    pub serial: u64,
    /// Who holds it.
    pub holder: PersonId,
    /// What it allows, with one space between two.
    pub scope: String,
    /// When it runs out.
    pub until: Time,
    /// The thumbprint of the key it is bound to, if it is bound to one.
    pub key: Option<String>,
    /// The thumbprint of the certificate it is bound to, if it is bound to one.
    pub certificate: Option<String>,
    /// All of its claims.
    pub said: Value,
}

/// A proof of a key that comes with a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenProof<'a> {
    /// The proof.
    pub text: &'a str,
    /// The method of the call it is for.
    pub method: &'a str,
    /// Its address.
    pub url: &'a str,
    /// The token.
    pub token: &'a str,
    /// The present moment.
    pub now: Time,
}
