//! What a lease keeps about the certificates issued under it, to end and read them back.

use serde_json::{Value, json};
use wane_domain::time::Time;

/// The certificate that is valid longest of all issued under a lease. All of them are on the list once it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notes {
    /// It and what is between it and the root, in PEM.
    pub(crate) certificate: String,
    pub(crate) serial: String,
    pub(crate) not_after: Time,
}

impl Notes {
    /// These notes, unless a certificate issued before is valid longer: a shortened grant re-issues for less time.
    pub(crate) fn after(self, before: &Value) -> Self {
        match Self::read(before) {
            Some(before) if before.not_after > self.not_after => before,
            Some(_) | None => self,
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "certificate": self.certificate, "serial": self.serial, "not_after": self.not_after })
    }

    /// Reads notes; none if nothing was ever issued.
    pub(crate) fn read(notes: &Value) -> Option<Self> {
        Some(Self {
            certificate: notes.get("certificate")?.as_str()?.to_owned(),
            serial: notes.get("serial")?.as_str()?.to_owned(),
            not_after: Time::from_micros(notes.get("not_after")?.as_i64()?),
        })
    }
}
