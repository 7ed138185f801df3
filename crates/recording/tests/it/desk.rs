//! A session to record, and a recording of it.

use std::borrow::Cow;

use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_recording::{Event, Header, Piece, Press, Program, Reader, Recorder, SessionKey, Side, Size};
use wane_testkit::FakeClock;

pub(crate) const BEGAN: Time = Time::from_micros(1_795_255_200_000_000);

pub(crate) fn header() -> Header {
    let ambient: Ambient = FakeClock::at(BEGAN).ambient(3);
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

pub(crate) fn key(byte: u8) -> SessionKey {
    SessionKey::new(&Secret::new(vec![byte; 32])).unwrap()
}

pub(crate) fn after(millis: u64) -> Time {
    BEGAN.plus(Span::from_micros(millis * 1000))
}

pub(crate) fn said(text: &str) -> Event<'_> {
    Event::Data { channel: 0, from: Side::Target, bytes: Cow::Borrowed(text.as_bytes()) }
}

pub(crate) fn opening() -> Vec<Event<'static>> {
    vec![
        Event::Opened { channel: 0, kind: "session".into(), about: "".into() },
        Event::Terminal { channel: 0, size: Size { columns: 100, rows: 30 }, name: "xterm-256color".into() },
        Event::Started { channel: 0, program: Program::Shell },
    ]
}

/// Records each list as one chunk, a millisecond apart; the last is the last chunk. A list in which nothing
/// happens makes no chunk. Whole file, where each frame begins, and the root.
pub(crate) fn record(chunks: &[Vec<Event<'_>>]) -> (Vec<u8>, Vec<usize>, Digest) {
    let mut press = Press::new().unwrap();
    let (mut recorder, mut sealer, mut file) = Recorder::begin(&header(), key(7)).unwrap();
    let (mut places, mut at) = (Vec::new(), 0);
    let (last, before) = chunks.split_last().unwrap();
    for events in before {
        for event in events {
            at += 1;
            recorder.event(after(at), event).unwrap();
        }
        let uncut = recorder.take_away();
        if !uncut.is_empty() {
            places.push(file.len());
        }
        sealer.seal(&mut press, &uncut, &mut file).unwrap();
    }
    for event in last {
        at += 1;
        recorder.event(after(at), event).unwrap();
    }
    places.push(file.len());
    let (root, count) = sealer.finish(&mut press, &recorder.take_away(), &mut file).unwrap();
    assert_eq!(count, places.len() as u64);
    (file, places, root)
}

/// Everything that can be read, in order, and what was met on the way.
pub(crate) fn read(file: &[u8], key: SessionKey) -> (Vec<(Time, String)>, Vec<Piece>) {
    let mut reader = Reader::open(file, key).unwrap();
    let (mut events, mut pieces) = (Vec::new(), Vec::new());
    loop {
        let piece = reader.next(|at, event| events.push((at, format!("{event:?}")))).unwrap();
        pieces.push(piece.clone());
        if matches!(piece, Piece::End(_)) {
            return (events, pieces);
        }
    }
}
