//! Whose session is being opened: a key that comes twice at once opens one, and no key waits for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::cookie::Mark;

/// The keys whose sessions are being opened, each with its turn.
#[derive(Default)]
pub(crate) struct Openings(Mutex<HashMap<Mark, Arc<tokio::sync::Mutex<()>>>>);

impl Openings {
    fn keys(&self) -> MutexGuard<'_, HashMap<Mark, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else opens a session for a key; so long as what this gives is held, nobody does.
    pub(crate) async fn turn(&self, mark: Mark) -> Turn<'_> {
        // Made before anybody waits, so that it is forgotten also if whoever waits hangs up.
        let mut turn = Turn { openings: self, mark, held: None };
        let queue = Arc::clone(self.keys().entry(mark).or_default());
        turn.held = Some(queue.lock_owned().await);
        turn
    }
}

/// A key's turn.
pub(crate) struct Turn<'o> {
    openings: &'o Openings,
    mark: Mark,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut keys = self.openings.keys();
        self.held = None;
        // Whoever waits has it too; it is taken from the book under the lock.
        if keys.get(&self.mark).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            keys.remove(&self.mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_key_waits_for_itself_and_for_no_other() {
        let openings = Openings::default();
        let first = openings.turn([1; 32]).await;
        let _other = openings.turn([2; 32]).await;
        let mut second = Box::pin(openings.turn([1; 32]));
        assert!(second.as_mut().now_or_never().is_none(), "two open a session for one key");
        drop(first);
        let second = second.await;
        // Who hangs up while waiting leaves nothing, and takes nothing along.
        let mut third = Box::pin(openings.turn([1; 32]));
        assert!(third.as_mut().now_or_never().is_none());
        drop(third);
        assert_eq!(openings.keys().len(), 2);
        drop(second);
        assert_eq!(openings.keys().len(), 1, "what nobody waits for is forgotten");
    }
}
