//! The one writer: takes what is queued, makes one transaction of it, and answers once it is on disk.
//!
//! INVARIANT: no answer leaves before the disk has it, and the world in memory never runs ahead of
//! the disk (held by `what_was_answered_survives_a_kill`, `a_failed_disk_moves_nothing`).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::{around, point};
use wane_store::{Commit, StoreError};

use crate::apply::{self, Outcome, Progress};
use crate::place::Place;
use crate::store::Shared;
use crate::{answers, serials, tokens, trail, world};

/// Most jobs in one transaction.
const MOST_IN_BATCH: usize = 256;
/// How far the time of the records moves between two clean-ups.
const CLEAN_EVERY: Span = Span::from_mins(10);

/// Something for the writer to do.
pub(crate) enum Job {
    /// A logical transaction.
    Commit(Box<Commit>, oneshot::Sender<Result<u64, StoreError>>),
    /// A block of serial numbers.
    Serials(oneshot::Sender<Result<Range<u64>, StoreError>>),
    /// No more after this; answered when the file is closed.
    Close(oneshot::Sender<()>),
}

/// An answer that waits for the disk.
enum Answer {
    Commit(oneshot::Sender<Result<u64, StoreError>>, Result<u64, StoreError>),
    Serials(oneshot::Sender<Result<Range<u64>, StoreError>>, Result<Range<u64>, StoreError>),
}

/// What a batch has done so far, in the transaction and not yet on disk.
#[derive(Default)]
struct Staged {
    answers: Vec<Answer>,
    /// The world after the batch, once something changed it.
    world: Option<World>,
    head: u64,
    latest: Option<Time>,
}

/// The writer. Nothing is written unless [`Writer::run`] is driven.
pub struct Writer {
    // Dropped in this order: the connection before the lock on the file.
    conn: Option<SqliteConnection>,
    queue: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
    cleaned: Option<Time>,
    place: Arc<Place>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn new(
        conn: SqliteConnection,
        queue: mpsc::Receiver<Job>,
        shared: Arc<Shared>,
        place: Arc<Place>,
    ) -> Self {
        Self { conn: Some(conn), queue, shared, cleaned: None, place }
    }

