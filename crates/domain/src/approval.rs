//! What an approver signs, to the byte, and the keys that count.
//!
//! Owns: the statement, its one spelling, and what it is over. Refuses to know any format of signatures: a
//! signature is carried here and checked by the room `approval`.
//!
//! INVARIANT: a statement has one spelling, and says yes to the items, stages and digest that it names and to
//! nothing else (held by `a_statement_has_one_spelling`, `a_signed_approval_counts_where_it_says_and_nowhere_else`).

use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::id::{ApproverKeyId, OrgId, PersonId};
use crate::text::Line;
use crate::time::Time;

/// What stands before a statement, and keeps its signature from being one of anything else.
pub const DOMAIN: &str = "wane.approval.v1";
/// The same before one by which somebody approves in the place of another.
pub const DOMAIN_INSTEAD: &str = "wane.approval.v2";
/// The longest statement there is: 32 items and everything else of it are well within.
pub const LONGEST_STATEMENT: usize = 8 * 1024;

/// What an approver says yes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Where.
    pub org: OrgId,
    /// The digest of what was asked.
    pub request: Digest,
    /// The digest of what is granted of it, if that is less. Where there is none it is no member of the JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<Digest>,
    /// For which items, at which stages; of the narrower request where it is narrowed.
    pub seats: Vec<Seat>,
    /// What is said.
    pub decision: Says,
    /// By whom.
    pub approver: PersonId,
    /// In whose place, if somebody is away. Where there is none it is no member of the JSON, and only where there is
    /// one the statement begins with [`DOMAIN_INSTEAD`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<PersonId>,
    /// With which key.
    pub key: ApproverKeyId,
    /// When, in microseconds since 1970, UTC.
    pub at: Time,
    /// 16 random bytes, hexadecimal: a statement is made once.
    pub nonce: String,
}

/// One item at one stage, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// Which item.
    pub item: u16,
    /// At which stage.
    pub stage: u16,
}

/// What is said. A no needs no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Yes.
    Approve,
}

/// Why bytes are no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It does not begin as one.
    #[error("it does not begin with `{DOMAIN}` or `{DOMAIN_INSTEAD}` on a line of its own")]
    Domain,
    /// It is not what one says.
    #[error("it is no statement: {0}")]
    Shape(String),
    /// It says what one says, in another spelling.
    #[error("it is not spelt as RFC 8785 has it")]
    Spelling,
}

impl Statement {
    /// The bytes that are signed: [`DOMAIN`] or [`DOMAIN_INSTEAD`], a line feed, and the RFC 8785 form of the statement.
    /// They are text.
    ///
    /// # Errors
    /// Never: every field has a JSON form.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let domain = if self.instead_of.is_some() { DOMAIN_INSTEAD } else { DOMAIN };
        Ok(format!("{domain}\n{}", serde_json_canonicalizer::to_string(self)?))
    }

    /// Reads one in its one spelling.
    ///
    /// # Errors
    /// When the text is no statement, or spelt otherwise.
    pub fn read(text: &str) -> Result<Self, StatementError> {
        let known = [DOMAIN, DOMAIN_INSTEAD].into_iter().find_map(|domain| text.strip_prefix(domain));
        let json = known.and_then(|rest| rest.strip_prefix('\n')).ok_or(StatementError::Domain)?;
        if text.len() > LONGEST_STATEMENT {
            return Err(StatementError::Shape("it is too long".to_owned()));
        }
        let read: Self = serde_json::from_str(json).map_err(|e| StatementError::Shape(e.to_string()))?;
        if read.text().is_ok_and(|again| again == text) { Ok(read) } else { Err(StatementError::Spelling) }
    }

    /// What a passkey is asked to sign: SHA-256 of the bytes that an SSH key signs.
    #[must_use]
    pub fn challenge(text: &str) -> Digest {
        Digest::of_text(text)
    }

    /// The digest of what it lets be granted.
    #[must_use]
    pub fn over(&self) -> Digest {
        self.narrowed.unwrap_or(self.request)
    }

    /// Whom it counts as: who signed, and who they stood in for.
    pub fn people(&self) -> impl Iterator<Item = PersonId> {
        [self.approver].into_iter().chain(self.instead_of)
    }

    /// Whether it says yes for an item at a stage.
    #[must_use]
    pub fn seats(&self, item: usize, stage: u16) -> bool {
        self.seats.iter().any(|seat| usize::from(seat.item) == item && seat.stage == stage)
    }
}

