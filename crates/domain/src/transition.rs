//! What every lifecycle shares: a step is legal and leaves a fact, or it is refused whole.

use serde::Serialize;

/// A transition the lifecycle does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {aggregate} that is {state} cannot {event}{}", detail.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
pub struct IllegalTransition {
    /// `request item`, `grant`, `lease`, `lock`.
    pub aggregate: &'static str,
    /// The state it was in.
    pub state: &'static str,
    /// What was tried.
    pub event: &'static str,
    /// Why, where state and event alone do not say.
    pub detail: Option<String>,
}

/// What happened, for the log: a stable name and its particulars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// A stable dotted name: `grant.activated`.
    pub event: &'static str,
    /// Particulars; never a secret.
    pub detail: serde_json::Value,
}

impl Fact {
    pub(crate) fn new(event: &'static str, detail: serde_json::Value) -> Self {
        Self { event, detail }
    }
}
