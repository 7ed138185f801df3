//! Why something a directory sent is refused, as RFC 7644 section 3.12 says it.

use serde_json::{Value, json};

/// The sort of refusal: its status and, where there is one, its `scimType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the `scimType` of its name, or says its status")]
pub enum Kind {
    InvalidFilter,
    TooMany,
    Uniqueness,
    Mutability,
    InvalidSyntax,
    InvalidPath,
    NoTarget,
    InvalidValue,
    /// Nothing of that id here.
    Missing,
    /// It is not at the version that was named any more.
    Stale,
    /// More than is taken at once.
    TooLarge,
}

impl Kind {
    /// The status of an answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Uniqueness => 409,
            Self::Missing => 404,
            Self::Stale => 412,
            Self::TooLarge => 413,
            Self::InvalidFilter
            | Self::TooMany
            | Self::Mutability
            | Self::InvalidSyntax
            | Self::InvalidPath
            | Self::NoTarget
            | Self::InvalidValue => 400,
        }
    }

    /// The word of RFC 7644 table 9.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::InvalidFilter => Some("invalidFilter"),
            Self::TooMany => Some("tooMany"),
            Self::Uniqueness => Some("uniqueness"),
            Self::Mutability => Some("mutability"),
            Self::InvalidSyntax => Some("invalidSyntax"),
            Self::InvalidPath => Some("invalidPath"),
            Self::NoTarget => Some("noTarget"),
            Self::InvalidValue => Some("invalidValue"),
            Self::Missing | Self::Stale | Self::TooLarge => None,
        }
    }
}

/// A refusal with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// The sort.
    pub kind: Kind,
    /// Why, and what to do.
    pub detail: String,
}

impl Refused {
    /// A refusal.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The body of an answer.
    #[must_use]
    pub fn body(&self) -> Value {
        body(self.kind.status(), self.kind.word(), &self.detail)
    }
}

/// The body of any error (RFC 7644 section 3.12).
#[must_use]
pub fn body(status: u16, word: Option<&str>, detail: &str) -> Value {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": status.to_string(),
        "detail": detail,
    });
    if let (Some(body), Some(word)) = (body.as_object_mut(), word) {
        body.insert("scimType".to_owned(), json!(word));
    }
    body
}

/// As much of somebody's text as is repeated.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
