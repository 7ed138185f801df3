//! The only place where text becomes part of a statement.
//!
//! Definition statements (`CREATE ROLE`, `GRANT`) take no parameters, so names and values have to
//! be quoted. Refuses whatever PostgreSQL would change silently: a name it would truncate would hit
//! another object.
//!
//! INVARIANT: what was quoted is read by the server as exactly one token with exactly that text
//! (held by `the_server_reads_back_what_was_quoted`).

/// The longest identifier PostgreSQL keeps whole, in bytes.
pub(crate) const LONGEST_NAME: usize = 63;

/// Why a text cannot stand in a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuoteError {
    /// Empty.
    #[error("a name is empty")]
    Empty,
    /// Would be truncated.
    #[error("`{shown}…` is {bytes} bytes long; PostgreSQL would cut it at {LONGEST_NAME} and mean another object")]
    TooLong {
        /// Its beginning.
        shown: String,
        /// Its length.
        bytes: usize,
    },
    /// Holds a NUL, which ends a statement early.
    #[error("a NUL character cannot stand in a statement")]
    Nul,
}

/// A quoted identifier.
pub(crate) fn ident(name: &str) -> Result<String, QuoteError> {
    if name.is_empty() {
        return Err(QuoteError::Empty);
    }
    if name.len() > LONGEST_NAME {
        return Err(QuoteError::TooLong { shown: name.chars().take(20).collect(), bytes: name.len() });
    }
    if name.contains('\0') {
        return Err(QuoteError::Nul);
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// A quoted string. With a backslash in it the escape form is used, which means the same whatever
/// `standard_conforming_strings` says.
pub(crate) fn literal(text: &str) -> Result<String, QuoteError> {
    if text.contains('\0') {
        return Err(QuoteError::Nul);
    }
    let quoted = text.replace('\'', "''");
    Ok(if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") })
}

/// Quoted identifiers, separated by commas.
pub(crate) fn idents<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<String, QuoteError> {
    Ok(names.into_iter().map(ident).collect::<Result<Vec<_>, _>>()?.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_or_refused() {
        for (name, expected) in [
            ("plain", Ok("\"plain\"".to_owned())),
            ("x\"; drop role y; --", Ok("\"x\"\"; drop role y; --\"".to_owned())),
            ("$$", Ok("\"$$\"".to_owned())),
            ("", Err(QuoteError::Empty)),
            ("a\0b", Err(QuoteError::Nul)),
            (&"é".repeat(32), Err(QuoteError::TooLong { shown: "é".repeat(20), bytes: 64 })),
        ] {
            assert_eq!(ident(name), expected, "{name:?}");
        }
    }

    #[test]
    fn strings_are_quoted_or_refused() {
        for (text, expected) in [
            ("it's", Ok("'it''s'")),
            ("a\\'b", Ok(" E'a\\\\''b'")),
            ("$$; drop", Ok("'$$; drop'")),
            ("a\0", Err(QuoteError::Nul)),
        ] {
            assert_eq!(literal(text), expected.map(str::to_owned), "{text:?}");
        }
    }
}
