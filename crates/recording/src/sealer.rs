//! The other half of writing: what a [`Recorder`](crate::Recorder) gathered becomes frames, elsewhere and later
//! than it was gathered, so that a session does not wait while it is pressed.

use std::fmt;

use wane_domain::canonical::Digest;

use crate::chunk::{self, Kind, Link, Press, SessionKey};
use crate::recorder::RecordError;

/// Events that were taken away and are in no frame yet, chunk by chunk.
#[derive(Default)]
pub struct Uncut(pub(crate) Vec<Vec<u8>>);

impl Uncut {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes of events.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

impl fmt::Debug for Uncut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uncut").field("chunks", &self.0.len()).field("size", &self.size()).finish()
    }
}

/// Seals and chains the chunks of one recording, in the order in which they were taken away.
pub struct Sealer {
    key: SessionKey,
    link: Link,
    chunks: u64,
}

impl Sealer {
    pub(crate) fn new(key: SessionKey, link: Link) -> Self {
        Self { key, link, chunks: 0 }
    }

    /// Adds the frames of these events to `out`.
    ///
    /// # Errors
    /// When they cannot be compressed or sealed. The recording cannot go on then.
    pub fn seal(&mut self, press: &mut Press, uncut: &Uncut, out: &mut Vec<u8>) -> Result<(), RecordError> {
        uncut.0.iter().try_for_each(|events| self.one(press, events, Kind::More, out))
    }

    /// Adds them as the last there are. Says the root and how many chunks there are in all.
    ///
    /// # Errors
    /// When they cannot be compressed or sealed.
    pub fn finish(mut self, press: &mut Press, uncut: &Uncut, out: &mut Vec<u8>) -> Result<(Digest, u64), RecordError> {
        let (last, before) = uncut.0.split_last().map_or((&[][..], &[][..]), |(last, before)| (last, before));
        before.iter().try_for_each(|events| self.one(press, events, Kind::More, out))?;
        self.one(press, last, Kind::Last, out)?;
        Ok((self.root(), self.chunks))
    }

    fn one(&mut self, press: &mut Press, events: &[u8], kind: Kind, out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.link = chunk::frame(press, &self.key, self.chunks, &self.link, kind, events, out)?;
        self.chunks += 1;
        Ok(())
    }

    /// How many chunks were sealed so far.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// What the chain says so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        Digest::from(self.link)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}
