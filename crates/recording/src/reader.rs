//! Reading and checking. What is damaged is named by where it lies, and what lies behind it is read
//! all the same, as long as the lengths between are whole.

use std::io::{Read, Seek, SeekFrom};

use wane_domain::canonical::Digest;
use wane_domain::time::{Span, Time};

use crate::chunk::{self, FRAME_HEAD, Kind, LINK, Link, MAGIC, SessionKey};
use crate::event::Event;
use crate::header::Header;

/// The longest header there is; a recorder's has a few hundred bytes.
const MOST_HEADER: usize = 16 * 1024;

/// Why it is no recording, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("it is not a recording of a session")]
    Foreign,
    #[error("its header is damaged")]
    Header,
    #[error("it could not be read")]
    Io(#[from] std::io::Error),
}

/// A part of a recording that is not what was written: bytes `from` to `to` of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    pub from: u64,
    pub to: u64,
}

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its last chunk.
    Whole,
    /// Without it: the recorder was cut off, or something was cut off it, at this byte. Everything
    /// before is there.
    Cut { at: u64 },
}

/// What can be seen of a recording, with or without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub header: Header,
    /// Chunks that are as they were written.
    pub chunks: u64,
    /// What the chain says at the end, to be held against what the trail says.
    pub root: Digest,
    pub ending: Ending,
    pub damage: Vec<Damage>,
}

impl Seen {
    /// Whether it is the whole of what was written under this root.
    #[must_use]
    pub fn is_whole(&self, root: &Digest) -> bool {
        self.ending == Ending::Whole && self.damage.is_empty() && self.root == *root
    }
}

/// Looks at a recording without its key: whether the chain holds, and where it does not. Reads it
/// once, in the memory of one chunk.
///
/// # Errors
/// When it is not a recording, or cannot be read.
pub fn check<R: Read>(from: R) -> Result<Seen, ReadError> {
    let mut frames = Frames::open(from)?;
    let mut damage: Vec<Damage> = Vec::new();
    let mut chunks = 0;
    while let Some(step) = frames.next()? {
        match step {
            Step::Frame(_) => chunks += 1,
            Step::Damaged(found) => damage.push(found),
            // Only of what is followed.
            Step::Waiting => break,
        }
    }
    let root = Digest::from(frames.link);
    Ok(Seen { header: frames.header, chunks, root, ending: frames.ending, damage })
}

/// Until where a recording holds, of which everything before byte `at` is known to be as it was written, and a
/// chunk or the header ends there. What follows may be anything.
///
/// # Errors
/// When it is not a recording, or cannot be read.
pub fn holds_until<R: Read + Seek>(mut from: R, at: u64) -> Result<u64, ReadError> {
    from.seek(SeekFrom::Start(0))?;
    let mut frames = Frames::open(from)?;
    let head = frames.at;
    if let Some(link_at) = at.checked_sub(LINK as u64).filter(|link_at| *link_at >= head) {
        frames.from.seek(SeekFrom::Start(link_at))?;
        if fill(&mut frames.from, &mut frames.link)? < LINK {
            return Ok(at);
        }
        frames.at = at;
    }
    loop {
        let before = frames.at;
        match frames.next()? {
            Some(Step::Frame(_)) => {}
            Some(Step::Damaged(_) | Step::Waiting) | None => return Ok(before),
        }
    }
}

/// What a reader comes to next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A chunk whose events were handed over.
    Chunk,
    /// A part that cannot be read.
    Damaged(Damage),
    /// No more is there yet, of a recording that is followed.
    Waiting,
    /// The end.
    End(Ending),
}

/// A recording being read, with its key.
pub struct Reader<R> {
    frames: Frames<R>,
    key: SessionKey,
}

impl<R: Read> Reader<R> {
    /// # Errors
    /// When it is not a recording, or cannot be read.
    pub fn open(from: R, key: SessionKey) -> Result<Self, ReadError> {
        Ok(Self { frames: Frames::open(from)?, key })
    }

    #[must_use]
    pub fn header(&self) -> &Header {
        &self.frames.header
    }

    /// Whether more may be written to it yet: what is not there is then waited for instead of missing.
    pub fn follow(&mut self, grows: bool) {
        self.frames.grows = grows;
    }

    /// Goes on by one chunk, and hands each of its events over with its time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn next(&mut self, mut each: impl FnMut(Time, Event<'_>)) -> Result<Piece, ReadError> {
        let frame = match self.frames.next()? {
            None => return Ok(Piece::End(self.frames.ending)),
            Some(Step::Damaged(damage)) => return Ok(Piece::Damaged(damage)),
            Some(Step::Waiting) => return Ok(Piece::Waiting),
            Some(Step::Frame(frame)) => frame,
        };
        let Frame { number, before, kind, body, place } = frame;
        let opened = self.key.open(number, &before, kind, body).and_then(|pressed| chunk::unpress(&pressed));
        let Some(events) = opened.filter(|events| are_whole(events)) else {
            return Ok(Piece::Damaged(place));
        };
        let mut rest = events.as_slice();
        while let Some(((at, event), after)) = take(rest) {
            each(self.frames.header.began.plus(Span::from_micros(at)), event);
            rest = after;
        }
        Ok(Piece::Chunk)
    }
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("header", &self.frames.header).finish_non_exhaustive()
    }
}

