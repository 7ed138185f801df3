//! The one writer, and what it shares with the tapes.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wane_domain::id::SessionId;
use wane_failpoint::{around_call, point};
use wane_recording::{Header, Press, PressError, RecordError, Recorder, SessionKey};
use wane_runtime::{JournalError, JournalFile};

use crate::files::{Folder, FolderError};
use crate::tape::{Haste, Reel, Taken, Tape, TapeError};

/// How long the first event of a turn waits for company, while nobody waits for it.
const GATHER: Duration = Duration::from_millis(20);
/// How much is written in one go: bounded memory, whatever the number of sessions.
const TOGETHER: usize = 8 * 1024 * 1024;
/// The size of each of the two journals.
const JOURNAL: u64 = 16 * 1024 * 1024;
/// How many files are synced in one turn: of sessions that are over, and for the journal that is to be
/// wanted next.
const SYNCS: usize = 4;
/// Before the bytes of a chunk in a journal: the session's id as text, and where they go in its file.
const SESSION: usize = 30;
const ENTRY: usize = SESSION + size_of::<u64>();
/// What a journal adds to an entry, and a little more.
const BESIDE: usize = 16;

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

/// The tapes that have something, and who is in a hurry.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    reels: Vec<Arc<Reel>>,
    urgent: bool,
    closed: bool,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, reel: Option<Arc<Reel>>, haste: Haste) {
        let mut waiting = self.waiting();
        let wakes = (reel.is_some() && waiting.reels.is_empty()) || (haste == Haste::Now && !waiting.urgent);
        waiting.reels.extend(reel);
        waiting.urgent |= haste == Haste::Now;
        drop(waiting);
        if wakes {
            self.changed.notify_one();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    fn close(&self) {
        self.waiting().closed = true;
        self.changed.notify_one();
    }

    /// The tapes of the next turn; nothing when there will be none any more.
    fn next(&self) -> Option<Vec<Arc<Reel>>> {
        let waiting = self.waiting();
        let idle = |waiting: &mut Waiting| waiting.reels.is_empty() && !waiting.closed;
        let waiting = self.changed.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
        let alone = |waiting: &mut Waiting| !waiting.urgent && !waiting.closed;
        let (mut waiting, _) =
            self.changed.wait_timeout_while(waiting, GATHER, alone).unwrap_or_else(PoisonError::into_inner);
        waiting.urgent = false;
        let reels = std::mem::take(&mut waiting.reels);
        if reels.is_empty() && waiting.closed { None } else { Some(reels) }
    }
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
        let folder = Folder::at(path)?;
        let (a, in_a) = JournalFile::open(&path.join("journal-a"), JOURNAL)?;
        let (b, in_b) = JournalFile::open(&path.join("journal-b"), JOURNAL)?;
        recover(&folder, in_a.into_iter().chain(in_b))?;
        a.reset()?;
        b.reset()?;
        let queue = Arc::new(Queue { waiting: Mutex::default(), changed: Condvar::new() });
        let archive = Self { folder: folder.clone(), queue: Arc::clone(&queue) };
        let [now, before] = [a, b].map(|file| Side { file, open: BTreeMap::new() });
        let files = BTreeMap::new();
        let over = VecDeque::new();
        let scribe = Scribe { folder, queue, press: Press::new()?, now, before, files, over, unnamed: false };
        Ok((archive, scribe))
    }

    /// Begins a recording. Its header is on disk when this returns: no recorder, no session.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn begin(&self, header: &Header, key: SessionKey) -> Result<Tape, ArchiveError> {
        let (recorder, head) = Recorder::begin(header, key)?;
        let tape = Tape::new(header.session, recorder, head, Arc::clone(&self.queue));
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
    /// The journal that is written, and the other.
    now: Side,
    before: Side,
    /// The files of the sessions under way, and of those that are over and not synced yet.
    files: BTreeMap<SessionId, Arc<Open>>,
    over: VecDeque<(SessionId, Arc<Open>)>,
    /// Whether files were made whose names are only in the journals yet.
    unnamed: bool,
}

impl std::fmt::Debug for Scribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scribe").field("folder", &self.folder).field("open", &self.files.len()).finish_non_exhaustive()
    }
}

