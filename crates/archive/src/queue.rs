//! What tapes and scribe share: who has something for the disk, who is in a hurry, and how much all tapes together
//! may have on its way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::reel::Reel;

/// How long the first event of a turn waits for company, while nobody waits for it.
const GATHER: Duration = Duration::from_millis(20);
/// What all tapes together may have on its way to the disk beyond the window that each has anyway: bounded
/// memory, whatever the number of sessions.
const BEYOND: usize = 64 * 1024 * 1024;

/// Whether anybody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    Soon,
    Now,
}

/// Whether the scribe has something left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    Some,
}

/// The tapes that have something, and who is in a hurry.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    beyond: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    reels: Vec<Arc<Reel>>,
    urgent: bool,
    closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::default(), changed: Condvar::new(), beyond: AtomicUsize::new(BEYOND) })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, reel: Option<Arc<Reel>>, haste: Haste) {
        let mut waiting = self.waiting();
        let wakes = (reel.is_some() && waiting.reels.is_empty()) || (haste == Haste::Now && !waiting.urgent);
        waiting.reels.extend(reel);
        waiting.urgent |= haste == Haste::Now;
        drop(waiting);
        if wakes {
            self.changed.notify_one();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    pub(crate) fn close(&self) {
        self.waiting().closed = true;
        self.changed.notify_one();
    }

    /// The tapes that came since, after a while if nothing else is left to do; nothing when there will be none
    /// any more.
    pub(crate) fn next(&self, left: Left) -> Option<Vec<Arc<Reel>>> {
        let mut waiting = self.waiting();
        if left == Left::Nothing {
            let idle = |waiting: &mut Waiting| waiting.reels.is_empty() && !waiting.closed;
            waiting = self.changed.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
            let alone = |waiting: &mut Waiting| !waiting.urgent && !waiting.closed;
            waiting = self.changed.wait_timeout_while(waiting, GATHER, alone).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.urgent = false;
        let reels = std::mem::take(&mut waiting.reels);
        if reels.is_empty() && left == Left::Nothing && waiting.closed { None } else { Some(reels) }
    }

    /// Lends so much of what all have together, or what there is of it.
    fn lend(&self, wanted: usize) -> usize {
        let left = |beyond: usize| Some(beyond.saturating_sub(wanted));
        let before = self.beyond.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).unwrap_or_default();
        before.min(wanted)
    }
}

/// What a tape was lent beyond its own window; given back with it.
pub(crate) struct Lent {
    queue: Arc<Queue>,
    bytes: usize,
}

impl Lent {
    pub(crate) fn nothing(queue: &Arc<Queue>) -> Self {
        Self { queue: Arc::clone(queue), bytes: 0 }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// As near to so much as there is.
    pub(crate) fn become_near(&mut self, wanted: usize) {
        if wanted > self.bytes {
            self.bytes += self.queue.lend(wanted - self.bytes);
        } else {
            self.queue.beyond.fetch_add(self.bytes - wanted, Ordering::Relaxed);
            self.bytes = wanted;
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.become_near(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_have_a_bound() {
        let queue = Queue::new();
        let (mut one, mut other) = (Lent::nothing(&queue), Lent::nothing(&queue));
        one.become_near(BEYOND - 10);
        other.become_near(BEYOND);
        assert_eq!((one.bytes(), other.bytes()), (BEYOND - 10, 10));
        one.become_near(5);
        other.become_near(20);
        assert_eq!((one.bytes(), other.bytes()), (5, 20));
        drop((one, other));
        let mut last = Lent::nothing(&queue);
        last.become_near(BEYOND + 1);
        assert_eq!(last.bytes(), BEYOND);
    }
}
