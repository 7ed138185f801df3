//! What waits to be ended, target by target.
//!
//! INVARIANT: a target that cannot be worked with holds back only what is its own
//! (held by `a_dead_target_delays_no_other`).

use std::collections::{BTreeSet, HashMap, HashSet};

use wane_domain::id::{LeaseId, ResourceId};
use wane_domain::time::{Span, Time};

/// How many ends run at one target at once.
const AT_ONCE: usize = 8;

/// The queue of one target.
#[derive(Debug, Default)]
struct Queue {
    /// By when they were due: ends go in the order of their deadlines.
    waiting: BTreeSet<(Time, LeaseId)>,
    running: usize,
    /// Set while the target cannot be worked with: one end at a time feels for it.
    held: Option<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    until: Time,
    misses: u32,
}

/// All queues.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    targets: HashMap<ResourceId, Queue>,
    known: HashSet<LeaseId>,
}

impl Queues {
    /// Puts a lease in its target's queue, unless it waits or runs already.
    pub(crate) fn add(&mut self, target: ResourceId, due: Time, lease: LeaseId) {
        if self.known.insert(lease) {
            self.targets.entry(target).or_default().waiting.insert((due, lease));
        }
    }

    /// What may start now.
    pub(crate) fn start(&mut self, now: Time) -> Vec<(ResourceId, LeaseId)> {
        let mut out = Vec::new();
        for (target, queue) in &mut self.targets {
            let most = match queue.held {
                None => AT_ONCE,
                Some(held) if now >= held.until => 1,
                Some(_) => 0,
            };
            while queue.running < most {
                let Some((_, lease)) = queue.waiting.pop_first() else { break };
                queue.running = queue.running.saturating_add(1);
                out.push((*target, lease));
            }
        }
        out
    }

    /// An end was tried. What is not gone is due again later; the store says when.
    pub(crate) fn done(&mut self, target: ResourceId, lease: LeaseId, reached: Reached, now: Time, cap: Span) {
        self.known.remove(&lease);
        let Some(queue) = self.targets.get_mut(&target) else { return };
        queue.running = queue.running.saturating_sub(1);
        queue.held = match reached {
            Reached::Yes => None,
            Reached::No => {
                let misses = queue.held.map_or(0, |h| h.misses);
                let wait = Span::from_secs(1u64.checked_shl(misses.min(20)).unwrap_or(u64::MAX)).min(cap);
                Some(Held { until: now.plus(wait), misses: misses.saturating_add(1) })
            }
        };
        if queue.waiting.is_empty() && queue.running == 0 && queue.held.is_none() {
            self.targets.remove(&target);
        }
    }

    /// Whether something is being ended at a target, or waits for it.
    pub(crate) fn is_busy(&self, target: ResourceId) -> bool {
        self.targets.get(&target).is_some_and(|q| q.running > 0 || !q.waiting.is_empty())
    }

    /// When a held target is felt for next.
    pub(crate) fn next(&self) -> Option<Time> {
        self.targets.values().filter(|q| !q.waiting.is_empty()).filter_map(|q| q.held.map(|h| h.until)).min()
    }
}

/// Whether the target could be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use wane_domain::id::TypedId;

    fn lease(n: u8) -> LeaseId {
        LeaseId::mint(Time::from_micros(i64::from(n)), &[n; 10])
    }

    fn target(n: u8) -> ResourceId {
        ResourceId::mint(Time::from_micros(0), &[n; 10])
    }

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    #[test]
    fn a_dead_target_delays_no_other() {
        let (dead, alive, cap) = (target(1), target(2), Span::from_secs(30));
        let mut queues = Queues::default();
        (0..40).for_each(|n| queues.add(dead, at(0), lease(n)));
        assert_eq!(queues.start(at(1)).len(), AT_ONCE);
        queues.add(alive, at(1), lease(100));
        assert_eq!(queues.start(at(1)), vec![(alive, lease(100))], "the living target waits for the dead one");
        for n in 0..8 {
            queues.done(dead, lease(n), Reached::No, at(2), cap);
        }
        assert!(queues.start(at(2)).is_empty(), "a held target is tried at once");
        assert_eq!(queues.start(at(2_000)).len(), 1, "a held target is not felt for by one");
        queues.done(dead, lease(8), Reached::Yes, at(2_001), cap);
        assert_eq!(queues.start(at(2_001)).len(), AT_ONCE, "a target that came back is not drained at full speed");
    }

    #[test]
    fn the_wait_is_capped() {
        let (dead, cap) = (target(1), Span::from_secs(30));
        let mut queues = Queues::default();
        let mut now = at(0);
        for _ in 0..40 {
            queues.add(dead, at(0), lease(1));
            queues.add(dead, at(0), lease(2));
            let started = queues.start(now);
            for (target, lease) in started {
                queues.done(target, lease, Reached::No, now, cap);
            }
            let next = queues.next().unwrap_or(now);
            assert!(next <= now.plus(cap), "waits {} for a dead target", next.since(now));
            now = now.plus(cap);
        }
    }

    #[test]
    fn ends_go_in_the_order_of_their_deadlines() {
        let mut queues = Queues::default();
        queues.add(target(1), at(30), lease(3));
        queues.add(target(1), at(10), lease(1));
        queues.add(target(1), at(20), lease(2));
        let order: Vec<_> = queues.start(at(40)).into_iter().map(|(_, lease)| lease).collect();
        assert_eq!(order, vec![lease(1), lease(2), lease(3)]);
    }
}
