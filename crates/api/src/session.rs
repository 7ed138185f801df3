//! Enrolment, signing in, proving identity again, and who one is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::SecretText;

/// Whether the server serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, or `degraded`: it serves and ends what must end, but nothing begins, the log is behind, or the
    /// signer is away.
    pub status: String,
    /// The server's version.
    pub version: String,
    /// `ok`, or `unusable` while the store cannot be read or written.
    #[serde(default = "well")]
    pub store: String,
    /// How many ends were acted on and are not in the log yet.
    #[serde(default)]
    pub unbooked: u64,
    /// How many recordings are over and wait to be put into the object store; 0 where there is none.
    #[serde(default)]
    pub recordings_waiting: u64,
    /// How many directories that people come from cannot be read, or have what they say held back.
    #[serde(default)]
    pub directories_behind: u64,
    /// `ok`, or `away` while the signer, a process of its own, cannot be asked: nothing that it signs is issued, and
    /// everything ends; or `limited` once a key of it was asked for more signatures than it gives in a minute, until it signs
    /// again.
    #[serde(default = "well")]
    pub signer: String,
}

fn well() -> String {
    "ok".to_owned()
}

/// Sets up a local sign-in with a one-time code.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The one-time code an administrator gave out.
    pub code: SecretText,
    /// The password to be.
    pub password: SecretText,
}

/// A sign-in that was set up. Shown once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// Whose it is.
    pub person: String,
    /// The secret of the six-digit codes (RFC 6238), in base32.
    pub totp_secret: SecretText,
    /// The same as an `otpauth://` address for authenticator apps.
    pub otpauth_url: SecretText,
}

/// Signs in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Who.
    pub person: String,
    /// Their password.
    pub password: SecretText,
    /// The six-digit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<SecretText>,
}

/// A session that began.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// The bearer token of the session. Shown once.
    pub token: SecretText,
    /// When the session ends at the latest.
    pub expires: Timestamp,
}

/// Proves identity again inside a session.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Prove {
    /// The password.
    pub password: SecretText,
    /// The six-digit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<SecretText>,
}

/// That identity was proved. The session goes on under a new token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Proved {
    /// When.
    pub proved: Timestamp,
    /// The bearer token of the session from now on; the former one is dead. Shown once.
    pub token: SecretText,
    /// When the session ends at the latest; as before.
    pub expires: Timestamp,
}

/// Who the caller is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Their name.
    pub person: String,
    /// The name people read.
    pub display: String,
    /// The groups they are in.
    pub groups: Vec<String>,
    /// What they may do for the deployment as a whole, as policies name it: `read_access`, `lock`… It says what is worth
    /// showing; each call is judged by itself.
    #[serde(default)]
    pub may: Vec<String>,
    /// The session they speak in.
    pub session: SessionView,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// When identity was last proved in it.
    pub proved: Timestamp,
    /// How: `password+totp`, `passkey`, `oidc`… as policies read it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proof: String,
}

/// A one-time code.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct OneTimeCode {
    /// The code. Shown once.
    pub code: SecretText,
    /// When it stops working.
    pub expires: Timestamp,
}
