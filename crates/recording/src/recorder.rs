//! Writing: events in, frames out, and nothing in between but one chunk's worth of memory.

use std::fmt;

use wane_domain::canonical::Digest;
use wane_domain::time::Time;

use crate::chunk::{self, Kind, Link, MAGIC, MOST_EVENTS, Press, PressError, SealError, SessionKey};
use crate::event::Event;
use crate::header::Header;

/// Data is taken in pieces of this size, so that any event fits into a chunk.
const PIECE: usize = 32 * 1024;
/// A buffer that grew beyond this is given back once it is empty: sessions idle most of their lives.
const KEEP: usize = 4 * 1024;

/// A session being recorded.
pub struct Recorder {
    key: SessionKey,
    began: Time,
    /// The latest time of an event; the next is not before it.
    at: u64,
    events: Vec<u8>,
    link: Link,
    chunks: u64,
}

/// Why an event is not in the recording, or a chunk was not made. The session must not go on
/// without its recording: whoever gets this ends it, or asks the terms whether it may.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// More came than one chunk holds before a chunk was taken away.
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
    pub fn begin(header: &Header, key: SessionKey) -> Result<(Self, Vec<u8>), RecordError> {
        let json = serde_json::to_vec(header).map_err(|_| RecordError::Seal)?;
        let length = u32::try_from(json.len()).map_err(|_| RecordError::Seal)?;
        let head = [MAGIC.as_slice(), &length.to_be_bytes(), &json].concat();
        let link = chunk::first_link(&head);
        Ok((Self { key, began: header.began, at: 0, events: Vec::new(), link, chunks: 0 }, head))
    }

    /// Takes one event in. Data of any length is taken in pieces.
    ///
    /// # Errors
    /// [`RecordError::Full`] when the chunk under way has no room for it: nothing of it is taken then.
    pub fn event(&mut self, now: Time, event: &Event<'_>) -> Result<(), RecordError> {
        self.at = self.at.max(now.since(self.began).micros());
        let before = self.events.len();
        let taken = self.take(event);
        if taken.is_err() {
            self.events.truncate(before);
        }
        taken
    }

    fn take(&mut self, event: &Event<'_>) -> Result<(), RecordError> {
        let Event::Data { channel, from, bytes } = event else {
            return self.one(event);
        };
        for piece in bytes.chunks(PIECE) {
            self.one(&Event::Data { channel: *channel, from: *from, bytes: piece.into() })?;
        }
        Ok(())
    }

    fn one(&mut self, event: &Event<'_>) -> Result<(), RecordError> {
        postcard::to_io(&(self.at, event), &mut self.events).map_err(|_| RecordError::Seal)?;
        if self.events.len() > MOST_EVENTS { Err(RecordError::Full) } else { Ok(()) }
    }

    /// Bytes of events that are in no chunk yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.events.len()
    }

    /// Seals what there is, as the next frame; nothing if nothing happened.
    ///
    /// # Errors
    /// When it cannot be compressed or sealed; the events are kept then.
    pub fn cut(&mut self, press: &mut Press) -> Result<Option<Vec<u8>>, RecordError> {
        if self.events.is_empty() {
            return Ok(None);
        }
        self.seal(press, Kind::More).map(Some)
    }

    /// Seals what there is as the last frame, and says the root and how many chunks there are.
    ///
    /// # Errors
    /// When it cannot be compressed or sealed.
    pub fn finish(mut self, press: &mut Press) -> Result<(Vec<u8>, Digest, u64), RecordError> {
        let frame = self.seal(press, Kind::Last)?;
        Ok((frame, self.root(), self.chunks))
    }

    fn seal(&mut self, press: &mut Press, kind: Kind) -> Result<Vec<u8>, RecordError> {
        let (frame, link) = chunk::frame(press, &self.key, self.chunks, &self.link, kind, &self.events)?;
        self.link = link;
        self.chunks += 1;
        self.events.clear();
        self.events.shrink_to(KEEP);
        Ok(frame)
    }

    /// What the chain says so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        Digest::from(self.link)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = self.events.len();
        f.debug_struct("Recorder").field("chunks", &self.chunks).field("pending", &pending).finish_non_exhaustive()
    }
}
