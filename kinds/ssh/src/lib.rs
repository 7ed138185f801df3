//! OpenSSH hosts: user and host certificates, the revocation list, host set-up, `wane ssh`.
//!
//! Owns: what a role means on a host, the certificate that carries it, asking sshd whether it would
//! still accept it, and what runs on the host and beside the plain `ssh`. Refuses to know: where
//! keys are kept (a [`Signer`] signs), the store, the use-cases, HTTP.
//!
//! A direct certificate ends logins, not open sessions; [`Kind::describe`] says so to approvers.

mod agent;
mod broker;
mod certificate;
mod cidr;
mod commands;
mod connect;
mod describe;
mod effects;
#[doc(hidden)]
pub mod fuzzed;
mod host_docs;
mod issuer;
mod key;
mod krl;
mod named;
mod notes;
mod query;
mod role;
mod settings;
mod signed;
pub mod verbs;

use std::sync::Arc;

use async_trait::async_trait;
pub use certificate::check_user_certificate;
pub use named::host_names;
use serde_json::Value;
pub use signed::USER_CERTIFICATES;
use wane_connector::kind::HostDocs;
use wane_connector::{
    Broker, ConnectError, ConnectLine, Describe, Effects, Held, Issuer, Kind, KindError, RoleProbe, Signer, Target,
    strict,
};
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;
use wane_domain::task::Task;

use crate::role::Definition;
use crate::settings::Settings;

/// The name of this kind.
pub const NAME: &str = "ssh";
/// The purpose of the key that signs user certificates; its checker is [`check_user_certificate`].
pub const USER_CA: &str = "ssh-user-ca";
/// The purpose of the key that signs host certificates; what it signs is read by [`host_names`].
pub const HOST_CA: &str = "ssh-host-ca";
/// The purpose of the key that signs revocation lists.
pub const KRL: &str = "ssh-krl";

/// The kind `ssh`.
pub struct SshKind {
    signer: Arc<dyn Signer>,
}

impl SshKind {
    /// With a signer that has keys for [`USER_CA`], [`HOST_CA`] and [`KRL`].
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        Self { signer }
    }
}

impl std::fmt::Debug for SshKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SshKind").finish_non_exhaustive()
    }
}

#[async_trait]
impl Kind for SshKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn entity(&self) -> &'static str {
        "Host"
    }

    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        Settings::read(given).map(|settings| settings.json())
    }

    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        Definition::read(given).map(|definition| definition.json())
    }

    fn is_narrower(&self, narrow: &Value, wide: &Value) -> bool {
        strict::is_narrower(narrow, wide, Definition::read, Definition::is_within)
    }

    fn needs_gateway(&self, definition: &Value) -> bool {
        // One that cannot be read gives nothing anywhere.
        Definition::read(definition).is_ok_and(|definition| definition.needs_gateway())
    }

    fn check_task(&self, definition: &Value, task: &Task) -> Result<(), KindError> {
        let definition = Definition::read(definition)?;
        definition.line_of(task).map(drop).map_err(|why| {
            let listed = definition.commands.as_ref().map_or(String::new(), |c| format!("; it allows {}", c.listed()));
            KindError { what: "task".to_owned(), why: format!("{why}{listed}") }
        })
    }

    fn describe(&self, settings: &Value) -> Describe {
        Settings::read(settings).map_or_else(|_| describe::worst(), |settings| describe::of(&settings))
    }

    fn connect(&self, to: &Held<'_>) -> Vec<ConnectLine> {
        Definition::read(&to.role.definition).map_or_else(|_| Vec::new(), |definition| connect::lines(&definition, to))
    }

    fn gives(&self) -> LeaseKind {
        LeaseKind::Credential
    }

    fn needs_credential(&self) -> bool {
        false
    }

    async fn probe(&self, _target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        // Whether the accounts exist shows only when a certificate is offered: sshd answers the same for both.
        let problem = |role: &Role| Definition::read(&role.definition).err().map(|e| e.to_string());
        Ok(roles.iter().map(|role| RoleProbe { role: role.name.to_string(), problem: problem(role) }).collect())
    }

    fn effects(&self) -> Arc<dyn Effects> {
        Arc::new(effects::SshEffects { signer: Arc::clone(&self.signer) })
    }

    fn issuer(&self) -> Option<Arc<dyn Issuer>> {
        Some(Arc::new(issuer::SshIssuer { signer: Arc::clone(&self.signer) }))
    }

    fn broker(&self) -> Option<Arc<dyn Broker>> {
        Some(Arc::new(broker::SshBroker { signer: Arc::clone(&self.signer) }))
    }

    fn host_docs(&self) -> Option<Arc<dyn HostDocs>> {
        Some(Arc::new(host_docs::SshHostDocs { signer: Arc::clone(&self.signer) }))
    }
}
