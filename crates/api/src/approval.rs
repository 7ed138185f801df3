//! Approvals that are signed: keys, what is to be signed, signatures.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A key whose signatures count as its person's approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApproverKeyView {
    /// Which.
    pub id: String,
    /// The id of the person whose it is, as it stands in what is signed.
    #[serde(default)]
    pub person_id: String,
    /// What its person calls it.
    pub name: String,
    /// `ssh-ed25519`, `passkey`…
    pub sort: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// The public key as in `authorized_keys`; none of a passkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Since when; it approves what is asked later.
    pub since: Timestamp,
    /// By which proof of identity it was entered.
    pub proof: String,
    /// When it was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
}

/// Somebody's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApproverKeys {
    /// Oldest first, those that were taken away among them.
    pub items: Vec<ApproverKeyView>,
}

/// Enters a key of one's own, under a fresh proof of identity: an SSH key, or a passkey that one signs in with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApproverKey {
    /// What to call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub name: Option<String>,
    /// The line of a `.pub` file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub public_key: Option<String>,
    /// The passkey: `way_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<String>,
}

/// Asks what there is to sign to approve a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToSign {
    /// Which item, from 0; all that wait for this approver if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Not for as long as asked: `30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub duration: Option<String>,
    /// Not for the role asked, but for this narrower one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// With which key: its id. The one SSH key of the caller if neither this nor the next is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With which key: its public part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub public_key: Option<String>,
}

/// What there is to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToSignView {
    /// Which draft it is.
    pub reference: String,
    /// The bytes to be signed, to the last one: UTF-8, without a line feed at the end.
    pub text: String,
    /// What an SSH key signs for: `ssh-keygen -Y sign -n` this.
    pub namespace: String,
    /// With which key.
    pub key: ApproverKeyView,
    /// What a browser asks a passkey, as `navigator.credentials.get()` takes it but for what is base64url here; none for
    /// an SSH key. Its challenge is the SHA-256 of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Value>,
    /// Until when the signature has to be there.
    pub until: Timestamp,
}

/// A signature that approves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignature {
    /// For which draft; of those that are out the one it is good for, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub reference: Option<String>,
    /// What `ssh-keygen -Y sign` wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 12288)]
    pub ssh: Option<String>,
    /// Instead of that: what a passkey answered, with all that are bytes in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Value>,
}

/// Asks what there is to sign to vouch for the key of an approver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToVouch {
    /// With which key of the caller's: its id. Their one SSH key if neither this nor the next is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With which key: its public part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub public_key: Option<String>,
}

/// What there is to sign to vouch for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToVouchView {
    /// The bytes to be signed, to the last one: UTF-8, without a line feed at the end.
    pub text: String,
    /// What an SSH key signs for: `ssh-keygen -Y sign -n` this.
    pub namespace: String,
    /// With which key.
    pub with: ApproverKeyView,
    /// For which key.
    pub key: ApproverKeyView,
    /// Whose that is.
    pub person: String,
}

/// A voucher that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVoucher {
    /// The bytes that were signed.
    #[schema(max_length = 12288)]
    pub text: String,
    /// What `ssh-keygen -Y sign` wrote.
    #[schema(max_length = 12288)]
    pub ssh: String,
}

/// What a voucher came to at the signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VouchedView {
    /// How many people vouched for the key.
    pub have: u16,
    /// How many have to.
    pub of: u16,
    /// Whether it counts now, for what is signed from now on.
    pub counts: bool,
}

/// A signed approval, with all that anybody needs to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedView {
    /// The bytes that were signed.
    pub statement: String,
    /// The public part of the key: `{"ssh": "ssh-ed25519 AAAA…"}`, or a passkey's.
    pub key: Value,
    /// The signature: `{"ssh": "-----BEGIN SSH SIGNATURE…"}`, or a passkey's assertion.
    pub signature: Value,
}
