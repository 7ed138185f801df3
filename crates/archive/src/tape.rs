//! One session's tape: takes events, holds the session back while too much is on its way to the disk.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use wane_domain::canonical::Digest;
use wane_domain::id::SessionId;
use wane_domain::time::{Span, Time};
use wane_recording::{Event, Press, RecordError, Recorder};

use crate::scribe::Queue;

/// How much may have passed that is not on disk: so many bytes of events.
pub const WINDOW: usize = 64 * 1024;
/// Or for so long.
const AGE: Span = Span::from_micros(200_000);
/// How long a session waits for the disk before its tape fails: a disk that takes longer does not
/// record.
const PATIENCE: Duration = Duration::from_secs(5);
/// What an event counts for besides its data.
const HEAD: usize = 64;

/// The session can no longer be recorded, and must end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TapeError {
    #[error("the recording is not on disk after {} s", PATIENCE.as_secs())]
    Slow,
    #[error("the recording failed: {0}")]
    Failed(Arc<str>),
    /// The server is going down, or its writer has.
    #[error("recordings are not being written")]
    Stopped,
    /// Its last chunk was asked for: nothing comes after it.
    #[error("the recording is over")]
    Over,
}

/// What a finished recording is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What the chain says at its end.
    pub root: Digest,
    pub chunks: u64,
    /// How long the file is.
    pub bytes: u64,
}

/// A session being recorded. When it is dropped without [`Tape::finish`], what it has is kept, and the
/// recording says that it was cut off.
pub struct Tape {
    reel: Arc<Reel>,
    queue: Arc<Queue>,
}

/// What tape and scribe share.
pub(crate) struct Reel {
    pub(crate) session: SessionId,
    state: Mutex<State>,
    progress: Notify,
}

struct State {
    /// None once its last chunk is cut.
    recorder: Option<Recorder>,
    /// What comes before the first frame, until it is cut with it.
    head: Vec<u8>,
    /// Bytes of events given, and on disk.
    given: u64,
    durable: u64,
    /// When the oldest event was given that is not cut, and of those that are cut and not on disk.
    uncut_since: Option<Time>,
    unsynced_since: Option<Time>,
    /// Where its next frame goes in its file.
    end: u64,
    /// It is in the scribe's queue.
    queued: bool,
    finishing: bool,
    /// Nobody holds the tape any more.
    left: bool,
    sealed: Option<Sealed>,
    failed: Option<TapeError>,
}

/// What the scribe takes away: bytes for the session's file, and where they go.
pub(crate) struct Taken {
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
    upto: u64,
    sealed: Option<Sealed>,
    /// Nothing comes after it.
    pub(crate) closes: bool,
}

impl Tape {
    pub(crate) fn new(session: SessionId, recorder: Recorder, head: Vec<u8>, queue: Arc<Queue>) -> Self {
        let state = State {
            recorder: Some(recorder),
            // Counted, so that the head alone can be waited for.
            given: 1,
            durable: 0,
            head,
            uncut_since: None,
            unsynced_since: None,
            end: 0,
            queued: false,
            finishing: false,
            left: false,
            sealed: None,
            failed: None,
        };
        let reel = Arc::new(Reel { session, state: Mutex::new(state), progress: Notify::new() });
        Self { reel, queue }
    }

    #[must_use]
    pub fn session(&self) -> SessionId {
        self.reel.session
    }

    /// Takes an event in; what it is about may pass on when this returns. Waits while a window's worth
    /// is not on disk.
    ///
    /// # Errors
    /// When the session can no longer be recorded. It has to end: every further event fails as well.
    pub async fn event(&self, now: Time, event: &Event<'_>) -> Result<(), TapeError> {
        let size = match event {
            Event::Data { bytes, .. } => bytes.len(),
            _ => 0,
        };
        loop {
            // Made before the look, so that no progress between the two is missed.
            let progress = self.reel.progress.notified();
            if self.reel.take(now, event, size)? {
                self.submit(Haste::Soon);
                return Ok(());
            }
            self.submit(Haste::Now);
            self.wait(progress).await?;
        }
    }

    /// Waits until all that was given is on disk.
    ///
    /// # Errors
    /// When the session can no longer be recorded.
    pub async fn settle(&self) -> Result<(), TapeError> {
        let goal = self.reel.state().given;
        loop {
            let progress = self.reel.progress.notified();
            if self.reel.reached(goal)? {
                return Ok(());
            }
            self.submit(Haste::Now);
            self.wait(progress).await?;
        }
    }

    /// Ends the recording with its last chunk; it is on disk when this returns.
    ///
    /// # Errors
    /// When it could not be written. What is on disk then says that it was cut off.
    pub async fn finish(&self, now: Time, why: &str) -> Result<Sealed, TapeError> {
        self.event(now, &Event::Over { why: why.into() }).await?;
        self.reel.state().finishing = true;
        loop {
            let progress = self.reel.progress.notified();
            if let Some(sealed) = self.reel.sealed()? {
                return Ok(sealed);
            }
            self.submit(Haste::Now);
            self.wait(progress).await?;
        }
    }

