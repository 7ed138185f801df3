//! Refusals as RFC 8555, section 6.7, has them.

use serde_json::{Value, json};

use crate::says::Identifier;

const URN: &str = "urn:ietf:params:acme:error:";

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the words of the standard")]
pub enum Sort {
    AccountDoesNotExist,
    AlreadyRevoked,
    BadCsr,
    BadNonce,
    BadPublicKey,
    BadRevocationReason,
    BadSignatureAlgorithm,
    /// Not now: `serverInternal`, with the status that says so.
    Busy,
    /// Another account has this key: `malformed`, with the status that says so (section 7.3.5).
    Conflict,
    ExternalAccountRequired,
    Malformed,
    /// There is nothing of that name: `malformed`, with the status that says so.
    Missing,
    OrderNotReady,
    RateLimited,
    RejectedIdentifier,
    ServerInternal,
    Unauthorized,
    UnsupportedIdentifier,
}

impl Sort {
    const fn word(self) -> &'static str {
        match self {
            Self::AccountDoesNotExist => "accountDoesNotExist",
            Self::AlreadyRevoked => "alreadyRevoked",
            Self::BadCsr => "badCSR",
            Self::BadNonce => "badNonce",
            Self::BadPublicKey => "badPublicKey",
            Self::BadRevocationReason => "badRevocationReason",
            Self::BadSignatureAlgorithm => "badSignatureAlgorithm",
            Self::ExternalAccountRequired => "externalAccountRequired",
            Self::Conflict | Self::Malformed | Self::Missing => "malformed",
            Self::OrderNotReady => "orderNotReady",
            Self::RateLimited => "rateLimited",
            Self::RejectedIdentifier => "rejectedIdentifier",
            Self::Busy | Self::ServerInternal => "serverInternal",
            Self::Unauthorized => "unauthorized",
            Self::UnsupportedIdentifier => "unsupportedIdentifier",
        }
    }

    /// The status it goes with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::AccountDoesNotExist
            | Self::AlreadyRevoked
            | Self::BadCsr
            | Self::BadNonce
            | Self::BadPublicKey
            | Self::BadRevocationReason
            | Self::BadSignatureAlgorithm
            | Self::Malformed
            | Self::UnsupportedIdentifier => 400,
            Self::ExternalAccountRequired | Self::OrderNotReady | Self::RejectedIdentifier | Self::Unauthorized => 403,
            Self::Missing => 404,
            Self::Conflict => 409,
            Self::RateLimited => 429,
            Self::ServerInternal => 500,
            Self::Busy => 503,
        }
    }
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it is about.
    pub sort: Sort,
    /// In words, and what to do.
    pub detail: String,
    /// The names that are refused, if it is about names.
    pub names: Vec<Identifier>,
    /// The address of what is in the way, if the caller is to know it.
    pub at: Option<String>,
}

impl Refused {
    /// A refusal in words.
    #[must_use]
    pub fn new(sort: Sort, detail: impl Into<String>) -> Self {
        Self { sort, detail: detail.into(), names: Vec::new(), at: None }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Sort::Malformed, detail)
    }

    /// The problem document (RFC 9457).
    #[must_use]
    pub fn json(&self) -> Value {
        let mut out = json!({
            "type": format!("{URN}{}", self.sort.word()),
            "status": self.sort.status(),
            "detail": self.detail,
        });
        let mut put = |key: &str, value: Value| out.as_object_mut().map(|map| map.insert(key.to_owned(), value));
        if self.sort == Sort::BadSignatureAlgorithm {
            put("algorithms", json!(crate::key::ALGORITHMS));
        }
        if !self.names.is_empty() {
            let one = |name: &Identifier| json!({ "type": format!("{URN}{}", self.sort.word()), "detail": self.detail, "identifier": name.json() });
            put("subproblems", self.names.iter().map(one).collect());
        }
        out
    }
}
