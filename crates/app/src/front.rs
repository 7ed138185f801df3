//! What people connect to when they go through the gateway: certified by this deployment, and said so.

use std::sync::Arc;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_connector::broker::Front;
use wane_domain::secret::Secret;
use wane_failpoint::{around_call, point};

use crate::App;
use crate::error::AppError;

impl App {
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
        let broker = self.kinds.get(kind).and_then(|kind| kind.broker());
        let broker = broker.ok_or_else(|| AppError::Fault(format!("kind `{kind}` has no broker")))?;
        let (now, serial) = (self.now(), self.store.next_serial().await?);
        let front = around_call(point!("app.front.sign"), || broker.front(key, names, now, serial))?;
        let mut change = self.change(Actor::System, now);
        let detail = json!({ "kind": kind, "names": names, "serial": serial });
        change.note("gateway.certified", Outcome::Done, Subjects::default(), detail);
        change.commit(point!("app.front.commit")).await?;
        Ok(front)
    }
}
