//! The client verbs of this kind: `wane ssh`, and `wane host …`: add and join-code, then setup and pull on the host.

mod files;
mod pull;
mod register;
mod setup;
mod ssh;
mod sshd_config;

use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;
pub use pull::HostPull;
pub use register::{HostAdd, HostJoinCode};
use serde_json::json;
pub use setup::HostSetup;
pub use ssh::Ssh;
use wane_connector::verb::{AccessPort, Verb, VerbError};

/// Every verb of this kind.
#[must_use]
pub fn all() -> Vec<Arc<dyn Verb>> {
    vec![Arc::new(Ssh), Arc::new(HostAdd), Arc::new(HostJoinCode), Arc::new(HostSetup), Arc::new(HostPull)]
}

/// Reads a verb's arguments; none if help was asked for and shown.
fn parse<A: Parser>(name: &str, args: &[String], port: &dyn AccessPort) -> Result<Option<A>, VerbError> {
    let words = std::iter::once(name).chain(args.iter().map(String::as_str));
    match A::try_parse_from(words) {
        Ok(args) => Ok(Some(args)),
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let text = e.to_string();
            port.put(&json!({ "help": text }), &text);
            Ok(None)
        }
        Err(e) => Err(VerbError::Usage(e.to_string())),
    }
}
