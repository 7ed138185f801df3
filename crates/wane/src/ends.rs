//! The journal of ends, as a file in the data folder.
//!
//! A server whose journal cannot be had serves all the same: what it would have kept is then in memory
//! only, and the log says so.

use std::path::Path;
use std::sync::Arc;

use wane_app::{App, Journal};
use wane_runtime::JournalFile;

/// Room for some ten thousand ends, of which the last part is for what people ordered.
const SIZE: u64 = 4 * 1024 * 1024;

/// The file.
struct EndsJournal(JournalFile);

impl Journal for EndsJournal {
    fn keep(&self, frames: &[Vec<u8>]) -> Result<(), String> {
        self.0.keep(frames).map_err(|e| e.to_string())
    }
    fn reset(&self) -> Result<(), String> {
        self.0.reset().map_err(|e| e.to_string())
    }
    fn room(&self) -> u64 {
        self.0.room()
    }
}

/// Opens the journal of a data folder and hands it over, with what an earlier process left in it.
pub(crate) fn open(app: &App, folder: &Path) {
    match JournalFile::open(&folder.join("ends.journal"), SIZE) {
        Ok((file, kept)) => app.keep_in(Arc::new(EndsJournal(file)), &kept),
        Err(error) => {
            tracing::error!(%error, "there is no journal of ends: what is ended while the store cannot be written is in memory only");
        }
    }
}
