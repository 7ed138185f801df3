//! Doors for the fuzz targets: what turns text into parts of a statement, as it is. Not an interface.

use crate::quote;

/// A quoted identifier.
///
/// # Errors
/// When it cannot be one.
pub fn ident(name: &str) -> Result<String, String> {
    quote::ident(name).map_err(|e| e.to_string())
}

/// A quoted string.
///
/// # Errors
/// When it cannot be one.
pub fn literal(text: &str) -> Result<String, String> {
    quote::literal(text).map_err(|e| e.to_string())
}
