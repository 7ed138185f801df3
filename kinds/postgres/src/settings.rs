//! How one PostgreSQL server is reached and trusted. There is no "prefer" mode: TLS with a pinned
//! authority or key, or a unix socket, which authenticates by itself.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wane_connector::KindError;
use wane_domain::time::Time;

use crate::scram::USUAL_ROUNDS;
use crate::{quote, tls};
use wane_connector::strict::{object, wrong};

const KEYS: &[&str] =
    &["address", "socket", "port", "user", "databases", "tls", "connection_limit", "scram_iterations", "reassign_to"];
const TLS_KEYS: &[&str] = &["ca_pem", "spki_sha256", "allow_tls12"];

/// Who objects left behind are given to, unless the settings say otherwise.
pub(crate) const REASSIGN_TO: &str = "wane_left_behind";

/// The settings of one server, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) socket: Option<String>,
    /// The port that names the file in `socket`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    pub(crate) user: String,
    pub(crate) databases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<Tls>,
    #[serde(default = "five")]
    pub(crate) connection_limit: u32,
    /// How many rounds the verifiers of passwords take.
    #[serde(default = "usual_rounds", skip_serializing_if = "is_usual")]
    pub(crate) scram_iterations: NonZeroU32,
    #[serde(default = "left_behind")]
    pub(crate) reassign_to: String,
}

/// Whom to believe that it is the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tls {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_pem: Option<String>,
    /// SHA-256 of the server key's SubjectPublicKeyInfo, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spki_sha256: Option<String>,
    /// TLS 1.3 alone, unless an old server needs 1.2.
    #[serde(default)]
    pub(crate) allow_tls12: bool,
}

fn five() -> u32 {
    5
}

/// More than this and clients refuse it, lest a server keep them busy.
const MOST_ROUNDS: u32 = 100_000;

fn usual_rounds() -> NonZeroU32 {
    USUAL_ROUNDS
}

fn is_usual(rounds: &NonZeroU32) -> bool {
    *rounds == USUAL_ROUNDS
}

fn left_behind() -> String {
    REASSIGN_TO.to_owned()
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Tcp { host: &'a str, port: u16, tls: &'a Tls },
    Socket { folder: &'a str, port: u16 },
}

impl Settings {
    /// Reads what a person wrote.
    pub(crate) fn parse(given: &Value) -> Result<Self, KindError> {
        let keys = object("settings", given, KEYS)?;
        if let Some(tls) = keys.get("tls") {
            object("settings.tls", tls, TLS_KEYS)?;
        }
        let settings: Self = serde_json::from_value(given.clone()).map_err(|e| wrong("settings", e.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), KindError> {
        self.place()?;
        if let Some(tls) = &self.tls {
            // What is asked is whether it can be read; nobody is met at that moment.
            tls::client_config(tls, Time::from_micros(0)).map_err(|why| wrong("settings.tls", why))?;
        }
        if self.databases.is_empty() {
            return Err(wrong("settings.databases", "name at least one database; the first is where Wane works"));
        }
        let names = self.databases.iter().map(|name| ("settings.databases", name));
        for (what, name) in names.chain([("settings.user", &self.user), ("settings.reassign_to", &self.reassign_to)]) {
            quote::ident(name).map_err(|e| wrong(what, e.to_string()))?;
        }
        if self.reassign_to == self.user {
            return Err(wrong(
                "settings.reassign_to",
                "must not be the connector: a function left behind as SECURITY DEFINER would run with the connector's rights",
            ));
        }
        if self.connection_limit == 0 || self.connection_limit > 1000 {
            return Err(wrong("settings.connection_limit", "must be 1 to 1000"));
        }
        if self.scram_iterations.get() > MOST_ROUNDS {
            return Err(wrong("settings.scram_iterations", "must be 1 to 100000"));
        }
        Ok(())
    }

    /// Where the server listens.
    pub(crate) fn place(&self) -> Result<Place<'_>, KindError> {
        match (&self.address, &self.socket) {
            (Some(address), None) => {
                let bad = || {
                    wrong(
                        "settings.address",
                        format!("`{}` is not host:port", address.chars().take(64).collect::<String>()),
                    )
                };
                let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
                let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
                if host.is_empty() || !host.chars().all(plain) {
                    return Err(bad());
                }
                if self.port.is_some() {
                    return Err(wrong(
                        "settings.port",
                        "belongs to `socket`; write the port behind the host in `address`",
                    ));
                }
                let Some(tls) = &self.tls else {
                    return Err(wrong("settings.tls", "is needed over TCP: there is no plaintext mode"));
                };
                Ok(Place::Tcp { host, port: port.parse().map_err(|_| bad())?, tls })
            }
            (None, Some(folder)) => {
                if !folder.starts_with('/') || folder.contains('\0') {
                    return Err(wrong(
                        "settings.socket",
                        "must be the absolute path of the folder that holds the server's socket",
                    ));
                }
                if self.tls.is_some() {
                    return Err(wrong(
                        "settings.tls",
                        "does not apply to a unix socket, which authenticates by itself",
                    ));
                }
                Ok(Place::Socket { folder, port: self.port.unwrap_or(5432) })
            }
            (Some(_), Some(_)) => Err(wrong("settings", "give either `address` or `socket`, not both")),
            (None, None) => Err(wrong("settings", "give `address` (host:port) or `socket` (a folder)")),
        }
    }

    /// The database Wane works in, and the one handed out first.
    pub(crate) fn main_database(&self) -> &str {
        self.databases.first().map_or("postgres", String::as_str)
    }
}
