//! Doors for the fuzz targets, which stand outside this crate.

use crate::{claims, proof};

/// Reads what is to be signed of a token: grant, audience, scope, end.
///
/// # Errors
/// When it is refused.
pub fn token(text: &str) -> Result<(String, String, String, i64), String> {
    claims::read(text).map(|(_, claims)| (claims.wane_grant.to_string(), claims.aud, claims.scope, claims.exp))
}

/// Reads a proof of a key: the key's thumbprint, method, address.
///
/// # Errors
/// When it is refused.
pub fn proof(text: &str) -> Result<(String, String, String), String> {
    proof::fuzzed(text)
}
