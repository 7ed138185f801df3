//! An archive in a folder of its own, with its scribe at work or held.

use std::path::Path;
use std::thread::JoinHandle;

use tempfile::TempDir;
use wane_archive::{Archive, Scribe, Tape};
use wane_domain::ambient::Ambient;
use wane_domain::id::SessionId;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_recording::{Ending, Event, Header, Piece, Reader, SessionKey, Side};
use wane_testkit::FakeClock;

pub(crate) const BEGAN: Time = Time::from_micros(1_795_255_200_000_000);

pub(crate) fn after(millis: u64) -> Time {
    BEGAN.plus(Span::from_micros(millis * 1000))
}

pub(crate) fn key() -> SessionKey {
    SessionKey::new(&Secret::new(vec![7; 32])).unwrap()
}

pub(crate) fn header(seed: u64) -> Header {
    let ambient: Ambient = FakeClock::at(BEGAN).ambient(seed);
    Header {
        org: ambient.id(),
        session: ambient.id(),
        grant: ambient.id(),
        holder: ambient.id(),
        resource: ambient.id(),
        role: ambient.id(),
        kind: "ssh".parse().unwrap(),
        began: BEGAN,
    }
}

pub(crate) fn said(bytes: &[u8]) -> Event<'_> {
    Event::Data { channel: 0, from: Side::Target, bytes: bytes.into() }
}

/// The archive, and its scribe if that is at work.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) archive: Archive,
    scribe: Option<JoinHandle<()>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap())
    }

    pub(crate) fn over(folder: TempDir) -> Self {
        let (archive, scribe) = Archive::open(&place(folder.path())).unwrap();
        let mut bench = Self { folder, archive, scribe: None };
        bench.work(scribe);
        bench
    }

    /// An archive whose scribe does nothing until it is given to [`Bench::work`].
    pub(crate) fn held() -> (Self, Scribe) {
        let folder = tempfile::tempdir().unwrap();
        let (archive, scribe) = Archive::open(&place(folder.path())).unwrap();
        (Self { folder, archive, scribe: None }, scribe)
    }

    pub(crate) fn work(&mut self, scribe: Scribe) {
        self.scribe = Some(std::thread::spawn(|| scribe.run()));
    }

    pub(crate) async fn begin(&self, seed: u64) -> Tape {
        self.archive.begin(&header(seed), key()).await.unwrap()
    }

    /// Lets the scribe come to its end, and gives the folder back.
    pub(crate) fn stop(mut self) -> TempDir {
        self.archive.close();
        if let Some(scribe) = self.scribe.take() {
            scribe.join().unwrap();
        }
        self.folder
    }

    /// What is read of a session, as one text, and how it ends.
    pub(crate) fn read(&self, session: SessionId) -> (Vec<u8>, Ending) {
        let file = self.archive.folder().read(session).unwrap().unwrap();
        let mut reader = Reader::open(file, key()).unwrap();
        let mut all = Vec::new();
        loop {
            let piece = reader.next(|_, event| {
                if let Event::Data { bytes, .. } = event {
                    all.extend_from_slice(&bytes);
                }
            });
            match piece.unwrap() {
                Piece::Chunk => {}
                Piece::Damaged(damage) => assert_eq!(Some(damage), None, "damaged"),
                waiting @ Piece::Waiting => assert_ne!(waiting, Piece::Waiting, "nobody follows it"),
                Piece::End(ending) => return (all, ending),
            }
        }
    }
}

pub(crate) fn place(folder: &Path) -> std::path::PathBuf {
    folder.join("recordings")
}
