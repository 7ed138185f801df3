//! Bearer tokens: opaque, typed, checksummed; only a keyed hash of one is kept.
//!
//! A token reads `wane_<kind>_<id>_<secret>_<crc>`: one letter of kind; the 26 characters of the
//! [`TokenId`] after its prefix; 256 random bits as 52 characters of lower-case base32hex (RFC 4648
//! section 7); CRC-32 (IEEE) of everything before its underscore as 8 lower-case hexadecimal digits.
//! Secret scanners can find it, and a typing error is told from a wrong token without a look-up.
//!
//! Owns the one spelling of a token and its keyed hash. Refuses to know when a token ends or whom it
//! stands for: that is the store's row.
//!
//! INVARIANT: a text is a token in exactly one spelling (held by `no_variant_of_a_token_is_a_token`).

use std::fmt;

use aws_lc_rs::hmac;
use data_encoding::BASE32_DNSSEC;
use wane_domain::ambient::Ambient;
use wane_domain::id::{TokenId, TypedId};
use wane_domain::secret::{Secret, SecretOnce};
use zeroize::Zeroizing;

const MARK: &str = "wane";
const SECRET: usize = 32;
const CRC_DIGITS: usize = 8;
/// Every token is this long: more need not be read from a peer.
pub const LENGTH: usize = MARK.len() + 1 + 1 + 1 + 26 + 1 + 52 + 1 + CRC_DIGITS;
/// Length of a verifier.
pub const VERIFIER: usize = 32;

/// What a bearer is for. One of a kind never serves as another: the kind is under the checksum
/// and under the keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BearerKind {
    /// A signed-in session.
    Session,
    /// A one-time code to set up a local sign-in.
    Enrol,
    /// A one-time code to join a host.
    Join,
    /// A joined host.
    Host,
    /// A one-time code for the day somebody loses their passkeys.
    Recovery,
    /// A directory that pushes people and groups.
    Directory,
    /// A job of a workload.
    Job,
}

impl BearerKind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Session, Self::Enrol, Self::Join, Self::Host, Self::Recovery, Self::Directory, Self::Job];

    /// Its letter in a token.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Session => "s",
            Self::Enrol => "e",
            Self::Join => "j",
            Self::Host => "h",
            Self::Recovery => "r",
            Self::Directory => "d",
            Self::Job => "w",
        }
    }

    fn of(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.letter() == letter)
    }
}

/// A text that has the form of a token. Whether it *is* one, only [`Pepper::matches`] says.
pub struct Bearer {
    kind: BearerKind,
    id: TokenId,
    text: Zeroizing<String>,
}

impl Bearer {
    /// A new token.
    #[must_use]
    pub fn mint(kind: BearerKind, id: TokenId, ambient: &Ambient) -> Self {
        let secret = Zeroizing::new(ambient.bytes::<SECRET>());
        let encoded = Zeroizing::new(BASE32_DNSSEC.encode(secret.as_slice()));
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        for part in [MARK, "_", kind.letter(), "_", &id.suffix(), "_", &encoded] {
            text.push_str(part);
        }
        let crc = checksum(&text);
        text.push('_');
        text.push_str(&crc);
        Self { kind, id, text }
    }

    /// Reads a token in its one spelling: nothing around it, nothing in another case.
    ///
    /// # Errors
    /// When the text has not exactly the form of a token. The text itself is never repeated.
    pub fn parse(text: &str) -> Result<Self, BearerError> {
        if text.len() != LENGTH {
            return Err(BearerError::Malformed);
        }
        let (body, crc) = text.rsplit_once('_').ok_or(BearerError::Malformed)?;
        if checksum(body) != crc {
            return Err(BearerError::Malformed);
        }
        let mut parts = body.split('_');
        let (Some(MARK), Some(letter), Some(id), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BearerError::Malformed);
        };
        let kind = BearerKind::of(letter).ok_or(BearerError::Malformed)?;
        let id = format!("{}_{id}", TokenId::PREFIX).parse().map_err(|_| BearerError::Malformed)?;
        if !is_secret(secret) {
            return Err(BearerError::Malformed);
        }
        Ok(Self { kind, id, text: Zeroizing::new(text.to_owned()) })
    }

    /// Reads a token of one kind.
    ///
    /// # Errors
    /// When it has not the form of a token, or is of another kind.
    pub fn parse_as(kind: BearerKind, text: &str) -> Result<Self, BearerError> {
        let bearer = Self::parse(text)?;
        if bearer.kind == kind { Ok(bearer) } else { Err(BearerError::OtherKind { wanted: kind }) }
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> BearerKind {
        self.kind
    }

    /// The public part, to look it up by.
    #[must_use]
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// Hands the token over.
    #[must_use]
    pub fn into_secret(mut self) -> SecretOnce {
        SecretOnce::new(std::mem::take(&mut *self.text))
    }
}

fn checksum(body: &str) -> String {
    format!("{:08x}", crc32fast::hash(body.as_bytes()))
}

fn is_secret(text: &str) -> bool {
    let Ok(bytes) = BASE32_DNSSEC.decode(text.as_bytes()).map(Zeroizing::new) else {
        return false;
    };
    // The decoder takes upper case as well; only the spelling we write is ours.
    bytes.len() == SECRET && *Zeroizing::new(BASE32_DNSSEC.encode(&bytes)) == text
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a text is not a token. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// Not the form of a token.
    #[error("this is not a Wane token; copy the whole token, from `wane_` to its last digit, with nothing around it")]
    Malformed,
    /// A token, but for something else.
    #[error("this token is for something else; here one that begins with `wane_{}_` is needed", wanted.letter())]
    OtherKind {
        /// What was needed.
        wanted: BearerKind,
    },
}

/// The key of the hashes of tokens: without it, a copy of the table verifies nothing.
pub struct Pepper(hmac::Key);

impl Pepper {
    /// A new pepper, to be sealed and stored by the caller.
    #[must_use]
    pub fn generate(ambient: &Ambient) -> Secret {
        Secret::new(ambient.bytes::<SECRET>().to_vec())
    }

    /// A stored pepper.
    ///
    /// # Errors
    /// When it has not 32 bytes.
    pub fn new(stored: &Secret) -> Result<Self, PepperError> {
        let bytes = stored.expose();
        if bytes.len() == SECRET {
            Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
        } else {
            Err(PepperError { length: bytes.len() })
        }
    }

    /// What to keep of a token: HMAC-SHA-256 of the whole text.
    #[must_use]
    pub fn verifier(&self, bearer: &Bearer) -> [u8; VERIFIER] {
        let mut out = [0; VERIFIER];
        let tag = hmac::sign(&self.0, bearer.text.as_bytes());
        for (to, from) in out.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        out
    }

    /// A secret that follows from what it is for and whose it is, and is kept nowhere: HMAC-SHA-256 of both. No token begins
    /// as what is hashed here does.
    #[must_use]
    pub fn derived(&self, purpose: &str, whose: &str) -> Secret {
        let said = format!("wane/derived/v1\0{purpose}\0{whose}");
        Secret::new(hmac::sign(&self.0, said.as_bytes()).as_ref().to_vec())
    }

    /// Whether the kept verifier is this token's. Compares all of it in constant time.
    #[must_use]
    pub fn matches(&self, bearer: &Bearer, verifier: &[u8]) -> bool {
        hmac::verify(&self.0, bearer.text.as_bytes(), verifier).is_ok()
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}

/// A stored pepper that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored pepper has {length} bytes instead of {SECRET}; restore it from the backup")]
pub struct PepperError {
    length: usize,
}
