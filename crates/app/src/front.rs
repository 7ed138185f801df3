//! What people connect to when they go through the gateway: certified by this deployment, and said so.

use std::sync::Arc;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_connector::broker::{Broker, Front};
use wane_connector::terminal::Lobby;
use wane_connector::web::Site;
use wane_domain::secret::Secret;
use wane_failpoint::{around_call, point};

use crate::App;
use crate::error::AppError;

/// Where people reach a gateway, and by what they know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAt {
    /// For which kind of target.
    pub kind: &'static str,
    /// The host by which people reach it.
    pub host: String,
    /// The port by which people reach it.
    pub port: u16,
    /// By what they know it, as their programs keep it.
    pub known_by: String,
    /// By what they know the targets that they reach inside a connection to it.
    pub targets_known_by: String,
}

impl App {
    /// The gateways that serve.
    #[must_use]
    pub fn gateways(&self) -> Vec<GatewayAt> {
        self.gateways.lock().map(|gateways| gateways.clone()).unwrap_or_default()
    }

    /// A gateway begins to serve there.
    ///
    /// # Errors
    /// When the kind has no broker, or its signer no key.
    pub fn gateway_serves(&self, kind: &'static str, host: String, port: u16) -> Result<(), AppError> {
        let broker = self.broker_of(kind)?;
        let (known_by, targets_known_by) = (broker.known_by(&host, port)?, broker.targets_known_by()?);
        if let Ok(mut gateways) = self.gateways.lock() {
            gateways.retain(|gateway| gateway.kind != kind);
            gateways.push(GatewayAt { kind, host, port, known_by, targets_known_by });
        }
        Ok(())
    }

    /// A gateway takes in whoever comes from a page; the one before it does not any more.
    pub fn gateway_takes_in(&self, kind: &'static str, lobby: Arc<dyn Lobby>) {
        if let Ok(mut lobbies) = self.lobbies.lock() {
            lobbies.insert(kind, lobby);
        }
    }

    /// Where whoever comes from a page is taken in, if there is a gateway for that kind of target.
    pub(crate) fn lobby(&self, kind: &str) -> Option<Arc<dyn Lobby>> {
        self.lobbies.lock().ok().and_then(|lobbies| lobbies.get(kind).cloned())
    }

    /// Whether sessions to targets of a kind can go through this process.
    pub(crate) fn has_gateway(&self, kind: &str) -> bool {
        self.gateways.lock().is_ok_and(|gateways| gateways.iter().any(|gateway| gateway.kind == kind))
    }

    fn broker_of(&self, kind: &'static str) -> Result<Arc<dyn Broker>, AppError> {
        let broker = self.kinds.get(kind).and_then(|kind| kind.broker());
        broker.ok_or_else(|| AppError::Fault(format!("kind `{kind}` has no broker")))
    }

    /// What browsers connect to that go to targets of one kind; `key` signs what those are told.
    ///
    /// # Errors
    /// When the kind has no broker for that, or the key is unusable.
    pub fn gateway_site(&self, kind: &'static str, key: &Secret) -> Result<Arc<dyn Site>, AppError> {
        Ok(self.broker_of(kind)?.site(key, &self.public_url)?)
    }

    /// The front of the gateway of one kind, with a fresh certificate for these names.
    ///
    /// # Errors
    /// When the kind has no broker, the key is unusable or the signer refuses.
    pub async fn gateway_front(
        &self,
        kind: &'static str,
        key: &Secret,
        names: &[String],
    ) -> Result<Arc<dyn Front>, AppError> {
        let broker = self.broker_of(kind)?;
        let (now, serial) = (self.now(), self.store.next_serial().await?);
        let front = around_call(point!("app.front.sign"), || broker.front(key, names, now, serial))?;
        let mut change = self.change(Actor::System, now);
        let detail = json!({ "kind": kind, "names": names, "serial": serial });
        change.note("gateway.certified", Outcome::Done, Subjects::default(), detail);
        change.commit(point!("app.front.commit")).await?;
        Ok(front)
    }
}
