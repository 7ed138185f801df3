//! What the rest of the house asks of this kind about sessions.

use std::sync::Arc;

use serde_json::{Value, json};
use wane_connector::broker::{Broker, Claim, Front, Pass};
use wane_connector::web::Site;
use wane_connector::{ConnectError, Target};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::secret::Secret;
use wane_domain::time::Time;
use wane_finding::Rules;

use crate::book::Book;
use crate::identity::AssertionKey;
use crate::key::Root;
use crate::role::Definition;
use crate::settings::Settings;
use crate::site::HttpSite;

/// The broker of this kind.
pub(crate) struct HttpBroker {
    pub(crate) book: Arc<Book>,
    pub(crate) root: Option<Arc<Root>>,
}

fn own_only() -> ConnectError {
    ConnectError::Input("applications are reached at their own addresses, and nowhere else".to_owned())
}

fn definition(role: &Role) -> Result<Definition, ConnectError> {
    Definition::read(&role.definition).map_err(|e| ConnectError::Input(e.to_string()))
}

impl Broker for HttpBroker {
    fn pass(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
        _claim: &Claim,
        _serial: u64,
    ) -> Result<Pass, ConnectError> {
        let refused = |why: String| ConnectError::Refused { target: target.resource.name.to_string(), why };
        let settings = Settings::read(&target.resource.settings).map_err(|e| refused(e.to_string()))?;
        let definition = definition(role)?;
        if permit.lease() != lease.id || permit.item().resource != target.resource.id || permit.item().role != role.id {
            return Err(ConnectError::Input("the permit is for another session, application or role".to_owned()));
        }
        if let Some(why) = settings.unusable_with(target.credential) {
            return Err(refused(why));
        }
        Ok(Pass {
            public: json!({ "settings": settings.json(), "definition": definition.json() }),
            inventory: json!({ "origin": settings.origin.as_str(), "upstream": settings.upstream.url() }),
            not_after: permit.not_after(),
        })
    }

    /// A browser names no login; whoever names one means another kind.
    fn opens(&self, role: &Role, login: &str) -> bool {
        login.is_empty() && Definition::read(&role.definition).is_ok()
    }

    fn rules(&self, role: &Role) -> Result<Arc<Rules>, ConnectError> {
        definition(role)?.rules().map(Arc::new).map_err(ConnectError::Input)
    }

    fn known_by(&self, _host: &str, _port: u16) -> Result<String, ConnectError> {
        Ok("the TLS certificate of each application's own address".to_owned())
    }

    fn targets_known_by(&self) -> Result<String, ConnectError> {
        Ok(String::new())
    }

    fn answers_to(&self, _resource: &Resource, _host: &str, _port: u16) -> bool {
        false
    }

    fn stands_for(
        &self,
        _resource: &Resource,
        _asked: &str,
        _public_key: &str,
        _now: Time,
        _serial: u64,
    ) -> Result<String, ConnectError> {
        Err(own_only())
    }

    fn front(
        &self,
        _key: &Secret,
        _names: &[String],
        _now: Time,
        _serial: u64,
    ) -> Result<Arc<dyn Front>, ConnectError> {
        Err(own_only())
    }

    fn site(&self, key: &Secret, home: &str) -> Result<Arc<dyn Site>, ConnectError> {
        let key = AssertionKey::new(key, home).map_err(ConnectError::Input)?;
        let root = self.root.clone().ok_or_else(|| ConnectError::Input("there is no secret for keys".to_owned()))?;
        Ok(Arc::new(HttpSite::new(Arc::clone(&self.book), key, root, home)))
    }

    fn origin(&self, resource: &Resource) -> Option<String> {
        // As it was put in normal form when it was registered: asked of each for every stranger.
        resource.settings.get("origin").and_then(Value::as_str).map(str::to_owned)
    }

    fn shows_credential(&self) -> bool {
        true
    }

    fn uses(&self, role: &Role) -> Result<Option<u64>, ConnectError> {
        definition(role).map(|definition| definition.uses)
    }
}