    /// Writes until the store is closed or its last handle is gone, and everything queued is answered.
    ///
    /// Dropped midway, it leaves what was answered on disk and nothing of the rest.
    pub async fn run(mut self) {
        let mut jobs = Vec::with_capacity(MOST_IN_BATCH);
        let mut closing = Vec::new();
        while self.queue.recv_many(&mut jobs, MOST_IN_BATCH).await > 0 {
            let mut work = Vec::with_capacity(jobs.len());
            for job in jobs.drain(..) {
                match job {
                    Job::Close(done) => {
                        // What is queued is still received; nothing new is taken.
                        self.queue.close();
                        closing.push(done);
                    }
                    job @ (Job::Commit(..) | Job::Serials(_)) => work.push(job),
                }
            }
            if !work.is_empty() {
                self.batch(work).await;
            }
        }
        if let Some(conn) = self.conn.take()
            && let Err(e) = conn.close().await
        {
            tracing::warn!(error = %e, "the store did not close cleanly; nothing that was answered is lost");
        }
        drop(self);
        for done in closing {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }

    /// One transaction over everything taken from the queue, then the answers.
    async fn batch(&mut self, jobs: Vec<Job>) {
        let mut staged = Staged::default();
        let mut rest = jobs.into_iter();
        let result = self.transact(&mut rest, &mut staged).await;
        match result {
            Ok(()) => {
                self.shared.batches.fetch_add(1, Ordering::Relaxed);
                if let Some(world) = staged.world {
                    self.shared.world.send_replace(Arc::new(world));
                }
                if staged.head > 0 {
                    self.shared.head.send_replace(staged.head);
                }
                for answer in staged.answers {
                    self.answer(answer);
                }
                self.clean(staged.latest).await;
            }
            Err(why) => {
                tracing::error!(error = %why, "a batch of writes was lost; nothing of it was done");
                // The connection may be anywhere; the next batch begins with a new one.
                self.conn = None;
                for answer in staged.answers {
                    self.answer(match answer {
                        Answer::Commit(to, _) => Answer::Commit(to, Err(why.clone())),
                        Answer::Serials(to, _) => Answer::Serials(to, Err(why.clone())),
                    });
                }
                for job in rest {
                    match job {
                        Job::Commit(_, to) => self.answer(Answer::Commit(to, Err(why.clone()))),
                        Job::Serials(to) => self.answer(Answer::Serials(to, Err(why.clone()))),
                        Job::Close(_) => {}
                    }
                }
            }
        }
    }

    async fn transact(&mut self, jobs: &mut std::vec::IntoIter<Job>, staged: &mut Staged) -> Result<(), StoreError> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(reconnect(&self.place, &self.shared).await?),
        };
        let mut progress = Progress::Begins;
        let before = self.shared.world.borrow().clone();
        for job in jobs.by_ref() {
            match job {
                Job::Commit(commit, to) => {
                    let epoch = staged.world.as_ref().map_or(before.epoch, |w| w.epoch);
                    let outcome = match apply::commit(conn, &mut progress, epoch, &commit).await {
                        Ok(outcome) => outcome,
                        Err(why) => {
                            staged.answers.push(Answer::Commit(to, Err(why.clone())));
                            return Err(why);
                        }
                    };
                    let result = match outcome {
                        Outcome::Applied(seq) => {
                            staged.book(&before, &commit, seq);
                            Ok(seq)
                        }
                        Outcome::Refused(why) => Err(why),
                    };
                    staged.answers.push(Answer::Commit(to, result));
                }
                Job::Serials(to) => {
                    let block = match progress.begin(conn).await {
                        Ok(()) => serials::take(conn).await,
                        Err(why) => Err(why),
                    };
                    let lost = block.as_ref().err().cloned();
                    staged.answers.push(Answer::Serials(to, block));
                    if let Some(why) = lost {
                        return Err(why);
                    }
                }
                Job::Close(_) => {}
            }
        }
        if let Some(world) = &staged.world {
            world::set_epoch(conn, world.epoch).await?;
        }
        around(point!("store.commit"), progress.end(conn)).await
    }

    fn answer(&self, answer: Answer) {
        // Whoever asked may have gone; what was written stays written.
        match answer {
            Answer::Commit(to, result) => {
                if result.is_ok() {
                    self.shared.commits.fetch_add(1, Ordering::Relaxed);
                }
                let _ = to.send(result);
            }
            Answer::Serials(to, result) => drop(to.send(result)),
        }
    }

    /// Forgets what has long been over, now and then. After the answers, because nobody waits for it.
    async fn clean(&mut self, now: Option<Time>) {
        let (Some(now), Some(conn)) = (now, &mut self.conn) else { return };
        if self.cleaned.is_some_and(|last| now < last.plus(CLEAN_EVERY)) {
            return;
        }
        self.cleaned = Some(now);
        let done = async {
            answers::prune(conn, now).await?;
            tokens::prune(conn, now).await
        };
        if let Err(e) = done.await {
            tracing::warn!(error = %e, "old answers and tokens could not be forgotten; it is tried again later");
        }
    }
}

impl Staged {
    /// Books a commit that was applied. The world is copied once per batch, and only if something changes it.
    fn book(&mut self, before: &World, commit: &Commit, seq: u64) {
        self.head = seq;
        self.latest = self.latest.max(commit.records().iter().map(|r| r.at).max());
        if commit.writes().iter().any(wane_store::Write::changes_world) {
            let world = self.world.get_or_insert_with(|| before.clone());
            for write in commit.writes() {
                world::follow(world, write);
            }
            world.epoch.0 = world.epoch.0.saturating_add(1);
        }
    }
}

/// A new connection after a fault, with the world as the disk has it: a transaction whose commit failed
/// may have reached the disk all the same.
async fn reconnect(place: &Place, shared: &Shared) -> Result<SqliteConnection, StoreError> {
    let mut conn = place.writer().await?;
    let on_disk =
        world::load(&mut conn).await?.ok_or_else(|| StoreError::Corrupt("the organisation is gone".to_owned()))?;
    let head = trail::head(&mut conn).await?;
    if shared.world.borrow().epoch != on_disk.epoch {
        shared.world.send_replace(Arc::new(on_disk));
    }
    shared.head.send_replace(head);
    Ok(conn)
}
