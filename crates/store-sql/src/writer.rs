//! The one writer: takes what is queued, makes one transaction of it, and answers once it is on disk.
//!
//! INVARIANT: no answer leaves before the disk has it, and the world in memory never runs ahead of
//! the disk (held by `what_was_answered_survives_a_kill`, `a_failed_disk_moves_nothing`).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::{around_call, point};
use wane_store::{Commit, StoreError, Write};

use crate::apply::{self, Apart, Outcome, Progress, Ready};
use crate::place::Place;
use crate::store::Shared;
use crate::{answers, serials, tokens, trail, trail_index, world};

/// Most jobs in one transaction.
const MOST_IN_BATCH: usize = 256;
/// How far the time of the records moves between two clean-ups.
const CLEAN_EVERY: Span = Span::from_mins(10);
/// The same while there is more to forget than one clean-up does.
const CLEAN_AGAIN: Span = Span::from_secs(1);
/// What one clean-up forgets at most.
const MOST_CLEANED: u32 = 1_000;
/// How long whoever cuts the writer off waits for the transaction it is at.
const LONGEST_CUT: Duration = Duration::from_secs(1);

/// Something for the writer to do.
pub(crate) enum Job {
    /// A logical transaction.
    Commit(Box<Ready>, oneshot::Sender<Result<u64, StoreError>>),
    /// A block of serial numbers.
    Serials(oneshot::Sender<Result<Range<u64>, StoreError>>),
    /// No more after this; answered when the file is closed.
    Close(oneshot::Sender<()>),
    /// Look whether to go on.
    Wake,
}

/// What came of a job, which waits for the disk.
enum Done {
    Commit(Result<u64, StoreError>),
    Serials(Range<u64>),
    Nothing,
}

/// What a batch has done so far, in the transaction and not yet on disk.
#[derive(Default)]
struct Staged {
    /// Of each job, in their order.
    done: Vec<Done>,
    /// The world after the batch, once something changed it.
    world: Option<World>,
    head: u64,
    latest: Option<Time>,
}

/// Why a batch is not on disk.
enum Stopped {
    /// One of its commits was refused; all were undone, to be tried apart.
    Together,
    /// The transaction was lost.
    Lost(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(why: StoreError) -> Self {
        Self::Lost(why)
    }
}

/// The writer. Nothing is written unless [`Writer::run`] is driven.
pub struct Writer {
    work: Work,
    queue: mpsc::WeakSender<Job>,
    used: SqlitePool,
}

/// What the writer's thread has.
struct Work {
    // Dropped in this order: the connection before the lock on the file.
    conn: Option<Connection>,
    queue: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
    /// When the next clean-up is.
    clean: Option<Time>,
    place: Arc<Place>,
}

/// Ends the thread, if the future that drives it is dropped.
struct Cut {
    stop: Arc<AtomicBool>,
    queue: mpsc::WeakSender<Job>,
    ended: std::sync::mpsc::Receiver<()>,
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(queue) = self.queue.upgrade() {
            // If there is no room, it is awake.
            let _ = queue.try_send(Job::Wake);
        }
        // Also when it has ended long since.
        let _ = self.ended.recv_timeout(LONGEST_CUT);
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("place", &self.work.place).finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn new(
        conn: Connection,
        (jobs, queue): (mpsc::Receiver<Job>, mpsc::WeakSender<Job>),
        used: SqlitePool,
        shared: Arc<Shared>,
        place: Arc<Place>,
    ) -> Self {
        Self { work: Work { conn: Some(conn), queue: jobs, shared, clean: None, place }, queue, used }
    }

    /// Writes until the store is closed or its last handle is gone, and everything queued is answered.
    ///
    /// Dropped midway, it leaves what was answered on disk and nothing of the rest.
    pub async fn run(self) {
        let Self { work, queue, used } = self;
        let shared = Arc::clone(&work.shared);
        let stop = Arc::new(AtomicBool::new(false));
        let ((ending, ended), (done, end)) = (std::sync::mpsc::channel::<()>(), oneshot::channel::<()>());
        let cut = Cut { stop: Arc::clone(&stop), queue, ended };
        // A thread of its own: what it does is waiting for the disk, and nobody is to wait behind that.
        let begun = std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            // Dropped last, so that both tell the end of all of it.
            let _told = (ending, done);
            work.run(&stop);
        });
        if let Err(error) = begun {
            tracing::error!(%error, "the thread of the store's writer could not be begun");
            return;
        }
        match answers::each_key(&used, |person, key| shared.memory.used_before(person, key)).await {
            Ok(true) => shared.memory.knows_all_keys(),
            Ok(false) => {
                tracing::info!("there are too many idempotency keys to know all; each is looked up in the file")
            }
            Err(error) => {
                tracing::warn!(%error, "the idempotency keys used before could not be read; each is looked up in the file");
            }
        }
        drop((used, shared));
        // An error as well means that it is gone.
        let _ = end.await;
        drop(cut);
    }
}

