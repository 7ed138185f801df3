//! The loop that ends without the store, and books it later.
//!
//! It never waits for the store before an end: what it reads of it is bounded in time, and it reads
//! and books in tasks of their own. Each target has a queue of its own here as well. Its pace is that of
//! elapsed time, not of the clock: a clock that was set must not hold an end back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wane_app::{App, AppError, Booked, TryEnd};
use wane_domain::id::{LeaseId, ResourceId};
use wane_domain::lease::Lease;
use wane_domain::time::Span;

use crate::queues::{Queues, Reached};

/// How often it looks whether the store can be read, and how long it waits for that.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// How often it looks for what must end while the store cannot be used.
const STORELESS_EVERY: Duration = Duration::from_secs(1);
/// How often the accounts in memory are read anew.
const READ_EVERY: Duration = Duration::from_secs(600);
/// How soon a reading that failed, or is not to be trusted, is done again.
const READ_AGAIN: Duration = Duration::from_secs(10);

/// What a task came back with.
enum Back {
    Looked(Result<(), String>),
    Read(Result<(), AppError>),
    Owed(Vec<Lease>),
    Ended(ResourceId, LeaseId, TryEnd),
    Booked(Result<Booked, AppError>),
}

/// The loop.
#[derive(Debug)]
pub struct Storeless {
    app: Arc<App>,
    retry_cap: Span,
    queues: Queues,
    /// What is to be ended, with how often it was tried and when it is tried next.
    owed: HashMap<LeaseId, Owed>,
    looking: bool,
    reading: bool,
    asking: bool,
    booking: bool,
    next_look: Instant,
    next_read: Instant,
    /// Not sooner than this, whatever is mistrusted.
    next_read_at_best: Instant,
    next_ask: Instant,
    next_book: Instant,
    misses: u32,
}

#[derive(Debug)]
struct Owed {
    lease: Lease,
    tries: u32,
    next: Instant,
}

impl Storeless {
    /// A loop over the use-cases; `retry_cap` is the longest wait between tries.
    #[must_use]
    pub fn new(app: Arc<App>, retry_cap: Span) -> Self {
        let now = Instant::now();
        Self {
            app,
            retry_cap,
            queues: Queues::default(),
            owed: HashMap::new(),
            looking: false,
            reading: false,
            asking: false,
            booking: false,
            next_look: now,
            next_read: now,
            next_read_at_best: now,
            next_ask: now,
            next_book: now,
            misses: 0,
        }
    }

