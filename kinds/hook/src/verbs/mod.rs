//! `wane hook`: the templates there are, and trying a declaration before it is registered.

mod templates;
mod trial;

use std::sync::Arc;

use wane_connector::verb::Verb;

pub use templates::HookTemplates;
pub use trial::HookTry;

/// Every verb of this kind.
#[must_use]
pub fn all() -> Vec<Arc<dyn Verb>> {
    vec![Arc::new(HookTemplates), Arc::new(HookTry)]
}
