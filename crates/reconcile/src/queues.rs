//! What waits to be ended, target by target.
//!
//! INVARIANT: a target that cannot be worked with holds back only what is its own
//! (held by `a_dead_target_delays_no_other`).

use std::collections::{BTreeSet, HashMap, HashSet};

use wane_domain::id::{LeaseId, ResourceId};
use wane_domain::time::{Span, Time};

/// How many rounds of ends run at one target at once.
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

    /// The rounds that may start now, each with as many ends as its target takes `together`. What feels for
    /// a target is one end.
    pub(crate) fn start(
        &mut self,
        now: Time,
        together: impl Fn(ResourceId) -> usize,
    ) -> Vec<(ResourceId, Vec<LeaseId>)> {
        let mut out = Vec::new();
        for (target, queue) in &mut self.targets {
            let (most, of) = match queue.held {
                None => (AT_ONCE, together(*target).max(1)),
                Some(held) if now >= held.until => (1, 1),
                Some(_) => (0, 0),
            };
            while queue.running < most && !queue.waiting.is_empty() {
                let round = std::iter::from_fn(|| queue.waiting.pop_first()).take(of).map(|(_, lease)| lease);
                out.push((*target, round.collect()));
                queue.running = queue.running.saturating_add(1);
            }
        }
        out
    }

    /// A round was tried. What is not gone is due again later; the store says when.
    pub(crate) fn done(&mut self, target: ResourceId, round: &[LeaseId], reached: Reached, now: Time, cap: Span) {
        for lease in round {
            self.known.remove(lease);
        }
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
        LeaseId::mint(Time::from_micros(i64::from(n) * 1_000), &[n; 10])
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
        assert_eq!(queues.start(at(1), |_| 1).len(), AT_ONCE);
        queues.add(alive, at(1), lease(100));
        let alone = vec![(alive, vec![lease(100)])];
        assert_eq!(queues.start(at(1), |_| 1), alone, "the living target waits for the dead one");
        for n in 0..8 {
            queues.done(dead, &[lease(n)], Reached::No, at(2), cap);
        }
        assert!(queues.start(at(2), |_| 1).is_empty(), "a held target is tried at once");
        let felt = queues.start(at(2_000), |_| 3);
        assert_eq!(felt, vec![(dead, vec![lease(8)])], "a held target is not felt for by one");
        queues.done(dead, &[lease(8)], Reached::Yes, at(2_001), cap);
        assert_eq!(
            queues.start(at(2_001), |_| 1).len(),
            AT_ONCE,
            "a target that came back is not drained at full speed"
        );
    }

    #[test]
    fn the_wait_is_capped() {
        let (dead, cap) = (target(1), Span::from_secs(30));
        let mut queues = Queues::default();
        let mut now = at(0);
        for _ in 0..40 {
            queues.add(dead, at(0), lease(1));
            queues.add(dead, at(0), lease(2));
            for (target, round) in queues.start(now, |_| 1) {
                queues.done(target, &round, Reached::No, now, cap);
            }
            let next = queues.next().unwrap_or(now);
            assert!(next <= now.plus(cap), "waits {} for a dead target", next.since(now));
            now = now.plus(cap);
        }
    }

    #[test]
    fn a_target_is_busy_while_something_waits_or_runs_there() {
        let (here, cap) = (target(1), Span::from_secs(30));
        let mut queues = Queues::default();
        assert!(!queues.is_busy(here), "nothing was ever to be ended there");
        queues.add(here, at(0), lease(1));
        assert!(queues.is_busy(here), "something waits");
        queues.start(at(0), |_| 1);
        assert!(queues.is_busy(here), "something runs");
        assert!(!queues.is_busy(target(2)), "something runs elsewhere");
        queues.done(here, &[lease(1)], Reached::No, at(0), cap);
        assert!(!queues.is_busy(here), "it is away, and nothing is to be ended there now");
    }

    #[test]
    fn a_target_that_is_away_is_felt_for_only_if_something_waits_for_it() {
        let (here, cap) = (target(1), Span::from_secs(30));
        let mut queues = Queues::default();
        queues.add(here, at(0), lease(1));
        queues.start(at(0), |_| 1);
        queues.done(here, &[lease(1)], Reached::No, at(0), cap);
        assert_eq!(queues.next(), None, "nothing waits");
        queues.add(here, at(0), lease(2));
        assert_eq!(queues.next(), Some(at(1)));
        assert!(queues.start(at(0), |_| 1).is_empty(), "felt for too early");
        assert_eq!(queues.start(at(1), |_| 1), vec![(here, vec![lease(2)])]);
        queues.done(here, &[lease(2)], Reached::Yes, at(1), cap);
        queues.add(here, at(2), lease(3));
        assert_eq!(queues.next(), None, "a target that is back is still felt for");
    }

    #[test]
    fn for_each_end_that_comes_back_one_more_begins() {
        let (here, cap) = (target(1), Span::from_secs(30));
        let mut queues = Queues::default();
        (0..8).for_each(|n| queues.add(here, at(0), lease(n)));
        assert_eq!(queues.start(at(0), |_| 1).len(), AT_ONCE);
        // For a while nothing waits, and the others still run.
        queues.done(here, &[lease(0)], Reached::Yes, at(1), cap);
        (10..20).for_each(|n| queues.add(here, at(1), lease(n)));
        assert_eq!(queues.start(at(1), |_| 1), vec![(here, vec![lease(10)])]);
    }

    #[test]
    fn ends_go_in_the_order_of_their_deadlines() {
        let mut queues = Queues::default();
        queues.add(target(1), at(30), lease(3));
        queues.add(target(1), at(10), lease(1));
        queues.add(target(1), at(20), lease(2));
        let order: Vec<_> = queues.start(at(40), |_| 1).into_iter().flat_map(|(_, round)| round).collect();
        assert_eq!(order, vec![lease(1), lease(2), lease(3)]);
    }

    #[test]
    fn a_round_holds_as_many_as_its_target_takes_together() {
        let (many, one) = (target(1), target(2));
        let mut queues = Queues::default();
        (0..40).for_each(|n| queues.add(many, at(0), lease(n)));
        (100..140).for_each(|n| queues.add(one, at(0), lease(n)));
        let together = |target| if target == many { 16 } else { 1 };
        let started = queues.start(at(1), together);
        let (ones, rounds): (Vec<_>, Vec<_>) = started.into_iter().partition(|(target, _)| *target == one);
        assert_eq!(rounds.iter().map(|(_, round)| round.len()).collect::<Vec<_>>(), [16, 16, 8]);
        assert_eq!(ones.iter().map(|(_, round)| round.len()).collect::<Vec<_>>(), [1; AT_ONCE]);
        assert_eq!(rounds[0].1, (0..16).map(lease).collect::<Vec<_>>());
    }
}
