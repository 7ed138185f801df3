//! The scribe's turns, by hand, over journals that are soon full.

use wane_recording::{Ending, Event, Piece, Reader};

use super::*;
use crate::reel::tests::{after, fill_with, key, reel};

const SMALL: u64 = 1024 * 1024;
const PIECE: usize = 30 * 1024;

/// Bytes that nothing compresses, for ever.
struct Noise(u64);

impl Iterator for Noise {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let byte = |_| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 56) as u8
        };
        Some((0..PIECE).map(byte).collect())
    }
}

/// What can be read of it, and how it ends.
fn read(folder: &Folder, session: SessionId) -> (Vec<u8>, Ending) {
    let mut reader = Reader::open(folder.read(session).unwrap().unwrap(), key()).unwrap();
    let mut all = Vec::new();
    loop {
        let piece = reader.next(|_, event| {
            if let Event::Data { bytes, .. } = event {
                all.extend_from_slice(&bytes);
            }
        });
        match piece.unwrap() {
            Piece::Chunk => {}
            Piece::End(ending) => return (all, ending),
            other @ (Piece::Damaged(_) | Piece::Waiting) => panic!("{other:?} after {} bytes", all.len()),
        }
    }
}

/// Others fill the journals while a stream goes to its file alone: each of them knows of it all the same.
#[test]
fn the_journal_knows_of_every_file_that_is_written_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, mut scribe) = Archive::over(dir.path(), SMALL).unwrap();
    let (stream, other) = (reel(&archive.queue, 1), reel(&archive.queue, 2));
    let (mut of_stream, mut of_other, mut wanted) = (Noise(1), Noise(2), Vec::new());
    let mut streams = |scribe: &mut Scribe, now| {
        let mut given = Vec::new();
        fill_with(&stream, after(now), of_stream.by_ref().inspect(|piece| given.push(piece.clone())));
        // The last was held back.
        given.pop();
        wanted.extend(given.concat());
        scribe.much.push_back(Arc::clone(&stream));
        scribe.turn();
        stream.reached(stream.given()).unwrap()
    };
    scribe.little.extend([Arc::clone(&stream), Arc::clone(&other)]);
    scribe.turn();
    // Until so much comes at once that it does not go through a journal.
    for now in 0..3 {
        assert!(streams(&mut scribe, now));
    }
    for now in 3..5 {
        // Until the other journal is the one that is written.
        let mut turned = false;
        while !turned {
            let room = scribe.now.file.room();
            fill_with(&other, after(now), of_other.by_ref().take(1));
            scribe.little.push_back(Arc::clone(&other));
            scribe.turn();
            turned = scribe.now.file.room() > room;
        }
        assert!(!scribe.now.open.contains_key(&stream.session), "nothing of it is in there yet");
        let room = scribe.now.file.room();
        assert!(streams(&mut scribe, now));
        assert!(room - scribe.now.file.room() < 1024, "it did not go to its file alone");
    }
    drop((scribe, archive));
    // The machine went down in the middle of the next turn.
    let path = dir.path().join(format!("{}.wane-recording", stream.session));
    let settled = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0; 10_000], settled).unwrap();
    let (archive, _) = Archive::over(dir.path(), SMALL).unwrap();
    let (text, ending) = read(&archive.folder, stream.session);
    assert!(text == wanted, "{} of {} bytes", text.len(), wanted.len());
    assert_eq!(ending, Ending::Cut { at: settled });
}
