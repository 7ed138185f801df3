//! X.509: an issuing authority of one's own, client and server certificates under grants, its revocation list.
//!
//! Owns: what a role means in a certificate, the certificate itself, the authority's certificates and lists, asking a
//! server whether it would still accept a certificate, and what keeps a fresh pair beside a program. Refuses to know:
//! where keys are kept (a [`Signer`] signs), the store, the use-cases, HTTP.
//!
//! A certificate ends by itself within the hour, and earlier where its servers read the list; open connections go on.
//! [`Kind::describe`] says so to approvers.

mod acme;
pub mod authority;
mod certificate;
mod constraints;
mod crl;
mod describe;
mod effects;
#[doc(hidden)]
pub mod fuzzed;
mod issuer;
mod key;
mod notes;
mod query;
mod role;
mod said;
mod settings;
mod shown;
mod sign;
mod signed;
pub mod verbs;

use std::sync::Arc;

use async_trait::async_trait;
pub use certificate::{LONGEST, SKEW, check_certificate};
pub use crl::check_list;
use serde_json::Value;
pub use signed::CERTIFICATES;
use wane_connector::{
    Acme, Certificates, ConnectError, Describe, Effects, Issuer, Kind, KindError, Published, RoleProbe, Signer, Target,
};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;

use crate::authority::Authorities;
use crate::role::Definition;
use crate::settings::Settings;

/// The name of this kind.
pub const NAME: &str = "x509";
/// The purposes of the keys of authorities. While one takes over from another there are two.
pub const AUTHORITY_KEYS: [&str; 2] = ["x509-ca-a", "x509-ca-b"];

/// The kind `x509`.
pub struct X509Kind {
    signer: Arc<dyn Signer>,
    authorities: Arc<Authorities>,
    ambient: Ambient,
}

impl X509Kind {
    /// With these authorities, and a signer that has their keys.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, authorities: impl Into<Arc<Authorities>>, ambient: Ambient) -> Self {
        Self { signer, authorities: authorities.into(), ambient }
    }
}

impl std::fmt::Debug for X509Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("X509Kind").field("authorities", &self.authorities).finish_non_exhaustive()
    }
}

#[async_trait]
impl Kind for X509Kind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn entity(&self) -> &'static str {
        "Service"
    }

    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        Settings::read(given).map(|settings| settings.json())
    }

    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        Definition::read(given).map(|definition| definition.json())
    }

    fn is_narrower(&self, narrow: &Value, wide: &Value) -> bool {
        match (Definition::read(narrow), Definition::read(wide)) {
            (Ok(narrow), Ok(wide)) => narrow.is_within(&wide) && !wide.is_within(&narrow),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    fn describe(&self, settings: &Value) -> Describe {
        Settings::read(settings).map_or_else(|_| describe::worst(), |settings| describe::of(&settings))
    }

    fn gives(&self) -> LeaseKind {
        LeaseKind::Credential
    }

    fn needs_credential(&self) -> bool {
        false
    }

    async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        let settings = Settings::read(&target.resource.settings);
        let problem = |role: &Role| match (&settings, Definition::read(&role.definition)) {
            (_, Err(e)) => Some(e.to_string()),
            (Err(e), _) => Some(e.to_string()),
            (Ok(settings), Ok(definition)) => definition.unusable_at(settings),
        };
        Ok(roles.iter().map(|role| RoleProbe { role: role.name.to_string(), problem: problem(role) }).collect())
    }

    fn effects(&self) -> Arc<dyn Effects> {
        Arc::new(effects::X509Effects { authorities: Arc::clone(&self.authorities) })
    }

    fn issuer(&self) -> Option<Arc<dyn Issuer>> {
        Some(Arc::new(issuer::X509Issuer {
            signer: Arc::clone(&self.signer),
            authorities: Arc::clone(&self.authorities),
            ambient: self.ambient.clone(),
        }))
    }

    fn certificates(&self) -> Option<Arc<dyn Certificates>> {
        Some(Arc::new(shown::Shown(Arc::clone(&self.authorities))))
    }

    fn acme(&self) -> Option<Arc<dyn Acme>> {
        Some(Arc::new(acme::Orders))
    }

    fn published(&self) -> Option<Arc<dyn Published>> {
        Some(Arc::new(crl::Papers { signer: Arc::clone(&self.signer), authorities: Arc::clone(&self.authorities) }))
    }
}
