//! What the kind says about itself.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wane_connector::{ConnectError, Describe, Effects, Kind, KindError, RoleProbe, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;

use crate::effects::HookEffects;
use crate::program::ProgramSettings;
use crate::role::Definition;
use crate::settings::Settings;
use crate::{describe, program};

/// Whatever is declared.
#[derive(Debug)]
pub struct HookKind {
    effects: Arc<HookEffects>,
}

impl HookKind {
    /// The kind, with the source of its secrets and how programs are run.
    #[must_use]
    pub fn new(ambient: Ambient, programs: ProgramSettings) -> Self {
        Self { effects: Arc::new(HookEffects::new(ambient, programs)) }
    }

    /// Why programs of this folder are not run.
    ///
    /// # Errors
    /// When somebody but root can change what is in it.
    pub fn check_programs(folder: &std::path::Path) -> Result<(), String> {
        program::allowed_folder(folder)
    }

    pub(crate) fn own_effects(&self) -> &HookEffects {
        &self.effects
    }
}

#[async_trait]
impl Kind for HookKind {
    fn name(&self) -> &'static str {
        "hook"
    }

    fn entity(&self) -> &'static str {
        "Target"
    }

    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        Settings::read(given).map(|settings| settings.json())
    }

    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        Definition::read(given).map(|definition| definition.json())
    }

    /// What one value lets its holder do and another does not, only the target knows.
    fn is_narrower(&self, _narrow: &Value, _wide: &Value) -> bool {
        false
    }

    fn describe(&self, settings: &Value) -> Describe {
        describe::it(settings)
    }

    fn gives(&self) -> LeaseKind {
        LeaseKind::Account
    }

    fn needs_credential(&self) -> bool {
        false
    }

    fn takes_credential(&self) -> bool {
        true
    }

    async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        self.effects.probe(target, roles).await
    }

    fn effects(&self) -> Arc<dyn Effects> {
        Arc::clone(&self.effects) as Arc<dyn Effects>
    }
}
