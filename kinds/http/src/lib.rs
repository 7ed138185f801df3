//! Web applications and APIs: a gateway in front of them, of which a role reaches some methods on some paths.
//!
//! Owns: what an application's settings and a role say, which requests pass, what of their headers does, Wane's word on
//! who asks, and speaking HTTP on both sides. Refuses to know: sockets, limits, the grant, when it is over (the gateway
//! does), the store, the use-cases. HTTP itself is parsed and written by `hyper`, TLS is `rustls`.

mod body;
mod book;
mod broker;
mod cookie;
mod describe;
mod effects;
mod exchange;
#[doc(hidden)]
pub mod fuzzed;
mod head;
mod identity;
mod issuer;
mod key;
mod opening;
mod pages;
mod path;
mod role;
mod session;
mod settings;
mod site;
mod splice;
mod upstream;
pub mod verbs;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wane_connector::{
    Broker, ConnectError, ConnectLine, Describe, Effects, Held, Issuer, Kind, KindError, RoleProbe, Target, strict,
};
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;
use wane_domain::secret::Secret;
use wane_failpoint::{around, point};

use crate::book::Book;
use crate::key::Root;
use crate::role::Definition;
use crate::settings::Settings;

/// The name of this kind.
pub const NAME: &str = "http";

/// The kind `http`.
pub struct HttpKind {
    book: Arc<Book>,
    /// What keys are made under, where there is a gateway that takes them.
    root: Option<Arc<Root>>,
}

impl HttpKind {
    /// With the gateway's own secret, if there is a gateway.
    #[must_use]
    pub fn new(secret: Option<&Secret>) -> Self {
        Self { book: Arc::default(), root: secret.map(|secret| Arc::new(Root::new(secret))) }
    }
}

impl std::fmt::Debug for HttpKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpKind").finish_non_exhaustive()
    }
}

#[async_trait]
impl Kind for HttpKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn entity(&self) -> &'static str {
        "Application"
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

    fn needs_gateway(&self, _definition: &Value) -> bool {
        true
    }

    fn describe(&self, _settings: &Value) -> Describe {
        describe::it()
    }

    fn connect(&self, to: &Held<'_>) -> Vec<ConnectLine> {
        match (Settings::read(to.settings), to.gateway) {
            (Ok(settings), Some(_)) => {
                vec![ConnectLine { what: "open it in a browser", command: format!("{}/", settings.origin.as_str()) }]
            }
            (Ok(_), None) | (Err(_), _) => Vec::new(),
        }
    }

    fn gives(&self) -> LeaseKind {
        LeaseKind::Credential
    }

    fn needs_credential(&self) -> bool {
        false
    }

    fn takes_credential(&self) -> bool {
        true
    }

    async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        let refused = |why: String| ConnectError::Refused { target: target.resource.name.to_string(), why };
        let settings = Settings::read(&target.resource.settings).map_err(|e| refused(e.to_string()))?;
        if let Some(why) = settings.unusable_with(target.credential) {
            return Err(ConnectError::Input(why));
        }
        around(point!("http.probe"), upstream::reach(target, &settings)).await?;
        let problem = |role: &Role| Definition::read(&role.definition).err().map(|e| e.to_string());
        Ok(roles.iter().map(|role| RoleProbe { role: role.name.to_string(), problem: problem(role) }).collect())
    }

    fn effects(&self) -> Arc<dyn Effects> {
        Arc::new(effects::HttpEffects)
    }

    fn issuer(&self) -> Option<Arc<dyn Issuer>> {
        let root = self.root.as_ref()?;
        Some(Arc::new(issuer::KeyIssuer { root: Arc::clone(root) }))
    }

    fn needs_key(&self) -> bool {
        false
    }

    fn broker(&self) -> Option<Arc<dyn Broker>> {
        Some(Arc::new(broker::HttpBroker { book: Arc::clone(&self.book), root: self.root.clone() }))
    }
}
