//! The client verbs of this kind: `wane ssh`, `wane ssh-config`, and `wane host …`: add and join-code, then setup and pull on the host.

mod config;
mod exec;
mod files;
pub(crate) mod fuzzed;
mod pull;
mod register;
mod setup;
mod ssh;
mod sshd_config;

use std::sync::Arc;

pub use config::SshConfig;
pub use pull::HostPull;
pub use register::{HostAdd, HostJoinCode};
pub use setup::HostSetup;
pub use ssh::Ssh;
use wane_connector::verb::Verb;

/// Every verb of this kind.
#[must_use]
pub fn all() -> Vec<Arc<dyn Verb>> {
    vec![
        Arc::new(Ssh),
        Arc::new(SshConfig),
        Arc::new(HostAdd),
        Arc::new(HostJoinCode),
        Arc::new(HostSetup),
        Arc::new(HostPull),
    ]
}
