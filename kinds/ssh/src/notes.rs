//! What a lease keeps about the certificates issued under it, to end and read them back.

use serde_json::{Value, json};
use wane_domain::issue::Reach;
use wane_domain::time::Time;

/// The certificate that is valid longest of all issued under a lease. It is the one that counts
/// for the end: when the host refuses it, or it has run out, the earlier ones are no better, since
/// all carry the same key id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) certificate: String,
    /// The login name to ask with.
    pub(crate) user: String,
    pub(crate) not_after: Time,
    pub(crate) serial: u64,
    /// Where it is good.
    pub(crate) reach: Reach,
}

impl Notes {
    /// These notes, unless a certificate issued before is valid longer: a shortened grant re-issues
    /// for less time than it issued first.
    pub(crate) fn after(self, before: &Value) -> Self {
        match Self::read(before) {
            // One that the host takes counts for more than one that it never did.
            Some(before) if before.reach == Reach::Target && self.reach == Reach::Gateway => before,
            Some(before) if before.reach == self.reach && before.not_after > self.not_after => before,
            Some(_) | None => self,
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "certificate": self.certificate, "user": self.user, "not_after": self.not_after, "serial": self.serial,
            "gateway_only": self.reach == Reach::Gateway,
        })
    }

    /// Reads notes; none if nothing was ever issued.
    pub(crate) fn read(notes: &Value) -> Option<Self> {
        Some(Self {
            certificate: notes.get("certificate")?.as_str()?.to_owned(),
            user: notes.get("user")?.as_str()?.to_owned(),
            not_after: Time::from_micros(notes.get("not_after")?.as_i64()?),
            serial: notes.get("serial")?.as_u64()?,
            // Notes from before there was a gateway say nothing about it.
            reach: match notes.get("gateway_only").and_then(Value::as_bool) {
                Some(true) => Reach::Gateway,
                Some(false) | None => Reach::Target,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_lived_certificate_is_kept() {
        let notes = |name: &str, secs: i64| Notes {
            certificate: name.to_owned(),
            user: "deploy".to_owned(),
            not_after: Time::from_micros(secs),
            serial: 1,
            reach: Reach::Target,
        };
        assert_eq!(notes("b", 5).after(&Value::Null), notes("b", 5));
        assert_eq!(notes("b", 5).after(&notes("a", 9).json()), notes("a", 9));
        assert_eq!(notes("b", 9).after(&notes("a", 9).json()), notes("b", 9));
    }
}
