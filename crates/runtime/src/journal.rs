//! A small file that is allocated in full before it is needed: what must not be lost while nothing else can be written.
//!
//! Owns: the file's place on disk, its frames, what is left of them after a crash. Refuses to know:
//! what a frame says. Writing needs no new room on the disk, so a full disk does not stop it.
//!
//! The file is a head and, from [`FIRST`] on, frames: length and CRC-32 (both little endian), then that
//! many bytes. The checksum begins with the head's generation, so that a reset is one small write and
//! no frame from before it is ever read again. Reading stops at the first frame that is not whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Marks a journal, and its form.
const MAGIC: &[u8; 8] = b"wanejrn1";
/// Magic, generation, checksum of both.
const HEAD: usize = 16;
/// Where frames begin: apart from the head's sector.
const FIRST: u64 = 4096;
/// Length and checksum before a frame's bytes.
const BEFORE: usize = 8;
/// Only the account that runs Wane reads it.
const MODE: u32 = 0o600;

/// Why a journal cannot be had, or did not take something.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("the journal `{path}` cannot be {what}: {why}", path = .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What it said.
        why: io::Error,
    },
    /// There is no room left in it.
    #[error("the journal `{path}` is full", path = .path.display())]
    Full {
        /// Where.
        path: PathBuf,
    },
}

/// The file.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    size: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    generation: u32,
    /// Where the next frame goes.
    next: u64,
}

impl JournalFile {
    /// Opens the journal at `path`, allocating all of `size` bytes if it is not there, and returns what it keeps.
    ///
    /// # Errors
    /// When the file cannot be made, allocated, read or synced.
    pub fn open(path: &Path, size: u64) -> Result<(Self, Vec<Vec<u8>>), JournalError> {
        let failed = |what| move |why| JournalError::Disk { path: path.to_owned(), what, why };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(MODE)
            .open(path)
            .map_err(failed("opened"))?;
        allocate(&file, size).map_err(failed("allocated"))?;
        let size = size.max(file.metadata().map_err(failed("read"))?.len());
        let generation = match read_head(&file).map_err(failed("read"))? {
            Some(generation) => generation,
            None => {
                write_head(&file, 1).map_err(failed("written"))?;
                1
            }
        };
        file.sync_all().map_err(failed("synced"))?;
        sync_folder(path).map_err(failed("synced"))?;
        let (kept, next) = read_frames(&file, generation, size).map_err(failed("read"))?;
        let state = Mutex::new(State { file, generation, next });
        Ok((Self { path: path.to_owned(), size, state }, kept))
    }

    /// Adds frames, in order; they are on disk when this returns. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// When there is no room, or the disk refuses; then none of them counts as kept.
    pub fn keep(&self, frames: &[Vec<u8>]) -> Result<(), JournalError> {
        let mut state = self.state();
        let mut bytes = Vec::new();
        for frame in frames {
            let length = u32::try_from(frame.len()).map_err(|_| JournalError::Full { path: self.path.clone() })?;
            bytes.extend(length.to_le_bytes());
            bytes.extend(checksum(state.generation, frame).to_le_bytes());
            bytes.extend(frame);
        }
        let after = state.next.saturating_add(bytes.len() as u64);
        if after > self.size {
            return Err(JournalError::Full { path: self.path.clone() });
        }
        state.file.write_all_at(&bytes, state.next).map_err(|why| self.failed("written", why))?;
        state.file.sync_data().map_err(|why| self.failed("synced", why))?;
        state.next = after;
        Ok(())
    }

    /// Forgets everything it keeps.
    ///
    /// # Errors
    /// When the disk refuses; then it keeps what it kept.
    pub fn reset(&self) -> Result<(), JournalError> {
        let mut state = self.state();
        let generation = state.generation.wrapping_add(1);
        write_head(&state.file, generation).map_err(|why| self.failed("written", why))?;
        // From here on the file may be of the new generation, so nothing of the old one is added to it.
        (state.generation, state.next) = (generation, FIRST);
        state.file.sync_data().map_err(|why| self.failed("synced", why))
    }

    /// How many bytes frames may still take, each with what stands before it.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.size.saturating_sub(self.state().next)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, what: &'static str, why: io::Error) -> JournalError {
        JournalError::Disk { path: self.path.clone(), what, why }
    }
}

/// Writes zeros up to `size` where the file is shorter: a hole would need room when it is filled.
fn allocate(file: &File, size: u64) -> io::Result<()> {
    const BLOCK: [u8; 4096] = [0; 4096];
    let mut at = file.metadata()?.len();
    while at < size {
        let part = BLOCK.get(..usize::try_from(size.saturating_sub(at)).unwrap_or(BLOCK.len())).unwrap_or(&BLOCK);
        file.write_all_at(part, at)?;
        at = at.saturating_add(part.len() as u64);
    }
    Ok(())
}

/// The name of a new file is only sure to last once its folder is synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

fn head(generation: u32) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(generation.to_le_bytes());
    head.extend(crc32fast::hash(&head).to_le_bytes());
    head
}

fn write_head(file: &File, generation: u32) -> io::Result<()> {
    file.write_all_at(&head(generation), 0)
}

fn read_head(file: &File) -> io::Result<Option<u32>> {
    let mut found = [0; HEAD];
    file.read_exact_at(&mut found, 0)?;
    let generation = number(found.get(8..12));
    Ok((head(generation) == found).then_some(generation))
}

fn checksum(generation: u32, frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(generation);
    hasher.update(&(frame.len() as u64).to_le_bytes());
    hasher.update(frame);
    hasher.finalize()
}

fn number(bytes: Option<&[u8]>) -> u32 {
    bytes.and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Every whole frame from the beginning on, and where the next one goes.
fn read_frames(file: &File, generation: u32, size: u64) -> io::Result<(Vec<Vec<u8>>, u64)> {
    let (mut frames, mut at) = (Vec::new(), FIRST);
    loop {
        let start = at.saturating_add(BEFORE as u64);
        if start > size {
            return Ok((frames, at));
        }
        let mut before = [0; BEFORE];
        file.read_exact_at(&mut before, at)?;
        let length = u64::from(number(before.get(..4)));
        if length == 0 || start.saturating_add(length) > size {
            return Ok((frames, at));
        }
        let mut frame = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut frame, start)?;
        if checksum(generation, &frame) != number(before.get(4..)) {
            return Ok((frames, at));
        }
        frames.push(frame);
        at = start.saturating_add(length);
    }
}

#[cfg(test)]
mod tests;