    fn submit(&self, haste: Haste) {
        let mut state = self.reel.state();
        let first = !std::mem::replace(&mut state.queued, true);
        drop(state);
        self.queue.put(first.then(|| Arc::clone(&self.reel)), haste);
    }

    async fn wait(&self, progress: impl Future<Output = ()>) -> Result<(), TapeError> {
        if self.queue.is_closed() {
            return Err(self.reel.fail(TapeError::Stopped));
        }
        tokio::time::timeout(PATIENCE, progress).await.map_err(|_| self.reel.fail(TapeError::Slow))
    }
}

impl Drop for Tape {
    /// Ends nothing: lets the scribe take what there is and close the file.
    fn drop(&mut self) {
        self.reel.state().left = true;
        self.submit(Haste::Soon);
    }
}

/// Whether anybody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    Soon,
    Now,
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("session", &self.reel.session).finish_non_exhaustive()
    }
}

impl Reel {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// INVARIANT: what was taken and is not on disk is at most one window, or one event, and the oldest
    /// of it was taken no longer ago than `AGE` (held by `what_passed_is_on_disk_but_for_one_window`,
    /// `a_disk_that_hangs_lets_nothing_more_pass`).
    fn take(&self, now: Time, event: &Event<'_>, size: usize) -> Result<bool, TapeError> {
        let mut state = self.state();
        state.check()?;
        if state.finishing {
            return Err(TapeError::Over);
        }
        let count = (size + HEAD) as u64;
        let on_the_way = state.given.saturating_sub(state.durable);
        let fits = on_the_way <= 1 || on_the_way + count <= WINDOW as u64;
        let oldest = state.unsynced_since.or(state.uncut_since);
        let stale = oldest.is_some_and(|since| now.since(since) > AGE);
        let Some(recorder) = state.recorder.as_mut().filter(|_| fits && !stale) else {
            return Ok(false);
        };
        match recorder.event(now, event) {
            Ok(()) => {}
            // Room is made by the next cut, unless there is nothing to cut: then it never fits.
            Err(RecordError::Full) if on_the_way > 1 => return Ok(false),
            Err(error) => return Err(state.fail(TapeError::Failed(error.to_string().into()))),
        }
        state.given += count;
        state.uncut_since.get_or_insert(now);
        Ok(true)
    }

    fn reached(&self, goal: u64) -> Result<bool, TapeError> {
        let state = self.state();
        state.check()?;
        Ok(state.durable >= goal)
    }

    fn sealed(&self) -> Result<Option<Sealed>, TapeError> {
        let state = self.state();
        state.check()?;
        Ok(state.sealed)
    }

    /// The next chunk for the disk; nothing if there is none, or it failed.
    pub(crate) fn cut(&self, press: &mut Press) -> Option<Taken> {
        let mut state = self.state();
        state.queued = false;
        if state.failed.is_some() || state.is_done() {
            return None;
        }
        match state.cut(press) {
            Ok(taken) => Some(taken),
            Err(error) => {
                state.fail(TapeError::Failed(error.to_string().into()));
                self.progress.notify_waiters();
                None
            }
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed.is_some()
    }

    /// It is on disk.
    pub(crate) fn settled(&self, taken: &Taken) {
        let mut state = self.state();
        state.durable = taken.upto;
        state.unsynced_since = None;
        state.sealed = taken.sealed;
        drop(state);
        self.progress.notify_waiters();
    }

    /// It is not, and will not be. The first reason stays.
    pub(crate) fn fail(&self, why: TapeError) -> TapeError {
        let why = self.state().fail(why);
        self.progress.notify_waiters();
        why
    }
}

impl State {
    fn check(&self) -> Result<(), TapeError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, why: TapeError) -> TapeError {
        self.failed.get_or_insert(why).clone()
    }

    /// Whether there is nothing for the disk.
    fn is_done(&self) -> bool {
        let cut = self.head.is_empty() && self.uncut_since.is_none();
        self.sealed.is_some() || (cut && !self.finishing && !self.left)
    }

    fn cut(&mut self, press: &mut Press) -> Result<Taken, RecordError> {
        let last = if self.finishing { self.recorder.take() } else { None };
        let (frame, seal) = match (last, &mut self.recorder) {
            (Some(recorder), _) => {
                let (frame, root, chunks) = recorder.finish(press)?;
                (frame, Some((root, chunks)))
            }
            (None, Some(recorder)) => (recorder.cut(press)?.unwrap_or_default(), None),
            (None, None) => (Vec::new(), None),
        };
        let mut bytes = std::mem::take(&mut self.head);
        bytes.extend(frame);
        let at = self.end;
        self.end += bytes.len() as u64;
        // The scribe has one chunk of a tape at a time: nothing older waits for the disk.
        self.unsynced_since = self.uncut_since.take();
        let sealed = seal.map(|(root, chunks)| Sealed { root, chunks, bytes: self.end });
        Ok(Taken { at, bytes, upto: self.given, closes: sealed.is_some() || self.left, sealed })
    }
}
