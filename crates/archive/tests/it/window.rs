//! What passed is on disk, but for one window.

use std::time::Duration;

use wane_archive::{MOST_WINDOW, TapeError, WINDOW};
use wane_recording::{Ending, Event, Piece};

use crate::bench::{Bench, after, header, key, said};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_recorded_from_its_first_byte_to_its_last() {
    let bench = Bench::new();
    let tape = bench.begin(1).await;
    let session = tape.session();
    // The header is there before anything passed.
    assert_eq!(bench.read(session).0, b"");
    for n in 0..100_u64 {
        tape.event(after(n), &said(format!("line {n}\n").as_bytes())).await.unwrap();
    }
    let sealed = tape.finish(after(100), "the end").await.unwrap();
    let (text, ending) = bench.read(session);
    assert_eq!(ending, Ending::Whole);
    assert_eq!(String::from_utf8(text).unwrap(), (0..100).map(|n| format!("line {n}\n")).collect::<String>());
    let seen = wane_recording::check(bench.archive.folder().read(session).unwrap().unwrap()).unwrap();
    assert!(seen.is_whole(&sealed.root));
    assert_eq!(seen.chunks, sealed.chunks);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passed_is_on_disk_but_for_one_window() {
    let bench = Bench::new();
    let tape = bench.begin(1).await;
    let session = tape.session();
    let piece = vec![b'p'; 8 * 1024];
    // However often: what is no stream has an ordinary window.
    for n in 0..20_u64 {
        tape.event(after(n), &said(&piece)).await.unwrap();
        tape.settle().await.unwrap();
    }
    assert_eq!(bench.read(session).0.len(), 20 * piece.len(), "what was settled is on disk");
    let folder = bench.stop();
    let mut more = 0;
    while tape.event(after(21), &said(&piece)).await.is_ok() {
        more += piece.len();
    }
    assert!(more <= WINDOW, "{more} passed and are not on disk");
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passed_of_a_stream_is_on_disk_but_for_the_widest_window() {
    let bench = Bench::new();
    let tape = bench.begin(1).await;
    let session = tape.session();
    let piece = vec![b'p'; 32 * 1024];
    let file = bench.archive.folder().read(session).unwrap().unwrap();
    let mut reader = wane_recording::Reader::open(file, key()).unwrap();
    reader.follow(true);
    let (mut passed, mut on_disk) = (0, 0);
    for n in 0..1_500_u64 {
        tape.event(after(n / 50), &said(&piece)).await.unwrap();
        passed += piece.len();
        let mut each = |_, event: Event<'_>| {
            if let Event::Data { bytes, .. } = event {
                on_disk += bytes.len();
            }
        };
        while reader.next(&mut each).unwrap() == Piece::Chunk {}
        assert!(passed - on_disk <= MOST_WINDOW, "{on_disk} of {passed}");
    }
    tape.settle().await.unwrap();
    assert_eq!(bench.read(session).0.len(), passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_lets_nothing_more_pass() {
    let (mut bench, scribe) = Bench::held();
    // Nothing is written: not even a beginning.
    assert!(bench.archive.begin(&header(1), key()).await.is_err());
    bench.work(scribe);
    let tape = bench.begin(2).await;
    let folder = bench.stop();

    // The scribe is gone: little is taken for a moment, and then nothing any more.
    tape.event(after(0), &said(b"one")).await.unwrap();
    tape.event(after(199), &said(b"two")).await.unwrap();
    let late = tape.event(after(201), &said(b"three")).await;
    assert_eq!(late, Err(TapeError::Stopped), "older than the window");
    assert_eq!(tape.event(after(0), &said(b"four")).await, Err(TapeError::Stopped), "failed is failed");
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_goes_on_with_the_disk() {
    let bench = Bench::new();
    let tape = bench.begin(1).await;
    let piece = vec![b'x'; WINDOW];
    for n in 0..64 {
        tokio::time::timeout(SOON, tape.event(after(n), &said(&piece))).await.unwrap().unwrap();
    }
    tokio::time::timeout(SOON, tape.finish(after(65), "enough")).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_share_the_disk() {
    let bench = std::sync::Arc::new(Bench::new());
    let mut running = tokio::task::JoinSet::new();
    for seed in 0..50 {
        let bench = std::sync::Arc::clone(&bench);
        running.spawn(async move {
            let tape = bench.begin(seed).await;
            let session = tape.session();
            for n in 0..20 {
                tape.event(after(n), &said(format!("{seed}:{n};").as_bytes())).await.unwrap();
                tokio::task::yield_now().await;
            }
            tape.finish(after(20), "done").await.unwrap();
            (seed, session)
        });
    }
    while let Some(done) = running.join_next().await {
        let (seed, session) = done.unwrap();
        let (text, ending) = bench.read(session);
        assert_eq!(ending, Ending::Whole);
        assert_eq!(String::from_utf8(text).unwrap(), (0..20).map(|n| format!("{seed}:{n};")).collect::<String>());
    }
}
