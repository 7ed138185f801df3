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
/// How often it looks for what must end while the store cannot be used, and whether it can be.
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
    look: Turn,
    read: Reading,
    ask: Turn,
    book: Turn,
    misses: u32,
}

#[derive(Debug)]
struct Owed {
    lease: Lease,
    tries: u32,
    next: Instant,
}

/// Something that is done again and again, never twice at once.
#[derive(Debug)]
struct Turn {
    under_way: bool,
    next: Instant,
}

impl Turn {
    fn at(next: Instant) -> Self {
        Self { under_way: false, next }
    }

    /// Whether it begins now; then it is under way until it is done.
    fn begins(&mut self, now: Instant) -> bool {
        let begins = !self.under_way && now >= self.next;
        if begins {
            self.under_way = true;
        }
        begins
    }

    /// It is wanted by then.
    fn by(&mut self, at: Instant) {
        self.next = self.next.min(at);
    }

    fn done(&mut self) {
        self.under_way = false;
    }
}

/// When what memory needs for ends is read anew.
#[derive(Debug)]
struct Reading {
    turn: Turn,
    /// Not sooner than this, whatever is mistrusted.
    at_best: Instant,
}

impl Reading {
    fn at(now: Instant) -> Self {
        Self { turn: Turn::at(now), at_best: now }
    }

    /// What was read failed, or is not to be trusted.
    fn again(&mut self) {
        self.turn.by(self.at_best);
    }

    fn done<E>(&mut self, read: &Result<(), E>, now: Instant) {
        self.turn.done();
        (self.turn.next, self.at_best) = (now + READ_EVERY, now + READ_AGAIN);
        if read.is_err() {
            self.again();
        }
    }
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
            look: Turn::at(now),
            read: Reading::at(now),
            ask: Turn::at(now),
            book: Turn::at(now),
            misses: 0,
        }
    }

    /// Runs until it is told to stop. Whatever fails is tried again.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            self.pass(&mut tasks);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.app.ended_storeless() => self.ask.by(Instant::now()),
                () = tokio::time::sleep(STORELESS_EVERY) => {}
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
        let storeless = state.trouble.is_some() || state.unbooked != 0;
        if self.look.begins(now) {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Looked(look(&app).await) });
        }
        if self.app.mistrusts_agenda() {
            self.read.again();
        }
        if state.trouble.is_none() && self.read.turn.begins(now) {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Read(read(&app).await) });
        }
        if !storeless {
            // What is booked is the engine's again.
            self.owed.clear();
        } else if self.ask.begins(now) {
            // Here and not once it is done: what is ended meanwhile is asked for at once.
            self.ask.next = now + STORELESS_EVERY;
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
        if storeless && self.book.begins(now) {
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
                for turn in [&mut self.look, &mut self.read.turn, &mut self.ask, &mut self.book] {
                    turn.done();
                }
            }
        }
    }

    fn take(&mut self, back: Back) {
        let (now, time) = (Instant::now(), self.app.now());
        match back {
            Back::Looked(found) => {
                self.look.done();
                self.look.next = now + LOOK_EVERY;
                if let Err(why) = found {
                    self.app.store_failed(&why);
                }
            }
            Back::Read(read) => {
                self.read.done(&read, now);
                if let Err(error) = read {
                    tracing::warn!(%error, "what memory needs for ends could not be read; it is tried again");
                }
            }
            Back::Owed(leases) => {
                self.ask.done();
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
                // What is gone is not named any more when it is asked next; until then trying it again does nothing.
                if let Some(owed) = self.owed.get_mut(&id) {
                    owed.tries = owed.tries.saturating_add(1);
                    owed.next = now + wait(owed.tries, self.retry_cap);
                }
            }
            Back::Booked(booked) => {
                self.book.done();
                match booked {
                    Ok(Booked::All | Booked::More) => (self.misses, self.book.next) = (0, now),
                    Err(error) => {
                        self.misses = self.misses.saturating_add(1);
                        self.book.next = now + wait(self.misses, self.retry_cap);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_twice_at_once_nor_before_its_time() {
        let now = Instant::now();
        let at = |secs| now + Duration::from_secs(secs);
        let mut turn = Turn::at(at(1));
        assert!(!turn.begins(now), "too early");
        assert!(turn.begins(at(1)));
        assert!(!turn.begins(at(2)), "twice at once");
        turn.done();
        turn.next = at(9);
        assert!(!turn.begins(at(8)), "again too early");
        turn.by(at(20));
        turn.by(at(5));
        turn.by(at(7));
        assert!(!turn.begins(at(4)) && turn.begins(at(5)));
    }

    #[test]
    fn what_memory_needs_is_read_rarely_but_soon_if_that_failed_or_is_mistrusted() {
        let now = Instant::now();
        for (read, mistrusted, wait) in
            [(Ok(()), false, READ_EVERY), (Ok(()), true, READ_AGAIN), (Err(()), false, READ_AGAIN)]
        {
            let mut reading = Reading::at(now);
            assert!(reading.turn.begins(now), "it is not read at the start");
            reading.done(&read, now);
            if mistrusted {
                reading.again();
            }
            let early = now + wait.saturating_sub(Duration::from_millis(1));
            assert!(!reading.turn.begins(early), "too early: {read:?}, mistrusted: {mistrusted}");
            assert!(reading.turn.begins(now + wait), "too late: {read:?}, mistrusted: {mistrusted}");
        }
    }

    #[test]
    fn each_wait_is_twice_the_last_up_to_the_longest() {
        let waits: Vec<u64> = [1, 2, 3, 4, 5, 6, 40].map(|tries| wait(tries, Span::from_secs(30)).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    }
}
