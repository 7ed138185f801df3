//! Which idempotency keys were certainly never used: nearly all that come in.
//!
//! Owns: a filter over the keys of a day and more (Bloom, CACM 13(7), 1970), of a fixed size. It may take a new
//! key for a used one, the more often the more there are, and then the file is asked; never the other way round.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wane_domain::time::{Span, Time};

/// Bits of one filter, 2 MiB, which takes room once there are keys. With a million and a half keys a day one new
/// key in a hundred is looked up in the file, with five million a third, with fifteen million nearly all.
const BITS: u64 = 1 << 24;
/// Bits of one key.
const HASHES: u64 = 6;
/// For how long a filter is added to: longer than an answer is kept.
const TURN: Span = Span::from_hours(25);

/// The filters.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Whoever chooses keys that collide has their own looked up in the file, and nothing else.
    spread: BuildHasherDefault<DefaultHasher>,
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    present: Filter,
    former: Filter,
    began: Option<Time>,
    /// Whether those used before this process began are in it.
    whole: bool,
}

/// Bits that are set; all of nothing until the first is.
#[derive(Debug, Default)]
struct Filter(Vec<u64>);

impl Keys {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bits of a key (Kirsch and Mitzenmacher, 2006).
    fn bits(&self, person: &str, key: &str) -> impl Iterator<Item = u64> + use<> {
        let hash = self.spread.hash_one((person, key));
        let (first, step) = (hash, (hash >> 32) | 1);
        (0..HASHES).map(move |n| first.wrapping_add(step.wrapping_mul(n)) % BITS)
    }

    /// Whether it was certainly not used within the day.
    pub(crate) fn is_new(&self, person: &str, key: &str) -> bool {
        let turns = self.turns();
        turns.whole && [&turns.present, &turns.former].into_iter().all(|filter| !filter.has(self.bits(person, key)))
    }

    /// It is used at a moment; at none if that was before this process began.
    pub(crate) fn used(&self, person: &str, key: &str, at: Option<Time>) {
        let mut turns = self.turns();
        if let Some(at) = at
            && turns.began.is_none_or(|began| began.plus(TURN) < at)
        {
            // The first turn takes in what was used before.
            if turns.began.is_some() {
                turns.former = std::mem::take(&mut turns.present);
            }
            turns.began = Some(at);
        }
        turns.present.set(self.bits(person, key));
    }

    /// All that were used before this process began are in.
    pub(crate) fn known(&self) {
        self.turns().whole = true;
    }
}

impl Filter {
    fn has(&self, mut bits: impl Iterator<Item = u64>) -> bool {
        bits.all(|bit| place(bit).and_then(|at| self.0.get(at)).is_some_and(|word| word & (1 << (bit % 64)) != 0))
    }

    fn set(&mut self, bits: impl Iterator<Item = u64>) {
        if self.0.is_empty() {
            self.0 = vec![0; place(BITS).unwrap_or_default()];
        }
        for bit in bits {
            if let Some(word) = place(bit).and_then(|at| self.0.get_mut(at)) {
                *word |= 1 << (bit % 64);
            }
        }
    }
}

fn place(bit: u64) -> Option<usize> {
    usize::try_from(bit / 64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Option<Time> {
        Some(Time::from_micros(1_000_000_000).plus(Span::from_hours(hours)))
    }

    #[test]
    fn a_used_key_is_never_new_within_the_day() {
        let keys = Keys::default();
        keys.used("before", "k", None);
        assert!(!keys.is_new("ada", "anything"), "nothing is known yet");
        keys.known();
        assert!(!keys.is_new("before", "k") && keys.is_new("before", "l") && keys.is_new("befor", "ek"));
        // Whenever it was used, and however often others came in between, it is known for 24 hours.
        for hour in 0..200 {
            keys.used("ada", &format!("{hour}"), at(hour));
            for known in hour.saturating_sub(24)..=hour {
                assert!(!keys.is_new("ada", &format!("{known}")), "{known} at {hour}");
            }
        }
        assert!(!keys.is_new("ada", "199") && keys.is_new("ada", "0"), "it is forgotten in time");
        assert!(keys.is_new("before", "k"));
    }

    #[test]
    fn new_keys_are_nearly_always_known_as_such() {
        let keys = Keys::default();
        keys.known();
        (0..1_000_000).for_each(|n| keys.used("ada", &format!("used {n}"), at(0)));
        let mistaken = (0..10_000).filter(|n| !keys.is_new("ada", &format!("new {n}"))).count();
        assert!(mistaken < 40, "{mistaken} of 10,000");
    }
}