impl Work {
    fn run(mut self, stop: &AtomicBool) {
        let mut jobs = Vec::with_capacity(MOST_IN_BATCH);
        let mut closing = Vec::new();
        while self.queue.blocking_recv_many(&mut jobs, MOST_IN_BATCH) > 0 {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let mut work = Vec::with_capacity(jobs.len());
            for job in jobs.drain(..) {
                match job {
                    Job::Close(done) => {
                        // What is queued is still received; nothing new is taken.
                        self.queue.close();
                        closing.push(done);
                    }
                    Job::Wake => {}
                    job @ (Job::Commit(..) | Job::Serials(_)) => work.push(job),
                }
            }
            if !work.is_empty() {
                self.batch(work);
            }
        }
        if let Some(conn) = self.conn.take()
            && let Err((_, e)) = conn.close()
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
    fn batch(&mut self, jobs: Vec<Job>) {
        let mut done = self.transact(&jobs, Apart::Not);
        if matches!(done, Err(Stopped::Together)) {
            done = self.transact(&jobs, Apart::BySavepoints);
        }
        let shared = Arc::clone(&self.shared);
        match done {
            Ok(staged) => {
                shared.batches.fetch_add(1, Ordering::Relaxed);
                if let Some(world) = staged.world {
                    shared.world.send_replace(Arc::new(world));
                }
                if staged.head > 0 {
                    shared.head.send_replace(staged.head);
                }
                let written = jobs.iter().zip(&staged.done).filter_map(|(job, done)| match (job, done) {
                    (Job::Commit(ready, _), Done::Commit(Ok(_))) => Some(&ready.commit),
                    _ => None,
                });
                shared.memory.wrote(written);
                for (job, done) in jobs.into_iter().zip(staged.done) {
                    self.answer(job, done);
                }
                self.clean(staged.latest);
            }
            Err(stopped) => {
                let why = match stopped {
                    Stopped::Lost(why) => why,
                    Stopped::Together => StoreError::Unavailable("the transaction could not be undone".to_owned()),
                };
                tracing::error!(error = %why, "a batch of writes was lost; nothing of it was done");
                // The connection may be anywhere; the next batch begins with a new one.
                self.conn = None;
                shared.memory.forget();
                for job in jobs {
                    match job {
                        Job::Commit(_, to) => drop(to.send(Err(why.clone()))),
                        Job::Serials(to) => drop(to.send(Err(why.clone()))),
                        Job::Close(_) | Job::Wake => {}
                    }
                }
            }
        }
    }

    fn transact(&mut self, jobs: &[Job], apart: Apart) -> Result<Staged, Stopped> {
        let conn = match &self.conn {
            Some(conn) => conn,
            None => self.conn.insert(reconnect(&self.place, &self.shared)?),
        };
        let (mut staged, mut progress) = (Staged::default(), Progress::Begins);
        let before = self.shared.world.borrow().clone();
        for job in jobs {
            let done = match job {
                Job::Commit(ready, _) => {
                    self.shared.memory.before(&ready.commit);
                    let epoch = staged.world.as_ref().map_or(before.epoch, |w| w.epoch);
                    match apply::attempt(conn, &mut progress, epoch, ready, apart)? {
                        Outcome::Applied(seq) => {
                            staged.book(&before, &ready.commit, seq);
                            Done::Commit(Ok(seq))
                        }
                        Outcome::Refused(why) => Done::Commit(Err(why)),
                        Outcome::Undone => return Err(Stopped::Together),
                    }
                }
                Job::Serials(_) => {
                    progress.begin(conn)?;
                    Done::Serials(serials::take(conn)?)
                }
                Job::Close(_) | Job::Wake => Done::Nothing,
            };
            staged.done.push(done);
        }
        if let Some(world) = &staged.world {
            world::set_epoch(conn, world.epoch)?;
        }
        if trail_index::is_behind(*self.shared.head.borrow(), staged.head) {
            trail_index::advance(conn)?;
        }
        around_call(point!("store.commit"), || progress.end(conn))?;
        Ok(staged)
    }

    fn answer(&self, job: Job, done: Done) {
        // Whoever asked may have gone; what was written stays written.
        match (job, done) {
            (Job::Commit(_, to), Done::Commit(result)) => {
                if result.is_ok() {
                    self.shared.commits.fetch_add(1, Ordering::Relaxed);
                }
                drop(to.send(result));
            }
            (Job::Serials(to), Done::Serials(block)) => drop(to.send(Ok(block))),
            (_, _) => {}
        }
    }

    /// Forgets what has long been over, now and then. After the answers, because nobody waits for it.
    fn clean(&mut self, now: Option<Time>) {
        let (Some(now), Some(conn)) = (now, &self.conn) else { return };
        if self.clean.is_some_and(|next| now < next) {
            return;
        }
        let answers = answers::prune(conn, now, MOST_CLEANED);
        let tokens = answers.and_then(|answers| Ok((answers, tokens::prune(conn, now, MOST_CLEANED)?)));
        let more = match tokens {
            Ok((answers, tokens)) => {
                if tokens > 0 {
                    self.shared.memory.forget();
                }
                answers.max(tokens) >= usize::try_from(MOST_CLEANED).unwrap_or(usize::MAX)
            }
            Err(e) => {
                tracing::warn!(error = %e, "old answers and tokens could not be forgotten; it is tried again later");
                false
            }
        };
        self.clean = Some(now.plus(if more { CLEAN_AGAIN } else { CLEAN_EVERY }));
    }
}

impl Staged {
    /// Books a commit that was applied.
    fn book(&mut self, before: &World, commit: &Commit, seq: u64) {
        self.head = seq;
        self.latest = self.latest.max(commit.records().iter().map(|r| r.at).max());
        if commit.writes().iter().any(Write::changes_world) {
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
fn reconnect(place: &Place, shared: &Shared) -> Result<Connection, StoreError> {
    let conn = place.writer()?;
    let on_disk = world::load(&conn)?.ok_or_else(|| StoreError::Corrupt("the organisation is gone".to_owned()))?;
    let head = trail::head(&conn)?;
    if shared.world.borrow().epoch != on_disk.epoch {
        shared.world.send_replace(Arc::new(on_disk));
    }
    shared.head.send_replace(head);
    // Whatever was read while nobody knew which it was.
    shared.memory.forget();
    Ok(conn)
}
