//! The client verbs of this kind: `wane token`, `wane token-proof`, and `wane api …` on a resource server.

mod api;
mod files;
mod key;
mod proof;
mod token;

use std::sync::Arc;

pub use api::{ApiCode, ApiJoin};
pub use proof::Proof;
pub use token::Token;
use wane_connector::verb::Verb;

/// Every verb of this kind.
#[must_use]
pub fn all() -> Vec<Arc<dyn Verb>> {
    vec![Arc::new(Token), Arc::new(Proof), Arc::new(ApiCode), Arc::new(ApiJoin)]
}