impl Scribe {
    /// Writes until the archive is closed.
    pub fn run(mut self) {
        while let Some(reels) = self.queue.next() {
            let mut reels = reels.into_iter();
            while self.some(&mut reels) {}
            self.sync_some(SYNCS);
            // More of them the more there are, so that files do not pile up that nobody writes any more.
            self.sync_over(SYNCS.max(self.over.len() / 8));
        }
        self.sync_over(usize::MAX);
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

    /// As many chunks as go together; false when there are no more.
    fn some(&mut self, reels: &mut impl Iterator<Item = Arc<Reel>>) -> bool {
        let (mut batch, mut entries, mut size) = (Vec::new(), Vec::new(), 0);
        while size < TOGETHER {
            let Some(reel) = reels.next() else {
                break;
            };
            if let Some(taken) = reel.cut(&mut self.press) {
                if !taken.bytes.is_empty() {
                    size += ENTRY + BESIDE + taken.bytes.len();
                    entries.push(entry(reel.session, &taken));
                }
                batch.push((reel, taken));
            } else if reel.has_failed() {
                self.files.remove(&reel.session);
            }
        }
        if batch.is_empty() {
            return false;
        }
        let kept = self.keep(&entries, size as u64).map_err(|error| error.to_string());
        if let Err(error) = &kept {
            tracing::error!(%error, sessions = batch.len(), "recordings cannot be written, and their sessions end");
        }
        for (reel, taken) in batch {
            let written = kept.clone().and_then(|()| self.write(&reel, &taken).map_err(|error| error.to_string()));
            match written {
                Ok(()) => reel.settled(&taken),
                Err(why) => {
                    self.files.remove(&reel.session);
                    reel.fail(TapeError::Failed(why.into()));
                }
            }
        }
        true
    }

    /// Puts the entries into the journal; into the other, once that may forget, if this one has no room.
    fn keep(&mut self, entries: &[Vec<u8>], size: u64) -> Result<(), ArchiveError> {
        if size > self.now.file.room() {
            self.sync_some(usize::MAX);
            self.named()?;
            self.before.file.reset()?;
            std::mem::swap(&mut self.now, &mut self.before);
        }
        Ok(around_call(point!("archive.journal"), || self.now.file.keep(entries))?)
    }

    /// Puts a chunk into its session's file, which is made with its first.
    fn write(&mut self, reel: &Arc<Reel>, taken: &Taken) -> Result<(), FolderError> {
        let session = reel.session;
        let open = match self.files.get(&session) {
            Some(open) => Arc::clone(open),
            None => {
                let file = self.folder.begin(session)?;
                self.unnamed = true;
                let open = Arc::new(Open { reel: Arc::clone(reel), file });
                self.files.insert(session, Arc::clone(&open));
                open
            }
        };
        open.file.write_all_at(&taken.bytes, taken.at).map_err(|why| self.folder.failed(session, "written", why))?;
        if taken.closes {
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

fn entry(session: SessionId, taken: &Taken) -> Vec<u8> {
    [session.to_string().as_bytes(), &taken.at.to_be_bytes(), &taken.bytes].concat()
}

/// Whose bytes, and where they go.
fn read_entry(frame: &[u8]) -> Option<(SessionId, u64, Vec<u8>)> {
    let (session, rest) = frame.split_at_checked(SESSION)?;
    let (at, bytes) = rest.split_first_chunk()?;
    let session = std::str::from_utf8(session).ok()?.parse().ok()?;
    Some((session, u64::from_be_bytes(*at), bytes.to_vec()))
}

/// What the journals keep goes where it belongs: a crash may have come between the two.
///
/// INVARIANT: what stands behind a session's last chunk in the journals was never synced, and is not
/// part of it; a file without chunks in them was synced whole (held by
/// `a_crash_anywhere_loses_nothing_that_was_settled`).
fn recover(folder: &Folder, frames: impl Iterator<Item = Vec<u8>>) -> Result<(), FolderError> {
    let mut sessions: BTreeMap<SessionId, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    for (session, at, bytes) in frames.filter_map(|frame| read_entry(&frame)) {
        sessions.entry(session).or_default().push((at, bytes));
    }
    for (session, pieces) in &sessions {
        let end = pieces.iter().map(|(at, bytes)| at + bytes.len() as u64).max().unwrap_or(0);
        folder.restore(*session, pieces, end)?;
    }
    folder.sync()
}
