//! PostgreSQL: one account per grant that can always be dropped.
//!
//! Owns: everything about a PostgreSQL server as a target: settings, role templates, the account's
//! life and end, what it can leave behind, and `wane psql`. Refuses to know: grants beyond their
//! lease, the store, the use-cases, and every other kind.

mod create;
mod effects;
mod end;
mod facts;
#[doc(hidden)]
pub mod fuzzed;
mod kind;
mod pool;
mod probe;
mod psql;
mod quote;
mod register;
mod role;
mod scram;
mod session;
mod settings;
mod setup;
mod survey;
mod tls;
mod together;

use std::sync::Arc;

use wane_connector::verb::Verb;

pub use kind::PostgresKind;
pub use psql::PsqlVerb;
pub use register::{DatabaseAdd, DatabaseSetupSql};
pub use setup::{Setup, setup_sql};

/// Every verb of this kind.
#[must_use]
pub fn verbs() -> Vec<Arc<dyn Verb>> {
    vec![Arc::new(PsqlVerb::new()), Arc::new(DatabaseAdd), Arc::new(DatabaseSetupSql)]
}
