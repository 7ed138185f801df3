//! Whether the store can be used, as far as the last who tried could tell.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wane_domain::time::Time;

use crate::App;
use crate::error::AppError;

/// How long an end waits for a store that does nothing meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How often it waits so long while others are served.
const MOST_WAITS: usize = 10;

/// How the store is, for those who watch over the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreState {
    /// Since when it cannot be read or written, and what it said; none if it can, as far as is known.
    pub trouble: Option<(Time, String)>,
    /// Ends that were acted on and are not in the log yet.
    pub unbooked: usize,
    /// How many of those are in memory only, and would be forgotten with the process.
    pub only_in_memory: usize,
}

/// What is the matter with the store.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    met: Mutex<Option<(Time, String)>>,
    /// Commits that were answered well.
    answered: AtomicU64,
}

impl Trouble {
    /// The store failed, or did not answer.
    pub(crate) fn met(&self, why: &str, now: Time) {
        let mut met = self.lock();
        if met.is_none() {
            tracing::error!(%why, "THE STORE CANNOT BE USED: nothing begins; what must end is ended from memory and booked later");
            *met = Some((now, why.to_owned()));
        }
    }

    /// A commit was answered: the store can be written.
    pub(crate) fn over(&self) {
        self.answered.fetch_add(1, Ordering::SeqCst);
        if let Some((since, _)) = self.lock().take() {
            tracing::warn!(%since, "the store can be written again");
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.lock().is_some()
    }

    pub(crate) fn state(&self) -> Option<(Time, String)> {
        self.lock().clone()
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// What work comes to; nothing once the store has answered nobody for so long.
    async fn while_answering<T>(&self, patience: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        let mut before = self.answered();
        for _ in 0..MOST_WAITS {
            if let Ok(done) = tokio::time::timeout(patience, work.as_mut()).await {
                return Some(done);
            }
            // A store under load answers others; one that hangs answers nobody.
            let answered = self.answered();
            if answered == before {
                return None;
            }
            before = answered;
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Time, String)>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Does something with the store that an end needs, for as long as the store gets anywhere. What was
    /// given up on may be done all the same, later.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
        let trouble = &self.storeless.trouble;
        match trouble.while_answering(PATIENCE, work).await {
            Some(Err(AppError::Store(why))) => {
                trouble.met(&why, self.now());
                Err(AppError::Store(why))
            }
            Some(done) => done,
            None => {
                let why = format!("it did not answer within {} s", PATIENCE.as_secs());
                trouble.met(&why, self.now());
                self.storeless.agenda.mistrust();
                Err(AppError::Store(why))
            }
        }
    }

    /// Whether the store cannot be used, as far as the last who tried could tell.
    #[must_use]
    pub fn is_storeless(&self) -> bool {
        self.storeless.trouble.is_on()
    }

    /// Somebody outside the use-cases could not use the store.
    pub fn store_failed(&self, why: &str) {
        self.storeless.trouble.met(why, self.now());
    }

    /// How the store is.
    #[must_use]
    pub fn store_state(&self) -> StoreState {
        let (unbooked, only_in_memory) = self.storeless.spool.count();
        StoreState { trouble: self.storeless.trouble.state(), unbooked, only_in_memory }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    /// As long as it is not for ever.
    #[tokio::test]
    async fn who_waits_for_the_store_waits_while_it_answers_others() {
        for (looks, answers, done) in [(1, false, true), (5, true, true), (1000, false, false), (1000, true, false)] {
            let (trouble, mut looked) = (Trouble::default(), 0);
            let work = poll_fn(|_| {
                looked += 1;
                if answers {
                    trouble.over();
                }
                if looked < looks { Poll::Pending } else { Poll::Ready(()) }
            });
            let came = trouble.while_answering(Duration::ZERO, work).await;
            assert_eq!(came.is_some(), done, "{looks} looks, answering others: {answers}");
        }
    }
}
