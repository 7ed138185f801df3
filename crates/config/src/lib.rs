//! Text to settings, with origins.
//!
//! Owns: which settings there are, their defaults and docs, where each value came from, and what is wrong
//! with it, all at once. Refuses to know: what the settings are for, secrets themselves, the network.

mod directory;
mod error;
mod explain;
mod key;
mod layer;
mod nearest;
mod notices;
mod parse;
mod provider;
mod read;
mod secret;
mod settings;
mod webhook;

pub use directory::LdapDirectory;
pub use error::{ConfigError, ConfigErrors};
pub use explain::Explained;
pub use key::{KEYS, Key};
pub use layer::Origin;
pub use notices::{Email, EmailSecurity, Notices, Webhook};
pub use provider::{OidcProvider, Provision, Strength};
pub use secret::{SecretError, SecretRef};
pub use settings::{
    EndsSeal, Engine, Gateway, GatewayListen, GatewayWeb, Hooks, IssuingSeal, Limits, Loaded, Log, LogFormat, LogLevel,
    Login, Recording, RecordingFailure, RecordingFiles, RecordingSessions, RecordingStore, Seal, Server, Settings,
    Signer, StoreAddressing, Tls,
};
