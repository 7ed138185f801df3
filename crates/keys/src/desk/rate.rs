//! How often a key signs, whoever asks and whatever they may: so that somebody who has taken the server over does not leave
//! with more than can be seen and taken back.
//!
//! Owns: one measure per key, or per whoever else is measured. Refuses to know what is signed. What ends access is not
//! measured.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use wane_domain::time::{Span, Time};

/// How often in a minute, where nobody says.
pub const USUAL: NonZeroU32 = NonZeroU32::new(6000).unwrap();
const MINUTE: Span = Span::from_secs(60);

/// How many are measured before those are forgotten that have nothing to pay off.
const MANY: usize = 4096;

/// So many signatures of each key in any minute on the average, and in a moment if there were none before.
#[derive(Debug)]
pub struct Rates<K> {
    most: NonZeroU32,
    /// By key, when everything that was signed is paid off.
    paid: Mutex<BTreeMap<K, Time>>,
}

impl<K: Ord> Rates<K> {
    /// So many a minute, and none was taken.
    #[must_use]
    pub fn new(most: NonZeroU32) -> Self {
        Self { most, paid: Mutex::default() }
    }

    /// Takes one of them.
    ///
    /// # Errors
    /// With how long it takes until there is one, if there is none.
    pub fn take(&self, key: K, now: Time) -> Result<(), Span> {
        let each = Span::from_micros((MINUTE.micros() / u64::from(self.most.get())).max(1));
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let until = paid.get(&key).copied().unwrap_or(now).max(now).plus(each);
        let over = until.since(now);
        if over > MINUTE {
            return Err(Span::from_micros(over.micros().saturating_sub(MINUTE.micros())));
        }
        if paid.len() >= MANY {
            paid.retain(|_, until| *until > now);
        }
        paid.insert(key, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_signs_more_than_was_said() {
        let rates = Rates::new(NonZeroU32::new(60).unwrap());
        let mut now = Time::from_micros(1_000_000_000);
        for n in 0..60 {
            rates.take("a", now).unwrap_or_else(|wait| panic!("{n}: {wait}"));
        }
        let wait = rates.take("a", now).unwrap_err();
        assert_eq!(wait, Span::from_secs(1));
        rates.take("b", now).unwrap();
        // One comes back each second, and no more of them than a minute holds.
        now = now.plus(Span::from_secs(1));
        rates.take("a", now).unwrap();
        assert!(rates.take("a", now).is_err());
        now = now.plus(Span::from_hours(1));
        assert_eq!((0..100).filter(|_| rates.take("a", now).is_ok()).count(), 60);
        // A clock that is set back gives nothing.
        assert!(rates.take("a", now.minus(Span::from_hours(1))).is_err());
    }
}
