//! How fast a directory may push, one push after the other, and what was heard of it. Memory only: after a restart
//! everybody begins afresh.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wane_domain::id::DirectoryId;
use wane_domain::time::{Span, Time};

/// Calls that a directory has free.
const FREE: u64 = 2_000;
/// One call is forgiven after so many microseconds: five hundred calls a second.
const FORGIVEN: i64 = 2_000;
/// Pushes of one directory that wait for their turn, or have it.
const MOST_WAITING: usize = 64;
/// As much of a refusal as is kept.
const LONGEST_WHY: usize = 256;

/// What was heard of a directory since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) seen: Option<Time>,
    pub(crate) refused: u64,
    pub(crate) last_refused: Option<(Time, String)>,
}

#[derive(Debug)]
struct Pace {
    /// When all calls will be forgiven, in microseconds.
    until: i64,
    turn: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    heard: Heard,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            until: i64::MIN,
            turn: Arc::new(Semaphore::new(1)),
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            heard: Heard::default(),
        }
    }
}

/// The paces of all directories. There are few: only one that an administrator added gets here.
#[derive(Debug, Default)]
pub(crate) struct Paces(Mutex<HashMap<DirectoryId, Pace>>);

/// A turn of a directory. While it is held no other push of that directory is under way.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    _place: Option<OwnedSemaphorePermit>,
}

/// Whether a push is an end: then there is always room to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Yes,
    No,
}

impl Paces {
    fn all(&self) -> MutexGuard<'_, HashMap<DirectoryId, Pace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call; if there is none left, says how long until there is.
    pub(crate) fn take(&self, directory: DirectoryId, now: Time) -> Result<(), Span> {
        let mut all = self.all();
        let pace = all.entry(directory).or_default();
        let after = pace.until.max(now.micros()).saturating_add(FORGIVEN);
        let free = FORGIVEN.saturating_mul(i64::try_from(FREE).unwrap_or(i64::MAX));
        if after > now.micros().saturating_add(free) {
            return Err(Span::from_secs(1));
        }
        pace.until = after;
        Ok(())
    }

    /// Waits for the directory's turn; none if too many wait.
    pub(crate) async fn turn(&self, directory: DirectoryId, ends: Ends) -> Option<Turn> {
        let (turn, waiting) = {
            let mut all = self.all();
            let pace = all.entry(directory).or_default();
            (Arc::clone(&pace.turn), Arc::clone(&pace.waiting))
        };
        let place = match ends {
            Ends::Yes => None,
            Ends::No => Some(waiting.try_acquire_owned().ok()?),
        };
        Some(Turn { _turn: turn.acquire_owned().await.ok()?, _place: place })
    }

    /// It called.
    pub(crate) fn heard(&self, directory: DirectoryId, now: Time) {
        self.all().entry(directory).or_default().heard.seen = Some(now);
    }

    /// A call of it was refused.
    pub(crate) fn refused(&self, directory: DirectoryId, why: &str, now: Time) {
        let mut all = self.all();
        let heard = &mut all.entry(directory).or_default().heard;
        heard.refused = heard.refused.saturating_add(1);
        heard.last_refused = Some((now, why.chars().take(LONGEST_WHY).collect()));
    }

    /// What was heard.
    pub(crate) fn known(&self, directory: DirectoryId) -> Heard {
        self.all().get(&directory).map(|pace| pace.heard.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;

    use super::*;

    #[test]
    fn calls_are_forgiven_one_by_one_and_of_each_directory_alone() {
        let (paces, now) = (Paces::default(), Time::from_micros(1_000_000_000));
        let [one, other] = [1, 2].map(|n| DirectoryId::mint(now, &[n; 10]));
        for _ in 0..FREE {
            paces.take(one, now).unwrap();
        }
        assert!(paces.take(one, now).is_err());
        paces.take(other, now).unwrap();
        paces.take(one, Time::from_micros(now.micros() + FORGIVEN)).unwrap();
        assert!(paces.take(one, Time::from_micros(now.micros() + FORGIVEN)).is_err());
    }

    #[tokio::test]
    async fn one_push_is_under_way_and_few_wait() {
        let paces = Paces::default();
        let one = DirectoryId::mint(Time::from_micros(0), &[1; 10]);
        let held = paces.turn(one, Ends::No).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 1..MOST_WAITING {
            let mut next = Box::pin(paces.turn(one, Ends::No));
            assert!(futures::poll!(&mut next).is_pending());
            waiting.push(next);
        }
        assert!(paces.turn(one, Ends::No).await.is_none(), "too many wait");
        let mut end = Box::pin(paces.turn(one, Ends::Yes));
        assert!(futures::poll!(&mut end).is_pending(), "an end waits, however many do");
        drop(held);
        assert!(waiting.remove(0).await.is_some());
    }
}
