//! The process dies, the machine loses what was not synced: what was settled is there.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use wane_domain::id::SessionId;
use wane_recording::Ending;
use wane_runtime::JournalFile;
use wane_testkit::eventually;

use crate::bench::{Bench, after, place, said};

const SOON: Duration = Duration::from_secs(30);

fn path(folder: &std::path::Path, session: SessionId) -> std::path::PathBuf {
    place(folder).join(format!("{session}.wane-recording"))
}

/// Bytes that nothing compresses.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let byte = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(byte).collect()
}

/// Pieces of it, none of which a chunk holds twice.
fn pieces(many: usize) -> impl Iterator<Item = Vec<u8>> {
    const PIECE: usize = 32 * 1024;
    let noise = noise(1, 16 * PIECE);
    (0..many).map(move |n| noise.chunks(PIECE).nth(n % 16).unwrap_or_default().to_vec())
}

/// The worst that a crash may leave: of the session's own file everything is gone that the journals have, and
/// behind what was settled stands something else. Tells how much of it the journals have.
fn ruin(folder: &std::path::Path, session: SessionId, tail: &[u8]) -> u64 {
    let path = path(folder, session);
    let settled = std::fs::metadata(&path).unwrap().len();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let mut gone = 0;
    for name in ["journal-a", "journal-b"] {
        let (_, entries) = JournalFile::open(&place(folder).join(name), 16 * 1024 * 1024).unwrap();
        // The session as text, where its bytes go, and they.
        for entry in entries.iter().filter(|entry| entry.starts_with(session.to_string().as_bytes())) {
            let (at, bytes) = entry.get(30..).unwrap_or_default().split_first_chunk().unwrap();
            file.write_all_at(&vec![0xff; bytes.len()], u64::from_be_bytes(*at)).unwrap();
            gone += bytes.len() as u64;
        }
    }
    file.write_all_at(tail, settled).unwrap();
    gone
}

