//! What stands in the journals, and what is made of it after a crash.

use std::collections::BTreeMap;

use wane_domain::id::SessionId;

use crate::files::{Folder, FolderError};

/// Before the bytes in an entry: the session's id as text, and where they go in its file.
const SESSION: usize = 30;
pub(crate) const ENTRY: usize = SESSION + size_of::<u64>();
/// What a journal adds to an entry, and a little more.
pub(crate) const BESIDE: usize = 16;

/// Frames of a session, and where they go; without frames, until where its file was known to be whole when something
/// was written to it alone.
pub(crate) fn entry(session: SessionId, at: u64, frames: &[u8]) -> Vec<u8> {
    [session.to_string().as_bytes(), &at.to_be_bytes(), frames].concat()
}

fn read_entry(entry: &[u8]) -> Option<(SessionId, u64, Vec<u8>)> {
    let (session, rest) = entry.split_at_checked(SESSION)?;
    let (at, frames) = rest.split_first_chunk()?;
    let session = std::str::from_utf8(session).ok()?.parse().ok()?;
    Some((session, u64::from_be_bytes(*at), frames.to_vec()))
}

/// What the journals keep goes where it belongs: a crash may have come between the two.
///
/// INVARIANT: what stands behind a session's last entry in the journals is part of it as far as the chain holds: it was
/// written to the file alone, and was or was not synced; a file without entries was synced whole (held by
/// `a_crash_anywhere_loses_nothing_that_was_settled`).
pub(crate) fn recover(folder: &Folder, entries: impl Iterator<Item = Vec<u8>>) -> Result<(), FolderError> {
    let mut sessions: BTreeMap<SessionId, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    for (session, at, frames) in entries.filter_map(|entry| read_entry(&entry)) {
        sessions.entry(session).or_default().push((at, frames));
    }
    for (session, pieces) in &sessions {
        folder.restore(*session, pieces)?;
    }
    folder.sync()
}
