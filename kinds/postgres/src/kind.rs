//! What the kind says about itself.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wane_connector::{ConnectError, ConnectLine, Describe, Effects, Held, Kind, KindError, RoleProbe, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;

use crate::effects::PostgresEffects;
use crate::role::Definition;
use crate::settings::Settings;
use wane_connector::strict::wrong;

/// PostgreSQL servers: one account per grant.
pub struct PostgresKind {
    effects: Arc<PostgresEffects>,
}

impl PostgresKind {
    /// The kind, with the source of its accounts' passwords.
    #[must_use]
    pub fn new(ambient: Ambient) -> Self {
        Self { effects: Arc::new(PostgresEffects::new(ambient)) }
    }
}

impl std::fmt::Debug for PostgresKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresKind").finish_non_exhaustive()
    }
}

#[async_trait]
impl Kind for PostgresKind {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn entity(&self) -> &'static str {
        "Database"
    }

    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        serde_json::to_value(Settings::parse(given)?).map_err(|e| wrong("settings", e.to_string()))
    }

    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        serde_json::to_value(Definition::parse(given)?).map_err(|e| wrong("role", e.to_string()))
    }

    fn is_narrower(&self, narrow: &Value, wide: &Value) -> bool {
        match (Definition::parse(narrow), Definition::parse(wide)) {
            (Ok(narrow), Ok(wide)) => narrow.is_narrower(&wide),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    fn describe(&self, settings: &Value) -> Describe {
        let reassign_to =
            Settings::parse(settings).map_or_else(|_| crate::settings::REASSIGN_TO.to_owned(), |s| s.reassign_to);
        Describe {
            hands_out: "a database account of its own, with a password, until the grant ends".to_owned(),
            revokes_logins: true,
            kills_sessions: true,
            residual_logins_secs: 2,
            residual_sessions_secs: Some(2),
            survives: format!("what it wrote, and objects it made: they are given to `{reassign_to}` and reported"),
        }
    }

    fn connect(&self, to: &Held<'_>) -> Vec<ConnectLine> {
        let command = format!("wane psql --role {} {}", to.role.name, to.resource);
        vec![ConnectLine { what: "wane, which brings the account and its password", command }]
    }

    fn gives(&self) -> LeaseKind {
        LeaseKind::Account
    }

    fn needs_credential(&self) -> bool {
        true
    }

    async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        self.effects.probe(target, roles).await
    }

    fn effects(&self) -> Arc<dyn Effects> {
        Arc::clone(&self.effects) as Arc<dyn Effects>
    }
}
