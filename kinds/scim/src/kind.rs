//! What the kind says about itself.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wane_connector::strict::wrong;
use wane_connector::{ConnectError, Describe, Effects, Kind, KindError, RoleProbe, Target};
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;

use crate::effects::ScimEffects;
use crate::role::Definition;
use crate::settings::Settings;

/// Applications: a place in a group or an account per grant.
#[derive(Debug, Default)]
pub struct ScimKind {
    effects: Arc<ScimEffects>,
}

impl ScimKind {
    /// The kind.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Kind for ScimKind {
    fn name(&self) -> &'static str {
        "scim"
    }

    fn entity(&self) -> &'static str {
        "Tenant"
    }

    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        serde_json::to_value(Settings::parse(given)?).map_err(|e| wrong("settings", e.to_string()))
    }

    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        serde_json::to_value(Definition::parse(given)?).map_err(|e| wrong("role", e.to_string()))
    }

    /// What one group lets its members do and another does not is nowhere in what is read here.
    fn is_narrower(&self, _narrow: &Value, _wide: &Value) -> bool {
        false
    }

    fn describe(&self, settings: &Value) -> Describe {
        let cached = Settings::parse(settings).ok().and_then(|settings| settings.cached_secs);
        let until = match cached {
            Some(secs) => format!("for up to {secs} s after the end"),
            None => "for a time that nobody has declared (`cached_secs`)".to_owned(),
        };
        Describe {
            hands_out: "a place in a group of the application, or an account there, until the grant ends".to_owned(),
            revokes_logins: true,
            kills_sessions: false,
            residual_logins_secs: cached.unwrap_or_default().saturating_add(2),
            residual_sessions_secs: None,
            survives: format!(
                "sessions of the application go on as it likes; it may go by what it knew {until}. What somebody made there stays, but for what an application takes with an account that is deleted"
            ),
        }
    }

    fn gives(&self) -> LeaseKind {
        LeaseKind::Membership
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
