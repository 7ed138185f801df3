//! The one writer.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use wane_domain::id::SessionId;
use wane_failpoint::{around_call, point};
use wane_recording::{Header, Press, PressError, RecordError, Recorder, SessionKey};
use wane_runtime::{JournalError, JournalFile};

use crate::entries::{BESIDE, ENTRY, entry, recover};
use crate::files::{Folder, FolderError};
use crate::queue::{Left, Queue};
use crate::reel::{Pressed, Reel};
use crate::tape::{Tape, TapeError};

/// How many bytes of events are pressed and written in one turn: bounded memory, whatever the number of
/// sessions, and a bounded wait for who has little.
const TOGETHER: usize = 8 * 1024 * 1024;
/// Frames of one session that are more than this go to its file alone, which is synced then and there: written
/// once, for a sync of its own.
const DIRECT: u64 = 256 * 1024;
/// The size of each of the two journals.
const JOURNAL: u64 = 16 * 1024 * 1024;
/// How many files are synced in one turn: of sessions that are over, and for the journal that is to be
/// wanted next.
const SYNCS: usize = 4;
/// What is kept of the memory for frames while nothing is written.
const KEEP: usize = 256 * 1024;

/// Why recordings cannot be kept at all.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Press(#[from] PressError),
    #[error("a recording could not be begun")]
    Record(#[from] RecordError),
    #[error(transparent)]
    Tape(#[from] TapeError),
}

/// Where sessions get their tapes.
pub struct Archive {
    folder: Folder,
    queue: Arc<Queue>,
}

impl Archive {
    /// Opens the archive in this folder, and puts right what a crash left: everything a journal keeps is
    /// in its session's file when this returns. The scribe has to be run for anything to be written.
    ///
    /// # Errors
    /// When folder, journals or a file cannot be had.
    pub fn open(path: &Path) -> Result<(Self, Scribe), ArchiveError> {
        Self::over(path, JOURNAL)
    }

    fn over(path: &Path, journal: u64) -> Result<(Self, Scribe), ArchiveError> {
        let folder = Folder::at(path)?;
        let (a, in_a) = JournalFile::open(&path.join("journal-a"), journal)?;
        let (b, in_b) = JournalFile::open(&path.join("journal-b"), journal)?;
        recover(&folder, in_a.into_iter().chain(in_b))?;
        a.reset()?;
        b.reset()?;
        let queue = Queue::new();
        let archive = Self { folder: folder.clone(), queue: Arc::clone(&queue) };
        let [now, before] = [a, b].map(|file| Side { file, open: BTreeMap::new() });
        let scribe = Scribe {
            folder,
            queue,
            press: Press::new()?,
            frames: Vec::new(),
            now,
            before,
            files: BTreeMap::new(),
            over: VecDeque::new(),
            unnamed: false,
            little: VecDeque::new(),
            much: VecDeque::new(),
        };
        Ok((archive, scribe))
    }

    /// Begins a recording. Its header is on disk when this returns: no recorder, no session.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn begin(&self, header: &Header, key: SessionKey) -> Result<Tape, ArchiveError> {
        let (recorder, sealer, head) = Recorder::begin(header, key)?;
        let tape = Tape::new(header.session, recorder, sealer, head, Arc::clone(&self.queue));
        tape.settle().await?;
        Ok(tape)
    }

    /// Where they lie.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// No more will be written once the scribe has done what it was given: it returns then.
    pub fn close(&self) {
        self.queue.close();
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A session's file, and whom to tell about it.
struct Open {
    reel: Arc<Reel>,
    file: File,
}

/// One journal, and the files that have to be synced before it can forget.
struct Side {
    file: JournalFile,
    open: BTreeMap<SessionId, Arc<Open>>,
}

/// The writer. Blocks, and so wants a thread of its own.
pub struct Scribe {
    folder: Folder,
    queue: Arc<Queue>,
    press: Press,
    /// What is being written: the frames of everybody in this turn.
    frames: Vec<u8>,
    /// The journal that is written, and the other.
    now: Side,
    before: Side,
    /// The files of the sessions under way, and of those that are over and not synced yet.
    files: BTreeMap<SessionId, Arc<Open>>,
    over: VecDeque<(SessionId, Arc<Open>)>,
    /// Whether files were made whose names are only in the journals yet.
    unnamed: bool,
    /// Who is next: those who have little before those who have much.
    little: VecDeque<Arc<Reel>>,
    much: VecDeque<Arc<Reel>>,
}

/// One session's part of a turn.
struct Part {
    reel: Arc<Reel>,
    pressed: Pressed,
    /// Where its frames are.
    frames: Range<usize>,
}

impl Part {
    /// Whether it goes to its session's file alone. What has no frame before it does not: after a crash the chain
    /// is taken up where it begins.
    fn is_direct(&self) -> bool {
        self.pressed.follows && self.pressed.length > DIRECT
    }

    fn frames_in<'a>(&self, all: &'a [u8]) -> &'a [u8] {
        all.get(self.frames.clone()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Scribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scribe").field("folder", &self.folder).field("open", &self.files.len()).finish_non_exhaustive()
    }
}

impl Scribe {
    /// Writes until the archive is closed.
    pub fn run(mut self) {
        while let Some(reels) = self.queue.next(self.left()) {
            for reel in reels {
                if reel.has_much() { self.much.push_back(reel) } else { self.little.push_back(reel) }
            }
            self.turn();
            if self.left() == Left::Nothing {
                self.frames.shrink_to(KEEP);
            }
            self.sync_some(SYNCS);
            // More of them the more there are, so that files do not pile up that nobody writes any more.
            self.sync_over(SYNCS.max(self.over.len() / 8));
        }
        self.sync_over(usize::MAX);
    }

    fn left(&self) -> Left {
        if self.little.is_empty() && self.much.is_empty() { Left::Nothing } else { Left::Some }
    }

    /// Syncs files of sessions that are over, and closes them; until then the journals have them.
    fn sync_over(&mut self, most: usize) {
        for _ in 0..most {
            let Some((session, open)) = self.over.pop_front() else { return };
            let synced = around_call(point!("archive.seal"), || open.file.sync_all());
            match synced.map_err(|why| self.folder.failed(session, "synced", why)).and_then(|()| self.named()) {
                Ok(()) => {
                    self.now.open.remove(&session);
                    self.before.open.remove(&session);
                }
                Err(error) => {
                    tracing::error!(%error, "a recording that is over cannot be synced; its journal keeps it")
                }
            }
        }
    }

    /// The names of the files that were made last, too.
    fn named(&mut self) -> Result<(), FolderError> {
        if self.unnamed {
            self.folder.sync()?;
            self.unnamed = false;
        }
        Ok(())
    }

    /// As much as goes together: pressed, written, synced.
    fn turn(&mut self) {
        let parts = self.gather();
        if parts.is_empty() {
            return;
        }
        let kept = self.keep(&parts).map_err(|error| error.to_string());
        if let Err(error) = &kept {
            tracing::error!(%error, sessions = parts.len(), "recordings cannot be written, and their sessions end");
        }
        // Those whose frames the journal has wait for nobody's file.
        let (direct, others): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(Part::is_direct);
        for part in others.into_iter().chain(direct) {
            let written = kept.clone().and_then(|()| self.write(&part).map_err(|error| error.to_string()));
            match written {
                Ok(()) => part.reel.settled(part.pressed),
                Err(why) => {
                    self.files.remove(&part.reel.session);
                    part.reel.fail(TapeError::Failed(why.into()));
                }
            }
        }
    }

    fn gather(&mut self) -> Vec<Part> {
        let (mut parts, mut size) = (Vec::new(), 0);
        self.frames.clear();
        while size < TOGETHER
            && let Some(reel) = self.little.pop_front()
        {
            size += self.press(reel, &mut parts);
        }
        // All who have little do not keep the first who has much from its turn.
        let mut first = true;
        while (first || size < TOGETHER)
            && let Some(reel) = self.much.pop_front()
        {
            size += self.press(reel, &mut parts);
            first = false;
        }
        parts
    }

    /// Adds one tape's part to those of a turn; says for how much it counts.
    fn press(&mut self, reel: Arc<Reel>, parts: &mut Vec<Part>) -> usize {
        let start = self.frames.len();
        let pressed = reel.cut().and_then(|taken| reel.press(taken, &mut self.press, &mut self.frames));
        let Some(pressed) = pressed else {
            if reel.has_failed() {
                self.files.remove(&reel.session);
            }
            return 0;
        };
        let frames = start..self.frames.len();
        let counts = ENTRY + BESIDE + pressed.size().max(frames.len());
        parts.push(Part { reel, pressed, frames });
        counts
    }

    /// Puts what goes through the journal into it; into the other, once that may forget, if this one has no room.
    ///
    /// INVARIANT: what is written to a file alone has an entry in the journal that is written then, which says where
    /// it begins: after a crash whatever stands behind the last entry is looked through (held by
    /// `the_journal_knows_of_every_file_that_is_written_without_it`).
    fn keep(&mut self, parts: &[Part]) -> Result<(), ArchiveError> {
        let through = |part: &Part| if part.is_direct() { &[][..] } else { part.frames_in(&self.frames) };
        let size = parts.iter().map(|part| ENTRY + BESIDE + through(part).len()).sum::<usize>() as u64;
        if size > self.now.file.room() {
            self.sync_some(usize::MAX);
            self.named()?;
            self.before.file.reset()?;
            std::mem::swap(&mut self.now, &mut self.before);
        }
        let through = |part: &Part| if part.is_direct() { &[][..] } else { part.frames_in(&self.frames) };
        let known = |part: &Part| self.now.open.contains_key(&part.reel.session);
        let wanted = |part: &&Part| if part.is_direct() { !known(part) } else { part.pressed.length > 0 };
        let entries = parts.iter().filter(wanted);
        let entries: Vec<_> = entries.map(|part| entry(part.reel.session, part.pressed.at, through(part))).collect();
        if entries.is_empty() {
            return Ok(());
        }
        Ok(around_call(point!("archive.journal"), || self.now.file.keep(&entries))?)
    }

    /// Puts frames into their session's file, which is made with its first.
    fn write(&mut self, part: &Part) -> Result<(), FolderError> {
        let session = part.reel.session;
        let open = match self.files.get(&session) {
            Some(open) => Arc::clone(open),
            None => {
                let file = self.folder.begin(session)?;
                self.unnamed = true;
                let open = Arc::new(Open { reel: Arc::clone(&part.reel), file });
                self.files.insert(session, Arc::clone(&open));
                open
            }
        };
        let written = open.file.write_all_at(part.frames_in(&self.frames), part.pressed.at);
        written.map_err(|why| self.folder.failed(session, "written", why))?;
        if part.is_direct() {
            let synced = around_call(point!("archive.direct"), || open.file.sync_data());
            synced.map_err(|why| self.folder.failed(session, "synced", why))?;
            self.named()?;
        }
        if part.pressed.closes {
            self.files.remove(&session);
            self.over.push_back((session, Arc::clone(&open)));
        }
        self.now.open.insert(session, open);
        Ok(())
    }

    /// Syncs files of the journal that is not written, so that it can forget their chunks.
    fn sync_some(&mut self, most: usize) {
        for _ in 0..most {
            let Some((session, open)) = self.before.open.pop_first() else {
                return;
            };
            if let Err(error) = around_call(point!("archive.sync"), || open.file.sync_data()) {
                tracing::error!(%error, %session, "a recording cannot be synced, and its session ends");
                self.files.remove(&session);
                open.reel.fail(TapeError::Failed(error.to_string().into()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
