//! What a lease keeps about the tokens issued under it, to say when all of them have run out.

use serde_json::{Value, json};
use wane_domain::time::Time;

/// When the last of the tokens under a lease runs out, and the newest one's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) jti: String,
    pub(crate) not_after: Time,
}

impl Notes {
    /// These notes, with the end of one issued before if that is later: a shortened grant re-issues for less time.
    pub(crate) fn after(self, before: &Value) -> Self {
        let longest = Self::read(before).map_or(self.not_after, |before| before.not_after.max(self.not_after));
        Self { not_after: longest, ..self }
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "jti": self.jti, "not_after": self.not_after })
    }

    /// Reads notes; none if nothing was ever issued.
    pub(crate) fn read(notes: &Value) -> Option<Self> {
        Some(Self {
            jti: notes.get("jti")?.as_str()?.to_owned(),
            not_after: Time::from_micros(notes.get("not_after")?.as_i64()?),
        })
    }
}
