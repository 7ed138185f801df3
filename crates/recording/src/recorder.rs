//! Writing: events in, chunks of them out, and nothing in between but what was not taken away yet.

use std::fmt;

use wane_domain::time::Time;

use crate::chunk::{self, MAGIC, MOST_EVENTS, PressError, SealError, SessionKey};
use crate::event::Event;
use crate::header::Header;
use crate::sealer::{Sealer, Uncut};

/// Data is taken in pieces of this size, so that any event fits into a chunk.
const PIECE: usize = 32 * 1024;
/// What an event has besides its data, at most: time, sort, channel, side, length.
const BESIDE: usize = 32;
/// The most bytes of events that wait to be taken away.
pub(crate) const MOST_WAITING: usize = 16 * 1024 * 1024;

/// The events of a session being recorded. What it gathers is taken away as [`Uncut`], and becomes frames
/// in the hands of its [`Sealer`].
pub struct Recorder {
    began: Time,
    /// The latest time of an event; the next is not before it.
    at: u64,
    /// Chunks that are full, and the one under way.
    full: Vec<Vec<u8>>,
    events: Vec<u8>,
    /// The bytes of the full ones.
    waiting: usize,
    /// Emptied buffers for the next chunks, while there is so much that they are wanted.
    spare: Vec<Vec<u8>>,
}

/// Why an event is not in the recording, or a chunk was not made. The session must not go on
/// without its recording: whoever gets this ends it, or asks the terms whether it may.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// More came than is held before it was taken away, or one event more than one chunk holds.
    #[error("the recording is not taken away as fast as the session goes")]
    Full,
    #[error(transparent)]
    Press(#[from] PressError),
    /// No chunk of this program's making is refused by the cipher.
    #[error("the recording could not be sealed")]
    Seal,
}

impl From<SealError> for RecordError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Press(error) => Self::Press(error),
            SealError::Cipher => Self::Seal,
        }
    }
}

impl Recorder {
    /// Begins a recording under a key that was drawn for it. The bytes come before every frame.
    ///
    /// # Errors
    /// When the header cannot be written as JSON, which no header of ours is known to do.
    pub fn begin(header: &Header, key: SessionKey) -> Result<(Self, Sealer, Vec<u8>), RecordError> {
        let json = serde_json::to_vec(header).map_err(|_| RecordError::Seal)?;
        let length = u32::try_from(json.len()).map_err(|_| RecordError::Seal)?;
        let head = [MAGIC.as_slice(), &length.to_be_bytes(), &json].concat();
        let sealer = Sealer::new(key, chunk::first_link(&head));
        let recorder =
            Self { began: header.began, at: 0, full: Vec::new(), events: Vec::new(), waiting: 0, spare: Vec::new() };
        Ok((recorder, sealer, head))
    }

    /// Takes one event in. Data of any length is taken in pieces.
    ///
    /// # Errors
    /// [`RecordError::Full`] when there is no room for it: nothing of it is taken then.
    pub fn event(&mut self, now: Time, event: &Event<'_>) -> Result<(), RecordError> {
        self.at = self.at.max(now.since(self.began).micros());
        let (chunks, length) = (self.full.len(), self.events.len());
        let taken = self.take(event);
        if taken.is_err() {
            // The first that was full since is the one that was under way.
            let under_way = self.full.drain(chunks..).next();
            if let Some(events) = under_way {
                self.events = events;
                self.waiting = self.full.iter().map(Vec::len).sum();
            }
            self.events.truncate(length);
        }
        taken
    }

    fn take(&mut self, event: &Event<'_>) -> Result<(), RecordError> {
        let Event::Data { channel, from, bytes } = event else {
            return self.one(event);
        };
        for piece in bytes.chunks(PIECE) {
            // Looked at before, so that it is copied once.
            if self.events.len() + piece.len() + BESIDE > MOST_EVENTS {
                self.turn(Vec::new());
            }
            self.one(&Event::Data { channel: *channel, from: *from, bytes: piece.into() })?;
        }
        Ok(())
    }

    fn one(&mut self, event: &Event<'_>) -> Result<(), RecordError> {
        let start = self.events.len();
        postcard::to_io(&(self.at, event), &mut self.events).map_err(|_| RecordError::Seal)?;
        if self.events.len() > MOST_EVENTS && start > 0 {
            let last = self.events.split_off(start);
            self.turn(last);
        }
        let fits = self.events.len() <= MOST_EVENTS && self.pending() <= MOST_WAITING;
        if fits { Ok(()) } else { Err(RecordError::Full) }
    }

    /// The chunk under way is full; the next begins with these events.
    fn turn(&mut self, first: Vec<u8>) {
        let mut next = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(MOST_EVENTS));
        next.extend_from_slice(&first);
        let full = std::mem::replace(&mut self.events, next);
        self.waiting += full.len();
        self.full.push(full);
    }

    /// Bytes of events that were not taken away yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.waiting + self.events.len()
    }

    /// Bytes of memory that it holds for events.
    #[must_use]
    pub fn held(&self) -> usize {
        self.full.iter().chain(&self.spare).chain([&self.events]).map(Vec::capacity).sum()
    }

    /// Takes away what there is.
    pub fn take_away(&mut self) -> Uncut {
        // More is to be expected where there is much.
        let next = if self.full.is_empty() { None } else { self.spare.pop() };
        let last = std::mem::replace(&mut self.events, next.unwrap_or_default());
        let mut chunks = std::mem::take(&mut self.full);
        if !last.is_empty() {
            chunks.push(last);
        }
        self.waiting = 0;
        Uncut(chunks)
    }

    /// Gives buffers back that were taken away and are done with, for what comes next.
    pub fn give_back(&mut self, Uncut(chunks): Uncut) {
        for mut chunk in chunks.into_iter().filter(|chunk| chunk.capacity() >= MOST_EVENTS) {
            chunk.clear();
            self.spare.push(chunk);
        }
        self.spare.truncate(MOST_WAITING / MOST_EVENTS);
    }

    /// Nothing comes for a while: keeps no memory for it. Sessions idle most of their lives.
    pub fn rest(&mut self) {
        self.spare = Vec::new();
        self.events.shrink_to_fit();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("pending", &self.pending()).finish_non_exhaustive()
    }
}
