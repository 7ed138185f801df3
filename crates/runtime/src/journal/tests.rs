//! What a journal keeps, and what is left of it after the worst moment.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use super::*;

const SIZE: u64 = 64 * 1024;

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ends.journal");
    (folder, path)
}

fn frames(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn reopened(path: &Path) -> Vec<Vec<u8>> {
    JournalFile::open(path, SIZE).unwrap().1
}

#[test]
fn what_was_kept_is_there_until_it_is_reset() {
    let (_folder, path) = place();
    let (journal, kept) = JournalFile::open(&path, SIZE).unwrap();
    assert!(kept.is_empty());
    journal.keep(&frames(&["one", "two"])).unwrap();
    journal.keep(&frames(&["three"])).unwrap();
    assert_eq!(reopened(&path), frames(&["one", "two", "three"]));
    journal.reset().unwrap();
    assert!(reopened(&path).is_empty(), "a reset kept something");
    // A shorter one over the old: what stands behind it is of before the reset.
    journal.keep(&frames(&["new"])).unwrap();
    assert_eq!(reopened(&path), frames(&["new"]));
}

#[test]
fn it_is_allocated_in_full_and_nobody_elses() {
    let (_folder, path) = place();
    let (journal, _) = JournalFile::open(&path, SIZE).unwrap();
    let meta = path.metadata().unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    let blocks = |meta: &std::fs::Metadata| std::os::unix::fs::MetadataExt::blocks(meta) * 512;
    assert_eq!((meta.len(), blocks(&meta) >= SIZE), (SIZE, true), "room is promised and not taken");
    journal.keep(&frames(&["one"])).unwrap();
    assert_eq!(path.metadata().unwrap().len(), SIZE, "it grew");
}

#[test]
fn a_torn_frame_is_dropped_with_what_follows_it() {
    for damage in 0..3 {
        let (_folder, path) = place();
        let (journal, _) = JournalFile::open(&path, SIZE).unwrap();
        journal.keep(&frames(&["one"])).unwrap();
        let torn = journal.state().next;
        journal.keep(&frames(&["two", "three"])).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        match damage {
            // A byte of the frame, its length, its checksum.
            0 => file.write_all_at(b"X", torn + BEFORE as u64).unwrap(),
            1 => file.write_all_at(&u32::MAX.to_le_bytes(), torn).unwrap(),
            _ => file.write_all_at(&[9], torn + 4).unwrap(),
        }
        let (journal, kept) = JournalFile::open(&path, SIZE).unwrap();
        assert_eq!(kept, frames(&["one"]), "damage {damage}");
        journal.keep(&frames(&["four"])).unwrap();
        assert_eq!(reopened(&path), frames(&["one", "four"]), "damage {damage}");
    }
}

#[test]
fn a_file_that_was_only_half_made_is_made_whole() {
    let (_folder, path) = place();
    std::fs::write(&path, [0; 100]).unwrap();
    let (journal, kept) = JournalFile::open(&path, SIZE).unwrap();
    assert!(kept.is_empty());
    journal.keep(&frames(&["one"])).unwrap();
    assert_eq!(reopened(&path), frames(&["one"]));
    // Somebody else's file in its place.
    std::fs::write(&path, vec![b'x'; usize::try_from(SIZE).unwrap()]).unwrap();
    assert!(reopened(&path).is_empty());
}

#[test]
fn what_does_not_fit_is_refused_whole() {
    let (_folder, path) = place();
    let (journal, _) = JournalFile::open(&path, SIZE).unwrap();
    let half = vec![7; usize::try_from(SIZE / 2).unwrap()];
    journal.keep(std::slice::from_ref(&half)).unwrap();
    let full = journal.keep(&[b"small".to_vec(), half.clone()]);
    assert!(matches!(full, Err(JournalError::Full { .. })), "{full:?}");
    assert_eq!(reopened(&path), vec![half]);
    assert!(journal.room() < SIZE / 2);
}
