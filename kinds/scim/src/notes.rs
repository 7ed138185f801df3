//! What a lease keeps of what was looked up: enough to take it back.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wane_domain::lease::LeaseData;

use crate::application::Fail;
use crate::role::AtEnd;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notes {
    /// Of a place in a group.
    Place {
        /// The group's display name when it was looked up.
        group: String,
        /// Which it is, whatever it is called.
        group_id: String,
        /// How the person was found.
        person: String,
        /// Which account is theirs.
        person_id: String,
    },
    /// Of an account.
    Account {
        /// Its `userName`.
        user_name: String,
        /// Which it is, once it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What was there before.
        before: Before,
        /// What becomes of it.
        at_end: AtEnd,
        /// The `externalId` by which it is told later that Wane made it.
        #[serde(default)]
        mark: String,
        /// What it is made of, if it is to be made.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        body: Value,
    },
}

/// What was there before an account was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// An account by which nobody gets in.
    Asleep,
    /// An account.
    Awake,
}

impl Notes {
    pub(crate) fn of(lease: &LeaseData) -> Result<Self, Fail> {
        serde_json::from_value(lease.notes.clone())
            .map_err(|e| Fail::refused(format!("what was looked up is lost: {e}")))
    }

    pub(crate) fn json(&self) -> Result<Value, Fail> {
        serde_json::to_value(self).map_err(|e| Fail::refused(e.to_string()))
    }

    /// For a reader who only compares.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }
}
