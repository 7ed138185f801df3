//! Where the recordings of sessions under way go, and where they lie afterwards.
//!
//! Owns: one file per session; two journals that all sessions share, so that one sync of the disk
//! makes everybody's latest chunk durable; the window between what passed and what is on disk; what
//! is put right after a crash. Refuses to know: what was recorded, whose key it is under, who may
//! read it.
//!
//! An event is given to a session's [`Tape`] *before* its bytes are passed on. The tape answers at
//! once while little is on its way to the disk, and otherwise when that has arrived: so what passed
//! is what is on disk and at most one window more. The window of a session that brings more than fits grows as
//! far as the disk keeps up with it. A tape that cannot keep that up fails, for good: the session it records has to
//! end.
//!
//! The [`Scribe`] is the one writer. Each turn it takes what every tape has, makes frames of it, writes them into
//! a journal, syncs that once, and then appends each to its session's own file, which is synced once its session
//! is over or its journal is wanted again. Frames of one session that are much go to its file alone, which is
//! synced at once; the journal has a word of where they begin.

mod bucket;
mod entries;
mod files;
mod queue;
mod reel;
mod scribe;
mod tape;

pub use bucket::{Addressing, Bucket, BucketError, KeyPair, Keys, Object, Put, Reach};
pub use files::{Folder, FolderError};
pub use scribe::{Archive, ArchiveError, Scribe};
pub use tape::{MOST_WINDOW, Sealed, Tape, TapeError, WINDOW};