/// Whether this process holds the file.
fn is_open(file: &std::path::Path) -> bool {
    let held = std::fs::read_dir("/proc/self/fd").unwrap();
    held.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok()).any(|to| to == file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_anywhere_loses_nothing_that_was_settled() {
    // What the session's own file may look like: as written, not there, cut short, with a tail of zeros.
    for (what, lost) in
        [("kept", None), ("not there", Some(-1_i64)), ("cut short", Some(40)), ("longer", Some(100_000))]
    {
        let bench = Bench::new();
        let tape = bench.begin(1).await;
        let session = tape.session();
        for n in 0..10_u64 {
            tape.event(after(n), &said(format!("{n};").as_bytes())).await.unwrap();
            tape.settle().await.unwrap();
        }
        // The scribe stops as if killed: nothing is finished or closed.
        let folder = bench.stop();
        std::mem::forget(tape);
        let file = path(folder.path(), session);
        match lost {
            None => {}
            Some(-1) => std::fs::remove_file(&file).unwrap(),
            Some(length) => {
                OpenOptions::new().write(true).open(&file).unwrap().set_len(length.unsigned_abs()).unwrap();
            }
        }
        let again = Bench::over(folder);
        let (text, ending) = again.read(session);
        assert_eq!(String::from_utf8(text).unwrap(), "0;1;2;3;4;5;6;7;8;9;", "{what}");
        assert!(matches!(ending, Ending::Cut { .. }), "{what}: it was not finished");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_to_a_file_alone_is_there_after_a_crash_and_nothing_else() {
    // What may stand behind it: nothing, a place that was made longer, something torn.
    for tail in [vec![], vec![0; 100_000], noise(9, 5_000)] {
        let bench = Bench::new();
        let tape = bench.begin(1).await;
        let session = tape.session();
        for (n, piece) in (0..).zip(pieces(400)) {
            tape.event(after(n / 50), &said(&piece)).await.unwrap();
        }
        tape.settle().await.unwrap();
        let folder = bench.stop();
        std::mem::forget(tape);
        let written = std::fs::metadata(path(folder.path(), session)).unwrap().len();
        let through = ruin(folder.path(), session, &tail);
        assert!(through > 0 && through < written / 2, "of {written} bytes {through} went through the journals");
        let again = Bench::over(folder);
        let (text, ending) = again.read(session);
        assert!(text == pieces(400).collect::<Vec<_>>().concat(), "{} bytes", text.len());
        assert_eq!(ending, Ending::Cut { at: written });
    }
}

/// What is done to one of two sessions: so many bytes are said, and perhaps waited for.
#[derive(Clone, Debug)]
struct Saying {
    who: usize,
    bytes: usize,
    settles: bool,
}

fn saying() -> impl Strategy<Value = Saying> {
    let bytes = prop_oneof![1_usize..2_000, 1_usize..200_000, 1_usize..1_500_000];
    (0_usize..2, bytes, any::<bool>()).prop_map(|(who, bytes, settles)| Saying { who, bytes, settles })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn whatever_was_settled_is_there_after_the_worst_crash(sayings in vec(saying(), 1..12), tail in vec(any::<u8>(), 0..400)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let tapes = [bench.begin(1).await, bench.begin(2).await];
            let mut said_by = [Vec::new(), Vec::new()];
            for (n, Saying { who, bytes, settles }) in sayings.into_iter().enumerate() {
                let all = noise(n as u64, bytes);
                for piece in all.chunks(32 * 1024) {
                    tapes[who].event(after(n as u64), &said(piece)).await.unwrap();
                }
                said_by[who].extend(all);
                if settles {
                    tapes[who].settle().await.unwrap();
                }
            }
            for tape in &tapes {
                tape.settle().await.unwrap();
            }
            let sessions = tapes.each_ref().map(wane_archive::Tape::session);
            let folder = bench.stop();
            std::mem::forget(tapes);
            for session in sessions {
                ruin(folder.path(), session, &tail);
            }
            let again = Bench::over(folder);
            for (session, expected) in sessions.into_iter().zip(said_by) {
                let (text, ending) = again.read(session);
                assert!(text == expected, "{} bytes of {}", text.len(), expected.len());
                assert!(matches!(ending, Ending::Cut { .. }), "{ending:?}");
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_was_removed_does_not_come_back_in_part() {
    let bench = Bench::new();
    let (gone, loud) = (bench.begin(1).await, bench.begin(2).await);
    let session = gone.session();
    // So much that the journals do not have its beginning any more, and something that they have.
    for (n, piece) in (0..).zip(pieces(1_100)) {
        loud.event(after(n), &said(&piece)).await.unwrap();
        if n % 4 == 3 {
            loud.settle().await.unwrap();
        }
    }
    gone.event(after(1_100), &said(b"the end")).await.unwrap();
    gone.finish(after(1_101), "done").await.unwrap();
    bench.archive.folder().remove(session).unwrap();
    let again = Bench::over(bench.stop());
    assert!(again.archive.folder().read(session).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_recording_outlives_the_journals() {
    let bench = Bench::new();
    let tape = bench.begin(1).await;
    let session = tape.session();
    tape.event(after(1), &said(b"all of it")).await.unwrap();
    tape.finish(after(2), "done").await.unwrap();
    let folder = bench.stop();
    for name in ["journal-a", "journal-b"] {
        std::fs::remove_file(place(folder.path()).join(name)).unwrap();
    }
    let again = Bench::over(folder);
    assert_eq!(again.read(session), (b"all of it".to_vec(), Ending::Whole));
}

#[tokio::test(flavor = "multi_thread")]
async fn journals_take_turns_and_forget_only_what_is_synced() {
    let bench = Bench::new();
    let quiet = bench.begin(1).await;
    quiet.event(after(1), &said(b"said once")).await.unwrap();
    quiet.settle().await.unwrap();
    let loud = bench.begin(2).await;
    // Bytes that do not get smaller, in turns that are no stream: more than both journals hold.
    for (n, piece) in (0..).zip(pieces(1_100)) {
        loud.event(after(n), &said(&piece)).await.unwrap();
        if n % 4 == 3 {
            loud.settle().await.unwrap();
        }
    }
    let (quiet_one, loud_one) = (quiet.session(), loud.session());
    let folder = bench.stop();
    std::mem::forget((quiet, loud));
    let again = Bench::over(folder);
    assert_eq!(again.read(quiet_one).0, b"said once");
    assert!(again.read(loud_one).0 == pieces(1_100).collect::<Vec<_>>().concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tape_that_is_let_go_keeps_what_it_has() {
    let bench = Bench::new();
    let tape = bench.begin(1).await;
    let session = tape.session();
    tape.event(after(1), &said(b"and then it was gone")).await.unwrap();
    tape.settle().await.unwrap();
    let file = path(bench.folder.path(), session);
    assert!(is_open(&file));
    drop(tape);
    eventually("the file is let go", SOON, async || !is_open(&file)).await.unwrap();
    let folder = bench.stop();
    let again = Bench::over(folder);
    let (text, ending) = again.read(session);
    assert_eq!(text, b"and then it was gone");
    assert!(matches!(ending, Ending::Cut { .. }), "{ending:?}");
}