/// A statement with its signature, and the key as it was: all that anybody needs to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The bytes that were signed.
    pub statement: String,
    /// The public part of the key.
    pub key: KeyMaterial,
    /// The signature.
    pub signature: Signature,
}

/// A signature, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// SSHSIG (OpenSSH's PROTOCOL.sshsig), armored.
    Ssh(String),
    /// What `navigator.credentials.get()` gave: an assertion (W3C Web Authentication) whose challenge is the SHA-256
    /// of the statement.
    Passkey(serde_json::Value),
}

/// The public part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMaterial {
    /// A line as in `authorized_keys`, without a comment.
    Ssh(String),
    /// A passkey, with where it is good.
    Passkey {
        /// The credential: its id, public key and counter.
        credential: serde_json::Value,
        /// The relying party: a host name.
        rp: String,
        /// The origin of the pages that may ask it.
        origin: String,
    },
}

/// A key whose signatures count as its person's approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproverKey {
    /// Which.
    pub id: ApproverKeyId,
    /// Whose.
    pub person: PersonId,
    /// What they call it.
    pub name: Line,
    /// The public part.
    pub material: KeyMaterial,
    /// Since when. What was asked for earlier it does not approve.
    pub since: Time,
    /// By which proof of identity it was entered: `passkey`, `password+totp`…
    pub proof: String,
    /// When it was taken away, and by whom; it stays here for what was approved with it.
    pub removed: Option<Removed>,
}

/// That a key was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// By whom.
    pub by: PersonId,
    /// When.
    pub at: Time,
}

impl ApproverKey {
    /// Whether it is there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.removed.is_none()
    }

    /// Whether what it signed about a request asked at `asked` counts: it was there before, and was not taken
    /// away before the approval was used.
    ///
    /// INVARIANT: a key approves nothing that was asked before it was entered, and what it approved is void from
    /// the moment it is taken away, but for what was begun before (held by `a_key_counts_while_it_is_there`).
    #[must_use]
    pub fn counts_for(&self, asked: Time, used: Option<Time>) -> bool {
        let there = match (&self.removed, used) {
            (None, _) => true,
            (Some(removed), Some(used)) => used < removed.at,
            (Some(_), None) => false,
        };
        self.since < asked && there
    }
}

/// What stands before the statement by which an approver vouches for the key of another.
pub const VOUCHES: &str = "wane.approver-key.v1";

/// That a key is somebody's, as an approver says whose key is known already. The signer takes no key otherwise, but
/// for those that were entered where it is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voucher {
    /// Where.
    pub org: OrgId,
    /// Which key.
    pub key: ApproverKeyId,
    /// Whose.
    pub person: PersonId,
    /// Its public part.
    pub material: KeyMaterial,
    /// Who says so.
    pub by: PersonId,
    /// With which key.
    pub with: ApproverKeyId,
    /// When.
    pub at: Time,
    /// 16 random bytes, hexadecimal.
    pub nonce: String,
}

impl Voucher {
    /// The bytes that are signed.
    ///
    /// # Errors
    /// When the material has no canonical form.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{VOUCHES}\n{}", serde_json_canonicalizer::to_string(self)?))
    }

    /// Reads one in its one spelling.
    ///
    /// # Errors
    /// When the text is none, or spelt otherwise.
    pub fn read(text: &str) -> Result<Self, StatementError> {
        let json = text.strip_prefix(VOUCHES).and_then(|rest| rest.strip_prefix('\n')).ok_or(StatementError::Domain)?;
        let read: Self = serde_json::from_str(json).map_err(|e| StatementError::Shape(e.to_string()))?;
        if read.text().is_ok_and(|again| again == text) { Ok(read) } else { Err(StatementError::Spelling) }
    }
}
