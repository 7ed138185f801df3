//! OAuth access tokens: signed JWTs (RFC 9068) under grants, for resource servers that check them with any library.
//!
//! Owns: what a role means in a token, the token itself, the keys that sign, what a token that comes back says, proofs of
//! keys, and what is known of how a server learned that one is over. Refuses to know: where keys are kept (a [`Signer`]
//! signs), the store, the use-cases, HTTP.
//!
//! A token ends by itself within the hour, and earlier at servers that ask or listen. [`Kind::describe`] says so to approvers.

mod claims;
mod describe;
mod desk;
mod effects;
#[doc(hidden)]
pub mod fuzzed;
mod heard;
mod input;
mod issuer;
pub mod keys;
mod notes;
mod proof;
mod role;
mod settings;
mod signed;
pub mod verbs;

use std::sync::Arc;

use async_trait::async_trait;
pub use claims::{LONGEST, SKEW, check_token};
use serde_json::Value;
pub use signed::TOKENS;
use wane_connector::{
    ConnectError, Describe, Effects, HostDocs, Issuer, Kind, KindError, Published, RoleProbe, Signer, Target, Tokens,
    strict,
};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;

use crate::desk::Desk;
use crate::heard::Heard;
use crate::keys::TokenKeys;
use crate::proof::Proofs;
use crate::role::Definition;
use crate::settings::Settings;

/// The name of this kind.
pub const NAME: &str = "oauth";
/// The purposes of the keys that sign. While one takes over from another there are two.
pub const TOKEN_KEYS: [&str; 2] = ["oauth-token-a", "oauth-token-b"];
/// Where tokens are exchanged, below the issuer.
pub(crate) const TOKEN_ENDPOINT: &str = "/oauth2/token";

/// The kind `oauth`.
pub struct OauthKind {
    signer: Arc<dyn Signer>,
    desk: Arc<Desk>,
}

impl OauthKind {
    /// With these keys, a signer that has them, and what this server calls itself: where people open it.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, keys: impl Into<Arc<TokenKeys>>, issuer: &str, ambient: &Ambient) -> Self {
        let keys = keys.into();
        let (proofs, heard) = (Proofs::new(ambient.now()), Heard::default());
        Self { signer, desk: Arc::new(Desk { issuer: issuer.to_owned(), keys, proofs, heard }) }
    }
}

impl std::fmt::Debug for OauthKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OauthKind").field("desk", &self.desk).finish_non_exhaustive()
    }
}

#[async_trait]
impl Kind for OauthKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn entity(&self) -> &'static str {
        "Api"
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
        let settings = Settings::read(&target.resource.settings).err().map(|e| e.to_string());
        let problem =
            |role: &Role| settings.clone().or_else(|| Definition::read(&role.definition).err().map(|e| e.to_string()));
        Ok(roles.iter().map(|role| RoleProbe { role: role.name.to_string(), problem: problem(role) }).collect())
    }

    fn effects(&self) -> Arc<dyn Effects> {
        Arc::new(effects::TokenEffects(Arc::clone(&self.desk)))
    }

    fn issuer(&self) -> Option<Arc<dyn Issuer>> {
        Some(Arc::new(issuer::TokenIssuer { signer: Arc::clone(&self.signer), desk: Arc::clone(&self.desk) }))
    }

    fn host_docs(&self) -> Option<Arc<dyn HostDocs>> {
        Some(Arc::new(desk::ServerDocs(Arc::clone(&self.desk))))
    }

    fn published(&self) -> Option<Arc<dyn Published>> {
        Some(Arc::new(desk::Papers(Arc::clone(&self.desk))))
    }

    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        Some(Arc::<Desk>::clone(&self.desk))
    }
}
