//! Names and free text from outside, parsed once at the rim.
//!
//! INVARIANT: one spelling, one name. Only lower-case ASCII from an allow-list is a name, so
//! case, Unicode forms, look-alikes and separators cannot make two spellings of one identity
//! (held by `names_have_one_spelling`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not a name.
    #[error("`{0}` is not a name: use 1 to 63 of a-z, 0-9, `.`, `_`, `-`, beginning with a letter or digit")]
    NotAName(String),
    /// Too long.
    #[error("the {what} is {got} bytes long; the most is {most}")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its length in bytes.
        got: usize,
        /// The bound in bytes.
        most: usize,
    },
    /// Empty where something is needed.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// Contains characters that reorder or hide text.
    #[error("the {what} contains the control character U+{code:04X}; write it as plain text")]
    Control {
        /// Which text.
        what: &'static str,
        /// The character's code point.
        code: u32,
    },
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(text: String) -> Result<Self, TextError> { $check(&text)?; Ok(Self(text)) }
        }
        impl FromStr for $name {
            type Err = TextError;
            fn from_str(text: &str) -> Result<Self, TextError> { text.to_owned().try_into() }
        }
        impl From<$name> for String {
            fn from(text: $name) -> Self { text.0 }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str { &self.0 }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(&self.0, f) }
        }
    };
}

text_type!(
    /// The name of a person, group, resource, role, label or kind.
    Name, check_name
);
text_type!(
    /// Why access is asked for, or ended: at most 4 KiB.
    Reason, check_reason
);
text_type!(
    /// The number of a ticket or incident elsewhere: at most 128 bytes on one line.
    Ticket, check_ticket
);
text_type!(
    /// A display name, a description, a label's or an attribute's value: at most 256 bytes on one line, may be empty.
    Line, check_line
);

text_type!(
    /// One exact command, as it is to run: at most 4 KiB on one line, nothing in it that hides or reorders text.
    Task, check_task
);

fn check_name(text: &str) -> Result<(), TextError> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = text.as_bytes();
    let good = (1..=63).contains(&bytes.len())
        && bytes.first().is_some_and(|c| plain(*c))
        && bytes.iter().all(|c| plain(*c) || matches!(c, b'.' | b'_' | b'-'));
    if good { Ok(()) } else { Err(TextError::NotAName(text.chars().take(64).collect())) }
}

fn check_reason(text: &str) -> Result<(), TextError> {
    check_text("reason", text, 4096, true)?;
    if text.trim().is_empty() { Err(TextError::Empty("reason")) } else { Ok(()) }
}

fn check_ticket(text: &str) -> Result<(), TextError> {
    check_text("ticket", text, 128, false)?;
    if text.trim().is_empty() { Err(TextError::Empty("ticket")) } else { Ok(()) }
}

fn check_task(text: &str) -> Result<(), TextError> {
    check_text("task", text, 4096, false)?;
    if text.trim().is_empty() { Err(TextError::Empty("task")) } else { Ok(()) }
}

fn check_line(text: &str) -> Result<(), TextError> {
    check_text("text", text, 256, false)
}

fn check_text(what: &'static str, text: &str, most: usize, lines: bool) -> Result<(), TextError> {
    if text.len() > most {
        return Err(TextError::TooLong { what, got: text.len(), most });
    }
    let hidden = |c: char| {
        // Bidirectional controls, zero-width characters and the byte order mark reorder or hide what a reader sees.
        matches!(u32::from(c), 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2069 | 0xFEFF | 0xFFF9..=0xFFFB)
    };
    let bad = text.chars().find(|c| (c.is_control() && !(lines && matches!(c, '\n' | '\t'))) || hidden(*c));
    match bad {
        Some(c) => Err(TextError::Control { what, code: u32::from(c) }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_is_refused() {
        for bad in
            ["", "Alice", "a b", "a,b", "a/b", "../a", "é", "а" /* Cyrillic */, "a\0", ".a", "-a", "a'", "a\""]
        {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was taken for a name");
        }
        for bad in ["", "  ", "a\0b", "a\u{202e}b", "a\u{200b}b", "a\u{1b}[2J"] {
            assert!(bad.parse::<Reason>().is_err(), "{bad:?} was taken for a reason");
        }
        assert!("x".repeat(4097).parse::<Reason>().is_err());
        assert!("line one\nline two, with \"quotes\" and ünïcode".parse::<Reason>().is_ok());
        assert!("two\nlines".parse::<Line>().is_err());
    }

    #[test]
    fn each_text_has_its_bound_and_its_lines() {
        for (taken, left) in [
            ("x".repeat(63).parse::<Name>().is_ok(), "x".repeat(64).parse::<Name>().is_err()),
            ("x".repeat(4096).parse::<Reason>().is_ok(), "x".repeat(4097).parse::<Reason>().is_err()),
            ("x".repeat(4096).parse::<Task>().is_ok(), "x".repeat(4097).parse::<Task>().is_err()),
            ("printf 'ü; $x'".parse::<Task>().is_ok(), "id\nid".parse::<Task>().is_err()),
            (" id ".parse::<Task>().is_ok(), "  ".parse::<Task>().is_err()),
            ("id".parse::<Task>().is_ok(), "id \u{202e}di".parse::<Task>().is_err()),
            ("x".repeat(128).parse::<Ticket>().is_ok(), "x".repeat(129).parse::<Ticket>().is_err()),
            ("x".repeat(256).parse::<Line>().is_ok(), "x".repeat(257).parse::<Line>().is_err()),
            // Bytes, not characters.
            ("é".repeat(64).parse::<Ticket>().is_ok(), "é".repeat(65).parse::<Ticket>().is_err()),
            ("INC-7 (b)".parse::<Ticket>().is_ok(), " \u{a0} ".parse::<Ticket>().is_err()),
            ("a\tb\nc".parse::<Reason>().is_ok(), "a\tb".parse::<Ticket>().is_err()),
            ("".parse::<Line>().is_ok(), "a\nb".parse::<Ticket>().is_err()),
            ("Zoë".parse::<Line>().is_ok(), "a\u{feff}".parse::<Line>().is_err()),
        ] {
            assert!(taken && left, "{taken} {left}");
        }
    }

    proptest! {
        #[test]
        fn names_have_one_spelling(text in prop_oneof![".{0,70}", "[a-zA-Z0-9._-]{0,70}", "[a-zé.,/ ]{1,9}"]) {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert_eq!(name.as_str(), text.to_lowercase());
                prop_assert!(text.is_ascii() && !text.contains(char::is_whitespace));
            }
        }
    }
}