    /// Runs until it is told to stop. Whatever fails is tried again.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            self.pass(&mut tasks);
            let sleep = if self.app.is_storeless() || !self.owed.is_empty() { STORELESS_EVERY } else { LOOK_EVERY };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.app.ended_storeless() => self.next_ask = Instant::now(),
                () = tokio::time::sleep(sleep) => {}
                Some(back) = tasks.join_next(), if !tasks.is_empty() => self.back(back),
            }
            while let Some(back) = tasks.try_join_next() {
                self.back(back);
            }
        }
        tasks.shutdown().await;
    }

    /// Starts what is due.
    fn pass(&mut self, tasks: &mut JoinSet<Back>) {
        let (now, time) = (Instant::now(), self.app.now());
        let state = self.app.store_state();
        let storeless = state.trouble.is_some() || state.unbooked > 0;
        if !self.looking && now >= self.next_look {
            self.looking = true;
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Looked(look(&app).await) });
        }
        let stale = now >= self.next_read || (self.app.mistrusts_agenda() && now >= self.next_read_at_best);
        if !self.reading && stale && state.trouble.is_none() {
            self.reading = true;
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Read(read(&app).await) });
        }
        if !storeless {
            // What is booked is the engine's again.
            self.owed.clear();
        } else if !self.asking && now >= self.next_ask {
            (self.asking, self.next_ask) = (true, now + STORELESS_EVERY);
            let app = Arc::clone(&self.app);
            tasks.spawn(async move {
                app.expire_from_memory().await;
                Back::Owed(app.owed_storeless().await)
            });
        }
        for (id, owed) in &self.owed {
            if owed.next <= now {
                self.queues.add(owed.lease.resource, owed.lease.end, *id);
            }
        }
        // One by one: each is kept in the journal as soon as it is gone.
        for (target, id) in self.queues.start(time, |_| 1).into_iter().flat_map(each) {
            let Some(owed) = self.owed.get(&id) else {
                self.queues.done(target, &[id], Reached::Yes, time, self.retry_cap);
                continue;
            };
            let (app, lease) = (Arc::clone(&self.app), owed.lease.clone());
            tasks.spawn(async move { Back::Ended(target, id, app.end_at_target(&lease).await) });
        }
        if storeless && !self.booking && now >= self.next_book {
            self.booking = true;
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Booked(app.book_storeless().await) });
        }
    }

    fn back(&mut self, back: Result<Back, JoinError>) {
        match back {
            Ok(back) => self.take(back),
            Err(error) => {
                tracing::error!(%error, "a pass without the store died; it begins again");
                (self.queues, self.owed) = (Queues::default(), HashMap::new());
                (self.looking, self.reading, self.asking, self.booking) = (false, false, false, false);
            }
        }
    }

    fn take(&mut self, back: Back) {
        let (now, time) = (Instant::now(), self.app.now());
        match back {
            Back::Looked(found) => {
                self.looking = false;
                self.next_look = now + LOOK_EVERY;
                if let Err(why) = found {
                    self.app.store_failed(&why);
                }
            }
            Back::Read(read) => {
                self.reading = false;
                (self.next_read, self.next_read_at_best) = (now + READ_EVERY, now + READ_AGAIN);
                if let Err(error) = read {
                    self.next_read = self.next_read_at_best;
                    tracing::warn!(%error, "what memory needs for ends could not be read; it is tried again");
                }
            }
            Back::Owed(leases) => {
                self.asking = false;
                let mut before = std::mem::take(&mut self.owed);
                for lease in leases {
                    let known = before.remove(&lease.id).map(|known| (known.tries, known.next));
                    let (tries, next) = known.unwrap_or((0, now));
                    self.owed.insert(lease.id, Owed { lease, tries, next });
                }
            }
            Back::Ended(target, id, outcome) => {
                let reached = if outcome == TryEnd::Unreachable { Reached::No } else { Reached::Yes };
                self.queues.done(target, &[id], reached, time, self.retry_cap);
                if outcome == TryEnd::Gone {
                    self.owed.remove(&id);
                } else if let Some(owed) = self.owed.get_mut(&id) {
                    owed.tries = owed.tries.saturating_add(1);
                    owed.next = now + wait(owed.tries, self.retry_cap);
                }
            }
            Back::Booked(booked) => {
                self.booking = false;
                match booked {
                    Ok(Booked::All | Booked::More) => (self.misses, self.next_book) = (0, now),
                    Err(error) => {
                        self.misses = self.misses.saturating_add(1);
                        self.next_book = now + wait(self.misses, self.retry_cap);
                        let unbooked = self.app.store_state().unbooked;
                        tracing::error!(%error, unbooked, "what was ended without the store cannot be booked yet; it is tried again");
                    }
                }
            }
        }
    }
}

fn each((target, round): (ResourceId, Vec<LeaseId>)) -> impl Iterator<Item = (ResourceId, LeaseId)> {
    round.into_iter().map(move |lease| (target, lease))
}

/// 1, 2, 4 … seconds, at most `cap`.
fn wait(tries: u32, cap: Span) -> Duration {
    Span::from_secs(1u64.checked_shl(tries.saturating_sub(1).min(20)).unwrap_or(u64::MAX)).min(cap).to_std()
}

/// Whether the store can be read.
async fn look(app: &App) -> Result<(), String> {
    match tokio::time::timeout(LONGEST_LOOK, app.store().next_due(app.now())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it could not be read within {} s", LONGEST_LOOK.as_secs())),
    }
}

async fn read(app: &App) -> Result<(), AppError> {
    app.remember_targets().await?;
    app.read_agenda().await
}
