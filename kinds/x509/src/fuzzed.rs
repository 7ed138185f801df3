//! Doors for the fuzz targets, which stand outside this crate.

use crate::{key, said};

/// Reads a signing request; what its key is, in its one encoding.
///
/// # Errors
/// When it is refused.
pub fn request(der: &[u8]) -> Result<Vec<u8>, String> {
    key::of_request(der).map(|key| key.spki)
}

/// Reads a public key; it in its one encoding.
///
/// # Errors
/// When it is refused.
pub fn public_key(der: &[u8]) -> Result<Vec<u8>, String> {
    key::of_spki(der).map(|key| key.spki)
}

/// Reads the to-be-signed bytes of a certificate: serial number, grant, identity, end.
///
/// # Errors
/// When they are refused.
pub fn certificate(tbs: &[u8]) -> Result<(Vec<u8>, String, String, i64), String> {
    said::read(tbs).map(|said| (said.serial, said.grant, said.uri, said.not_after))
}
