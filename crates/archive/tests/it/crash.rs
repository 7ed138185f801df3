//! The process dies, the machine loses what was not synced: what was settled is there.

use std::fs::OpenOptions;
use std::time::Duration;

use wane_domain::id::SessionId;
use wane_recording::Ending;
use wane_testkit::eventually;

use crate::bench::{Bench, after, place, said};

const SOON: Duration = Duration::from_secs(30);

fn path(folder: &std::path::Path, session: SessionId) -> std::path::PathBuf {
    place(folder).join(format!("{session}.wane-recording"))
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
    // Noise that does not get smaller: more than both journals hold.
    const MANY: u64 = 1_100;
    let mut state = 1_u64;
    let mut noise = vec![0_u8; 32 * 1024];
    for n in 0..MANY {
        for byte in &mut noise {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        loud.event(after(n), &said(&noise)).await.unwrap();
    }
    loud.settle().await.unwrap();
    let (quiet_one, loud_one) = (quiet.session(), loud.session());
    let folder = bench.stop();
    std::mem::forget((quiet, loud));
    let again = Bench::over(folder);
    assert_eq!(again.read(quiet_one).0, b"said once");
    assert_eq!(again.read(loud_one).0.len(), MANY as usize * noise.len());
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