fn take(events: &[u8]) -> Option<((u64, Event<'_>), &[u8])> {
    if events.is_empty() { None } else { postcard::take_from_bytes(events).ok() }
}

/// Whether these bytes are events and nothing else: a chunk is handed over whole or not at all.
fn are_whole(mut events: &[u8]) -> bool {
    while let Some((_, rest)) = take(events) {
        events = rest;
    }
    events.is_empty()
}

/// A frame whose link holds.
struct Frame {
    number: u64,
    before: Link,
    kind: Kind,
    body: Vec<u8>,
    place: Damage,
}

enum Step {
    Frame(Frame),
    Damaged(Damage),
    Waiting,
}

/// Frame by frame, with the chain. After a frame whose link does not hold, goes on from the link that
/// stands there: if that is what was written, everything behind it is found whole.
struct Frames<R> {
    from: R,
    header: Header,
    link: Link,
    number: u64,
    at: u64,
    ending: Ending,
    over: bool,
    /// Bytes behind the last chunk, where nothing belongs.
    behind: Option<Damage>,
    /// Whether more may come, and what there is of a frame that is not whole yet.
    grows: bool,
    held: Vec<u8>,
}

impl<R: Read> Frames<R> {
    fn open(mut from: R) -> Result<Self, ReadError> {
        let mut start = [0; MAGIC.len() + size_of::<u32>()];
        if fill(&mut from, &mut start)? != start.len() || !start.starts_with(MAGIC) {
            return Err(ReadError::Foreign);
        }
        let length = start.last_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(ReadError::Foreign)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST_HEADER).ok_or(ReadError::Header)?;
        let mut json = vec![0; length];
        if fill(&mut from, &mut json)? != length {
            return Err(ReadError::Header);
        }
        let header = serde_json::from_slice(&json).map_err(|_| ReadError::Header)?;
        let head = [start.as_slice(), &json].concat();
        let at = head.len() as u64;
        let link = chunk::first_link(&head);
        let (ending, held) = (Ending::Cut { at }, Vec::new());
        Ok(Self { from, header, link, number: 0, at, ending, over: false, behind: None, grows: false, held })
    }

    fn next(&mut self) -> Result<Option<Step>, ReadError> {
        if self.over {
            return Ok(self.behind.take().map(Step::Damaged));
        }
        let start = self.at;
        let mut head = [0; FRAME_HEAD];
        let got = self.pull(&mut head)?;
        if got < head.len() {
            return Ok(self.short(start, head.get(..got).unwrap_or_default().to_vec()));
        }
        let Some((kind, length)) = chunk::body_length(head) else {
            // Where the next frame begins is not known any more: the rest is lost.
            let rest = std::io::copy(&mut self.from, &mut std::io::sink())?;
            self.cut_off(start);
            let to = start + FRAME_HEAD as u64 + rest;
            return Ok(Some(Step::Damaged(Damage { from: start, to })));
        };
        let mut frame = vec![0; FRAME_HEAD + length + LINK];
        let (to_head, rest) = frame.split_at_mut(FRAME_HEAD);
        to_head.copy_from_slice(&head);
        let (got, wanted) = (self.pull(rest)?, rest.len());
        if got < wanted {
            frame.truncate(FRAME_HEAD + got);
            return Ok(self.short(start, frame));
        }
        self.at = start + frame.len() as u64;
        let place = Damage { from: start, to: self.at };
        let Some((body, stands)) = frame.split_last_chunk::<LINK>() else {
            return Ok(self.cut_off(start));
        };
        let (before, number) = (self.link, self.number);
        let holds = chunk::link(&before, body) == *stands;
        self.link = *stands;
        self.number += 1;
        self.ending = Ending::Cut { at: self.at };
        if !holds {
            return Ok(Some(Step::Damaged(place)));
        }
        if kind == Kind::Last {
            self.end()?;
        }
        let body = body.get(FRAME_HEAD..).unwrap_or_default().to_vec();
        Ok(Some(Step::Frame(Frame { number, before, kind, body, place })))
    }

    fn end(&mut self) -> Result<(), ReadError> {
        self.over = true;
        self.ending = Ending::Whole;
        let behind = std::io::copy(&mut self.from, &mut std::io::sink())?;
        self.behind = (behind > 0).then(|| Damage { from: self.at, to: self.at + behind });
        Ok(())
    }

    /// Fills `into` with what was held and what comes after it; says how much it was.
    fn pull(&mut self, into: &mut [u8]) -> Result<usize, std::io::Error> {
        let kept = self.held.len().min(into.len());
        let (held, rest) = into.split_at_mut(kept);
        for (to, from) in held.iter_mut().zip(self.held.drain(..kept)) {
            *to = from;
        }
        Ok(kept + fill(&mut self.from, rest)?)
    }

    /// There is no more, and a frame is not whole.
    fn short(&mut self, at: u64, held: Vec<u8>) -> Option<Step> {
        if !self.grows {
            return self.cut_off(at);
        }
        self.held = held;
        Some(Step::Waiting)
    }

    fn cut_off(&mut self, at: u64) -> Option<Step> {
        self.over = true;
        self.ending = Ending::Cut { at };
        None
    }
}

/// Reads until `into` is full or there is no more; says how much it was.
fn fill<R: Read>(from: &mut R, into: &mut [u8]) -> Result<usize, std::io::Error> {
    let mut got = 0;
    while let Some(rest) = into.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use super::are_whole;
    use crate::event::Event;

    #[test]
    fn events_are_whole_or_not_at_all() {
        let closed = (7_u64, Event::Closed { channel: 1 });
        let one = postcard::to_allocvec(&closed).unwrap();
        assert!(are_whole(&[]) && are_whole(&one) && are_whole(&[one.as_slice(), &one].concat()));
        // An event that is not over, and one of no kind that is known.
        assert!(!are_whole(&one[..1]));
        assert!(!are_whole(&[one.as_slice(), &[0, 0x7f]].concat()));
    }
}
