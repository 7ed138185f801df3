//! One session's tape: takes events, holds the session back while too much is on its way to the disk.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wane_domain::canonical::Digest;
use wane_domain::id::SessionId;
use wane_domain::time::Time;
use wane_recording::{Event, Recorder, Sealer};

use crate::queue::{Haste, Queue};
use crate::reel::Reel;

/// How much may have passed that is not on disk: so many bytes of events.
pub const WINDOW: usize = 64 * 1024;
/// As much as that may become for a stream that the disk keeps up with.
pub const MOST_WINDOW: usize = 8 * 1024 * 1024;
/// How long a session waits for the disk before its tape fails: a disk that takes longer does not
/// record.
const PATIENCE: Duration = Duration::from_secs(5);

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

impl Tape {
    pub(crate) fn new(
        session: SessionId,
        recorder: Recorder,
        sealer: Sealer,
        head: Vec<u8>,
        queue: Arc<Queue>,
    ) -> Self {
        Self { reel: Reel::new(session, recorder, sealer, head, &queue), queue }
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
            if let Some(haste) = self.reel.take(now, event, size)? {
                self.submit(haste);
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
        let goal = self.reel.given();
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
        self.reel.finish();
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
        let first = self.reel.is_to_queue();
        if first || haste == Haste::Now {
            self.queue.put(first.then(|| Arc::clone(&self.reel)), haste);
        }
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
        self.reel.leave();
        self.submit(Haste::Soon);
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("session", &self.reel.session).finish_non_exhaustive()
    }
}
