//! A folder that cannot be written, and a session that was there before.

use wane_archive::{Archive, ArchiveError, TapeError};

use crate::bench::{Bench, after, header, key, place, said};

#[tokio::test(flavor = "multi_thread")]
async fn no_recorder_no_session() {
    let bench = Bench::new();
    let kept = place(bench.folder.path());
    // Where the session's file belongs there is a folder.
    let session = header(1).session;
    std::fs::create_dir(kept.join(format!("{session}.wane-recording"))).unwrap();
    let refused = bench.archive.begin(&header(1), key()).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Tape(TapeError::Failed(_))), "{refused}");
    // The others go on.
    let tape = bench.begin(2).await;
    tape.event(after(1), &said(b"all is well")).await.unwrap();
    tape.finish(after(2), "done").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_recorded_twice() {
    let bench = Bench::new();
    let tape = bench.begin(1).await;
    tape.event(after(1), &said(b"the first")).await.unwrap();
    let session = tape.session();
    tape.finish(after(2), "done").await.unwrap();
    assert!(bench.archive.begin(&header(1), key()).await.is_err(), "its nonces would be used again");
    assert_eq!(bench.read(session).0, b"the first");
}

#[test]
fn a_folder_that_cannot_be_had_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken");
    std::fs::write(&file, "").unwrap();
    let refused = Archive::open(&file).unwrap_err().to_string();
    assert!(refused.contains("taken"), "{refused}");
}
