//! The client verbs of this kind: `wane cert`, `wane acme`.

mod acme;
mod cert;
mod exec;
mod files;

use std::sync::Arc;

pub use cert::Cert;
use wane_connector::verb::Verb;

/// Every verb of this kind.
#[must_use]
pub fn all() -> Vec<Arc<dyn Verb>> {
    vec![Arc::new(Cert), Arc::new(acme::Acme)]
}
