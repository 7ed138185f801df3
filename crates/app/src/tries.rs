//! How often one person's logins at the gateway failed of late: wrong codes, and certificates that open nothing.
//!
//! It counts people and no names: however a login is spelt, and from wherever it comes, it is the same person's.
//! It stands beside the bounds on one connection, one address and one login, which somebody with many of them
//! would pass. Forgotten at a restart.
//!
//! INVARIANT: who failed too often fails until the time is over, with the right code too (held by
//! `who_fails_too_often_waits_whatever_they_show`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wane_domain::id::PersonId;
use wane_domain::time::{Span, Time};

use crate::error::AppError;

/// Wrong codes within [`WINDOW`] that are free.
const MOST_CODES: u32 = 20;
/// Certificates that open nothing: nobody guesses one, and a program that reaches many hosts fails at all of them.
const MOST_CERTIFICATES: u32 = 200;
/// How long they are counted, and how long the door stays shut after the last of them.
const WINDOW: Span = Span::from_mins(10);
/// How many people are remembered.
const MOST_PEOPLE: usize = 10_000;

/// What the one failure came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// There may be more.
    Counted,
    /// It was the last that is free.
    Shut,
}

/// Who failed how often.
#[derive(Debug)]
pub(crate) struct Tries {
    most: u32,
    counts: Mutex<HashMap<PersonId, (u32, Time)>>,
}

impl Tries {
    pub(crate) fn of_codes() -> Self {
        Self { most: MOST_CODES, counts: Mutex::default() }
    }

    pub(crate) fn of_certificates() -> Self {
        Self { most: MOST_CERTIFICATES, counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<PersonId, (u32, Time)>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses those who failed too often.
    pub(crate) fn check(&self, person: PersonId, now: Time) -> Result<(), AppError> {
        let counts = self.counts();
        let Some((failures, until)) = counts.get(&person).copied() else { return Ok(()) };
        if failures < self.most || now >= until {
            return Ok(());
        }
        Err(AppError::Closed { until, wait: until.since(now) })
    }

    /// One more failure of a person.
    pub(crate) fn failed(&self, person: PersonId, now: Time) -> Failed {
        let mut counts = self.counts();
        if counts.len() >= MOST_PEOPLE && !counts.contains_key(&person) {
            counts.retain(|_, (_, until)| now < *until);
            if counts.len() >= MOST_PEOPLE {
                let oldest = counts.iter().min_by_key(|(_, (_, until))| *until).map(|(person, _)| *person);
                oldest.and_then(|person| counts.remove(&person));
            }
        }
        let count = counts.entry(person).or_insert((0, now.plus(WINDOW)));
        if now >= count.1 {
            *count = (0, now.plus(WINDOW));
        }
        count.0 = count.0.saturating_add(1);
        if count.0 == self.most {
            count.1 = now.plus(WINDOW);
            return Failed::Shut;
        }
        Failed::Counted
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;

    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);

    fn person(n: u32) -> PersonId {
        let [a, b, c, d] = n.to_le_bytes();
        PersonId::mint(NOW, &[1, 0, 0, 0, 0, 0, d, c, b, a])
    }

    #[test]
    fn the_door_shuts_for_one_person_and_opens_again() {
        let tries = Tries::of_codes();
        for _ in 1..MOST_CODES {
            assert_eq!(tries.failed(person(1), NOW), Failed::Counted);
        }
        assert!(tries.check(person(1), NOW).is_ok());
        assert_eq!(tries.failed(person(1), NOW), Failed::Shut);
        assert!(tries.check(person(1), NOW).is_err(), "one more was let try");
        assert_eq!(tries.failed(person(1), NOW), Failed::Counted, "said once");
        assert!(matches!(tries.check(person(1), NOW), Err(AppError::Closed { wait, .. }) if wait == WINDOW));
        assert!(tries.check(person(2), NOW).is_ok(), "which is nobody else's trouble");
        assert!(tries.check(person(1), NOW.plus(WINDOW)).is_ok());
        assert_eq!(tries.failed(person(1), NOW.plus(WINDOW)), Failed::Counted);
        assert!(tries.check(person(1), NOW.plus(WINDOW)).is_ok(), "it begins anew");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let tries = Tries::of_codes();
        let most = u32::try_from(MOST_PEOPLE).unwrap();
        for n in 0..=most {
            tries.failed(person(n), NOW);
        }
        assert_eq!(tries.counts().len(), MOST_PEOPLE);
        // Who is remembered already takes nobody's place.
        tries.failed(person(most), NOW);
        assert_eq!(tries.counts().len(), MOST_PEOPLE);
        tries.failed(person(most + 1), NOW.plus(WINDOW));
        assert_eq!(tries.counts().len(), 1, "what is over is remembered while there is somebody new");
    }
}
