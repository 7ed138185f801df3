//! Which grants somebody is ending many of, right now.
//!
//! A lock changes the world, so the pass over all live grants begins while the lock's own ends are still being
//! said, and finds them live. Were it to end them as well, each of the two would have the other's commit refused.
//! It leaves them alone, waits until whoever is at it has said so or has failed, and then looks again.

use std::collections::{HashMap, HashSet};

use tokio::sync::watch;
use wane_domain::id::GrantId;

/// The grants, with how many are at each.
#[derive(Debug, Default)]
pub(crate) struct Many(watch::Sender<HashMap<GrantId, usize>>);

/// Held while they are being ended; a caller that goes away lets go as well.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    many: &'a Many,
    grants: &'a [GrantId],
}

impl Many {
    /// Says that these are being ended until what is returned is dropped.
    pub(crate) fn begin<'a>(&'a self, grants: &'a [GrantId]) -> Ending<'a> {
        self.0.send_modify(|held| {
            for id in grants {
                let count = held.entry(*id).or_default();
                *count = count.saturating_add(1);
            }
        });
        Ending { many: self, grants }
    }

    /// Whether somebody is ending a grant.
    pub(crate) fn has(&self, grant: GrantId) -> bool {
        self.0.borrow().contains_key(&grant)
    }

    /// Waits until nobody is ending any of these any more.
    pub(crate) async fn done_with(&self, grants: &HashSet<GrantId>) {
        let free = |held: &HashMap<GrantId, usize>| grants.iter().all(|id| !held.contains_key(id));
        // An error only when this is gone, and with it whoever waits.
        let _ = self.0.subscribe().wait_for(free).await;
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.many.0.send_modify(|held| {
            for id in self.grants {
                if let Some(count) = held.get_mut(id) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        held.remove(id);
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;
    use wane_domain::id::TypedId as _;
    use wane_domain::time::Time;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_goes_on_once_nobody_is_at_any_of_them() {
        let many = Many::default();
        let ids = [1, 2, 3].map(|n| GrantId::mint(Time::from_micros(1_000_000), &[n; 10]));
        let [first, second, third] = ids.each_ref().map(std::slice::from_ref);
        let (all, _another) = ([first, second].concat(), many.begin(third));
        let (one, both) = (many.begin(first), many.begin(&all));
        let wanted: HashSet<GrantId> = all.iter().copied().collect();
        let mut waits = pin!(many.done_with(&wanted));
        assert!(poll!(waits.as_mut()).is_pending());
        drop(both);
        assert!(poll!(waits.as_mut()).is_pending(), "somebody is at one of them still");
        drop(one);
        assert!(poll!(waits.as_mut()).is_ready(), "nobody is at any of these");
    }
}
