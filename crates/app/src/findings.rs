//! Rules over what happens in sessions: which are in force, and what they found, written down.

use std::sync::Arc;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::SessionId;
use wane_domain::time::Span;
use wane_failpoint::point;
use wane_finding::Rules;
use wane_recording::Then;

use crate::App;
use crate::change::about_lease;
use crate::error::AppError;

/// Something that a rule found in a session. In what is in the recording, for those who may replay it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFinding {
    /// The how many-th of its session, from 1: one that is said twice is one.
    pub number: u32,
    /// So long after the session began.
    pub since: Span,
    /// Which rule.
    pub rule: String,
    /// On which channel.
    pub channel: Option<u32>,
    /// What follows.
    pub then: Then,
}

impl App {
    /// Puts the rules of the deployment in force for sessions that begin from now on, in place of those before.
    ///
    /// # Errors
    /// When that cannot be written down; they are in force then all the same.
    pub async fn watch_for(&self, rules: Arc<Rules>) -> Result<(), AppError> {
        let ids: Vec<_> = rules.rules().iter().map(|rule| rule.id.clone()).collect();
        let detail = json!({ "rules": rules.rules(), "count": ids.len() });
        *self.rules.write().unwrap_or_else(std::sync::PoisonError::into_inner) = rules;
        let mut change = self.change(Actor::System, self.now());
        change.note("rules.loaded", Outcome::Done, Subjects::default(), detail);
        change.commit(point!("app.rules.loaded.commit")).await.map(|_| ())
    }

    /// The rules of the deployment.
    pub(crate) fn deployment_rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Writes down what a rule found.
    ///
    /// # Errors
    /// When the store cannot be used; it is to be said again.
    pub async fn session_finding(&self, session: SessionId, finding: &SessionFinding) -> Result<(), AppError> {
        let seen = self.session_lease(session).await?;
        let grant = self.store.grant(seen.value.grant).await?;
        let about = about_lease(&seen.value, grant.as_ref().map(|g| &g.value));
        let SessionFinding { number, since, rule, channel, then } = finding;
        let detail = json!({
            "session": session, "number": number, "rule": rule, "channel": channel, "then": then.name(),
            "at_ms": since.micros() / 1000,
        });
        let mut change = self.change(Actor::System, self.now());
        change.note("session.finding", Outcome::Done, about, detail);
        change.commit(point!("app.brokered.finding.commit")).await.map(|_| ())
    }
}
