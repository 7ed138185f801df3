//! How people and programs are told: the settings of notices.

use std::path::PathBuf;
use std::time::Duration;

use crate::secret::SecretRef;

/// How people and programs are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notices {
    /// By mail; not unless a mail server is set.
    pub email: Option<Email>,
    /// By webhooks.
    pub webhooks: Vec<Webhook>,
    /// How long one is tried.
    pub try_for: Duration,
    /// How long what became of one is kept.
    pub keep: Duration,
}

/// By mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is kept from others.
    pub security: EmailSecurity,
    /// Name and password there.
    pub login: Option<(String, SecretRef)>,
    /// Who mail is from.
    pub from: String,
    /// PEM file of the only authorities it is trusted by.
    pub ca: Option<PathBuf>,
    /// How long one mail may take.
    pub timeout: Duration,
}

/// How the way to the mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailSecurity {
    /// Plain at first, then TLS, or nothing is said.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Not at all.
    None,
}

/// One webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called: 1 to 32 of a-z, 0-9 and `-`.
    pub name: String,
    /// Where to.
    pub url: String,
    /// What signs.
    pub secret: SecretRef,
    /// What signed before, or will after: both sign while one takes the place of the other.
    pub other_secret: Option<SecretRef>,
    /// Which kinds of notices; all if there are none.
    pub events: Vec<String>,
    /// Whether it may be in a private network.
    pub private: bool,
    /// PEM file of the only authorities it is trusted by.
    pub ca: Option<PathBuf>,
}
