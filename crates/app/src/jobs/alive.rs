//! Which jobs go on, and when each was last heard of.
//!
//! In memory: a word every few seconds is no fact for the trail. After a restart every job that was not over is waited
//! for once more, as if it had spoken just then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wane_domain::id::{JobId, PersonId};
use wane_domain::time::{Span, Time};

/// The jobs that go on.
#[derive(Debug, Default)]
pub(crate) struct Alive(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    loaded: bool,
    jobs: HashMap<JobId, One>,
}

#[derive(Clone, Copy, Debug)]
struct One {
    person: PersonId,
    until: Time,
    silence: Span,
    heard: Time,
}

impl One {
    /// When it is over if nothing more is heard.
    fn over(&self) -> Time {
        self.until.min(self.heard.plus(self.silence))
    }

    fn how(&self, now: Time) -> Option<&'static str> {
        if now >= self.until {
            Some("its time was up")
        } else if now >= self.over() {
            Some("nothing was heard of it any more")
        } else {
            None
        }
    }
}

impl Alive {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.known().loaded
    }

    /// Those that began before this process did. Those that it knows of stay as they are.
    pub(crate) fn load(&self, all: impl Iterator<Item = (JobId, PersonId, (Time, Span))>, now: Time) {
        let mut known = self.known();
        for (id, person, (until, silence)) in all {
            known.jobs.entry(id).or_insert(One { person, until, silence, heard: now });
        }
        known.loaded = true;
    }

    pub(crate) fn began(&self, id: JobId, person: PersonId, (until, silence): (Time, Span), now: Time) {
        self.known().jobs.insert(id, One { person, until, silence, heard: now });
    }

    pub(crate) fn ended(&self, id: JobId) {
        self.known().jobs.remove(&id);
    }

    /// How many of somebody's go on.
    pub(crate) fn of(&self, person: PersonId) -> usize {
        self.known().jobs.values().filter(|one| one.person == person).count()
    }

    /// A job speaks; whether it is not over.
    pub(crate) fn hear(&self, id: JobId, now: Time) -> bool {
        let mut known = self.known();
        let Some(one) = known.jobs.get_mut(&id).filter(|one| one.how(now).is_none()) else { return false };
        one.heard = one.heard.max(now);
        true
    }

    /// When one was last heard of.
    pub(crate) fn heard(&self, id: JobId) -> Option<Time> {
        self.known().jobs.get(&id).map(|one| one.heard)
    }

    /// Why one is over, if it is.
    pub(crate) fn over(&self, id: JobId, now: Time) -> Option<&'static str> {
        self.known().jobs.get(&id)?.how(now)
    }

    /// Those that are over, and when the next one will be.
    pub(crate) fn all_over(&self, now: Time) -> (Vec<JobId>, Option<Time>) {
        let known = self.known();
        let over = known.jobs.iter().filter(|(_, one)| one.how(now).is_some()).map(|(id, _)| *id).collect();
        (over, known.jobs.values().map(One::over).filter(|over| *over > now).min())
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId;

    use super::*;

    #[test]
    fn a_job_that_was_silent_never_speaks_again() {
        let at = |secs: u64| Time::from_micros(0).plus(Span::from_secs(secs));
        let id = |n: u8| JobId::mint(at(0), &[n; 10]);
        let person = PersonId::mint(at(0), &[1; 10]);
        let alive = Alive::default();
        alive.began(id(1), person, (at(100), Span::from_secs(10)), at(0));
        assert!(!alive.is_loaded() && alive.of(person) == 1);
        alive.load(
            [(id(1), person, (at(100), Span::from_secs(10))), (id(2), person, (at(50), Span::from_secs(10)))]
                .into_iter(),
            at(5),
        );
        assert!(alive.is_loaded() && alive.of(person) == 2, "the book is read once");
        assert_eq!(alive.all_over(at(9)), (vec![], Some(at(10))));
        assert!(alive.hear(id(1), at(9)) && alive.hear(id(2), at(9)));
        assert!(alive.hear(id(1), at(18)));
        // Late by an instant.
        assert!(!alive.hear(id(2), at(19)));
        assert_eq!(alive.all_over(at(19)), (vec![id(2)], Some(at(28))));
        assert!(alive.over(id(2), at(19)).is_some_and(|how| how.contains("heard")));
        // However busy, its time is up once.
        (19..100).for_each(|second| assert!(alive.hear(id(1), at(second))));
        assert!(!alive.hear(id(1), at(100)));
        assert_eq!(alive.over(id(1), at(100)), Some("its time was up"));
        alive.ended(id(1));
        assert!(!alive.hear(id(1), at(20)) && alive.of(person) == 1);
    }
}
