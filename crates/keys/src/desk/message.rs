//! What is said to a signer and what it says, as data: one call, one reply, each a bounded frame.

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wane_connector::{SignError, Vouched};
use wane_domain::approval::Signature as Signed;
use wane_domain::id::GrantId;
use wane_domain::issue::Right;
use wane_domain::time::Span;

use super::root::Shown;

/// The longest frame either side reads.
pub const LONGEST_FRAME: usize = 512 * 1024;

/// Bytes, in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        BASE64.decode(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// What is asked of a signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// The public key of a purpose.
    PublicKey {
        /// Which.
        purpose: String,
    },
    /// A signature over what a grant gives.
    Issue {
        /// With which key.
        purpose: String,
        /// What the grant allows, as whoever asks says.
        right: Box<Right>,
        /// What is to be signed.
        message: Bytes,
    },
    /// A signature over what stands under no grant.
    Publish {
        /// With which key.
        purpose: String,
        /// Shown in the log.
        what: String,
        /// What is to be signed.
        message: Bytes,
    },
    /// A grant is over.
    Ended {
        /// Which.
        grant: GrantId,
    },
    /// A key that an approver vouches for; it counts once enough do.
    Enrol {
        /// The voucher, to the byte.
        voucher: String,
        /// The signature over it.
        signature: Signed,
    },
    /// What the signer asks for, and whose keys it knows.
    Show,
}

/// What a signer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// A public key.
    Key(Bytes),
    /// A signature.
    Signature(Bytes),
    /// It is done.
    Done,
    /// What it asks for, and whose keys it knows.
    Shown(Box<Shown>),
    /// How many people vouched for a key.
    Vouched(Vouched),
    /// No.
    Refused(Refusal),
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Refusal {
    /// No key for this purpose.
    NoKey(String),
    /// The issuing seal is closed.
    Sealed,
    /// The bytes exceed what the grant allows.
    Exceeds(String),
    /// People have to sign for it.
    Unsigned(String),
    /// It names whom it may not name.
    Named(String),
    /// The key has signed as often as it may.
    TooMany {
        /// Which key.
        purpose: String,
        /// After how long it signs again.
        wait: Span,
    },
    /// The key does not sign this way.
    WrongRoad {
        /// Which key.
        purpose: String,
    },
    /// The call cannot be read, or its root not kept.
    Broken(String),
    /// The call was not heard: whoever said it may not, or it came too late.
    Unheard(String),
}

impl From<SignError> for Refusal {
    fn from(e: SignError) -> Self {
        match e {
            SignError::NoKey(purpose) => Self::NoKey(purpose),
            SignError::Sealed => Self::Sealed,
            SignError::Exceeds(why) => Self::Exceeds(why),
            SignError::Unsigned(why) => Self::Unsigned(why),
            SignError::Named(why) => Self::Named(why),
            SignError::TooMany { purpose, wait } => Self::TooMany { purpose, wait },
            SignError::WrongRoad { purpose, .. } => Self::WrongRoad { purpose },
            SignError::Away(why) => Self::Broken(why),
        }
    }
}

impl From<Refusal> for SignError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoKey(purpose) => Self::NoKey(purpose),
            Refusal::Sealed => Self::Sealed,
            Refusal::Exceeds(why) => Self::Exceeds(why),
            Refusal::Unsigned(why) => Self::Unsigned(why),
            Refusal::Named(why) => Self::Named(why),
            Refusal::TooMany { purpose, wait } => Self::TooMany { purpose, wait },
            Refusal::WrongRoad { purpose } => Self::WrongRoad { purpose, why: "it signs on another road" },
            Refusal::Broken(why) | Refusal::Unheard(why) => Self::Away(why),
        }
    }
}
