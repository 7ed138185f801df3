//! Seeing that a target accepts what was signed, so that its later refusal means something.

use std::collections::{BTreeSet, HashMap};

use wane_domain::id::LeaseId;
use wane_domain::time::{Span, Time};

/// After how long a credential is tried at its target; after the last, no more.
const TRIES: [Span; 5] =
    [Span::from_secs(1), Span::from_secs(3), Span::from_secs(10), Span::from_secs(30), Span::from_secs(120)];
/// How many are tried at once.
const AT_ONCE: usize = 64;

/// The credentials that no target was yet seen accepting.
#[derive(Debug, Default)]
pub(crate) struct Confirmations {
    /// When each is tried next, and how often it was.
    known: HashMap<LeaseId, (Time, usize)>,
    order: BTreeSet<(Time, LeaseId)>,
    running: usize,
}

impl Confirmations {
    /// New credentials; tried at once.
    pub(crate) fn add(&mut self, leases: Vec<LeaseId>, now: Time) {
        for lease in leases {
            if let std::collections::hash_map::Entry::Vacant(new) = self.known.entry(lease) {
                new.insert((now, 0));
                self.order.insert((now, lease));
            }
        }
    }

    /// Which are to be tried now; each is scheduled for its next try.
    pub(crate) fn due(&mut self, now: Time) -> Vec<LeaseId> {
        let mut out = Vec::new();
        while self.running < AT_ONCE && self.order.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, lease)) = self.order.pop_first() else { break };
            let tries = self.known.get(&lease).map_or(0, |(_, tries)| *tries);
            match TRIES.get(tries) {
                Some(wait) => {
                    self.known.insert(lease, (now.plus(*wait), tries.saturating_add(1)));
                    self.order.insert((now.plus(*wait), lease));
                }
                None => drop(self.known.remove(&lease)),
            }
            self.running = self.running.saturating_add(1);
            out.push(lease);
        }
        out
    }

    /// A target accepted it.
    pub(crate) fn settle(&mut self, lease: LeaseId) {
        self.not_yet();
        if let Some((at, _)) = self.known.remove(&lease) {
            self.order.remove(&(at, lease));
        }
    }

    /// One was tried, and is tried again or not.
    pub(crate) fn not_yet(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Which were being tried is not known any more.
    pub(crate) fn none_under_way(&mut self) {
        self.running = 0;
    }

    /// When the next is to be tried. Nothing while as many are as may be.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, _)| *at).filter(|_| self.running < AT_ONCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wane_domain::id::TypedId as _;

    #[test]
    fn each_is_tried_a_few_times_and_so_many_at_once() {
        let at = |secs: i64| Time::from_micros(secs * 1_000_000);
        let all: Vec<LeaseId> = (0..100u8).map(|n| LeaseId::mint(at(0), &[n; 10])).collect();
        let mut confirmations = Confirmations::default();
        confirmations.add(all.clone(), at(0));
        confirmations.add(all, at(0));
        let first = confirmations.due(at(0));
        assert_eq!(first.len(), AT_ONCE);
        assert!(confirmations.due(at(0)).is_empty() && confirmations.next().is_none(), "more than {AT_ONCE} at once");
        first.iter().for_each(|lease| confirmations.settle(*lease));
        let (mut tried, mut now) = (0, 0);
        while let Some(next) = confirmations.next() {
            now = now.max(next.seconds());
            for _ in confirmations.due(at(now)) {
                confirmations.not_yet();
                tried += 1;
            }
        }
        assert_eq!((tried, now), (36 * 6, 164), "once and five times more, for less than three minutes");
    }

    #[test]
    fn what_was_being_tried_when_a_pass_died_keeps_no_other_from_its_turn() {
        let now = Time::from_micros(0);
        let all: Vec<LeaseId> = (0..100u8).map(|n| LeaseId::mint(now, &[n; 10])).collect();
        let mut confirmations = Confirmations::default();
        confirmations.add(all, now);
        assert_eq!((confirmations.due(now).len(), confirmations.next()), (AT_ONCE, None));
        confirmations.none_under_way();
        assert_eq!((confirmations.next(), confirmations.due(now).len()), (Some(now), 100 - AT_ONCE));
    }
}
