//! OpenID Connect, as the side that relies on it: where a provider is, its keys, the code flow, its tokens.
//!
//! Owns: what leaves this machine towards a provider and in which bounds, and when a token of a provider
//! says something. Refuses to know: people, groups, sessions, the store, and who may sign in.
//!
//! Follows OpenID Connect Core 1.0 (code flow), Discovery 1.0, Back-Channel Logout 1.0, RFC 7636 (PKCE, S256
//! only), RFC 9207 (`iss` in the answer) and RFC 8725 (how to read a JWT).

mod claims;
mod discovery;
mod egress;
mod job;
mod keys;
mod looks;
mod members;
mod provider;
mod settings;
mod token;

pub use claims::Claims;
pub use egress::EgressError;
pub use job::{JobIdentity, JobIssuer, JobIssuerSettings, issuer_of};
pub use provider::{Answer, Begun, Fresh, Identity, LoggedOut, OidcError, Provider};
pub use settings::{ProviderSettings, SettingsError, Userinfo};
pub use token::{ALGORITHMS, TokenError};

/// One reader of hostile bytes, for the fuzz targets: whether a text is a token that anybody signed.
#[doc(hidden)]
pub mod fuzzed {
    pub use jsonwebtoken::Algorithm;

    pub use crate::keys::Keys;
    pub use crate::token::{Rules, Sort, check};
}
