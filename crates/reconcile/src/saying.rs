//! What is due to be said: that a grant is over, that a request has lapsed.

use std::collections::{HashSet, VecDeque};

use wane_domain::id::{GrantId, RequestId};
use wane_store::DueWhat;

/// How many are said at once: they share the store's commits.
const AT_ONCE: usize = 64;

/// What waits to be said, each once, in the order it was due.
#[derive(Debug, Default)]
pub(crate) struct Sayings {
    waiting: VecDeque<DueWhat>,
    grants: HashSet<GrantId>,
    requests: HashSet<RequestId>,
    running: usize,
}

impl Sayings {
    /// Puts something in line, unless it is there or being said. Leases are not said but done.
    pub(crate) fn add(&mut self, what: DueWhat) {
        let new = match what {
            DueWhat::Grant(id) => self.grants.insert(id),
            DueWhat::Request(id) => self.requests.insert(id),
            DueWhat::Lease(..) => false,
        };
        if new {
            self.waiting.push_back(what);
        }
    }

    /// What may start now.
    pub(crate) fn start(&mut self) -> Vec<DueWhat> {
        let room = AT_ONCE.saturating_sub(self.running).min(self.waiting.len());
        self.running = self.running.saturating_add(room);
        self.waiting.drain(..room).collect()
    }

    /// It was said, or could not be; if it is still due, the store says so.
    pub(crate) fn done(&mut self, what: DueWhat) {
        self.running = self.running.saturating_sub(1);
        match what {
            DueWhat::Grant(id) => self.grants.remove(&id),
            DueWhat::Request(id) => self.requests.remove(&id),
            DueWhat::Lease(..) => false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wane_domain::id::TypedId as _;
    use wane_domain::time::Time;

    #[test]
    fn each_is_said_once_and_so_many_at_once() {
        let grant = |n: u8| DueWhat::Grant(GrantId::mint(Time::from_micros(0), &[n; 10]));
        let mut sayings = Sayings::default();
        (0..100).chain(0..100).for_each(|n| sayings.add(grant(n)));
        let first = sayings.start();
        assert_eq!((first.len(), first[0]), (AT_ONCE, grant(0)));
        assert!(sayings.start().is_empty(), "more than {AT_ONCE} at once");
        first.into_iter().for_each(|what| sayings.done(what));
        assert_eq!(sayings.start().len(), 100 - AT_ONCE);
        assert!(sayings.waiting.is_empty());
    }
}
