//! A recording as a stranger may have left it: what is read of it is what was recorded, in its order,
//! and what is seen without the key agrees with what is read with it.

use std::sync::LazyLock;

use wane_domain::canonical::Digest;
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_recording::{Ending, Event, Header, Piece, Press, Program, Reader, Recorder, SessionKey, Side, check};

use crate::access::{NOW, ambient};

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use super::MADE;

    pub(crate) fn recording() -> Vec<Vec<u8>> {
        let (whole, _) = &*MADE;
        vec![whole.clone(), whole[..whole.len() / 2].to_vec(), [whole.as_slice(), b"more"].concat()]
    }
}

/// What was recorded, chunk by chunk.
fn said() -> [Vec<Event<'static>>; 3] {
    let data = |text: &'static str| Event::Data { channel: 0, from: Side::Target, bytes: text.as_bytes().into() };
    [
        vec![Event::Started { channel: 0, program: Program::Command("uptime".into()) }, data("up 7 days\n")],
        vec![data("and more"), Event::Gap { channel: 0, bytes: 9, why: "opaque".into() }],
        vec![Event::Over { why: "its time is up".into() }],
    ]
}

fn key() -> SessionKey {
    SessionKey::new(&Secret::new(vec![5; 32])).unwrap()
}

/// A whole recording, and its root.
static MADE: LazyLock<(Vec<u8>, Digest)> = LazyLock::new(|| {
    let ambient = ambient();
    let header = Header {
        org: ambient.id(),
        session: ambient.id(),
        grant: ambient.id(),
        holder: ambient.id(),
        resource: ambient.id(),
        role: ambient.id(),
        kind: "ssh".parse().unwrap(),
        began: NOW,
    };
    let mut press = Press::new().unwrap();
    let (mut recorder, mut sealer, mut file) = Recorder::begin(&header, key()).unwrap();
    let [first, second, last] = said();
    for (n, events) in [first, second].iter().enumerate() {
        for event in events {
            recorder.event(NOW.plus(Span::from_secs(n as u64)), event).unwrap();
        }
        sealer.seal(&mut press, &recorder.take_away(), &mut file).unwrap();
    }
    for event in &last {
        recorder.event(NOW.plus(Span::from_secs(9)), event).unwrap();
    }
    let (root, _) = sealer.finish(&mut press, &recorder.take_away(), &mut file).unwrap();
    (file, root)
});

pub(crate) fn recording(data: &[u8]) {
    let (whole, root) = &*MADE;
    let (Ok(seen), Ok(mut reader)) = (check(data), Reader::open(data, key())) else {
        assert_ne!(data, whole.as_slice(), "a genuine recording was refused");
        return;
    };
    assert_eq!(seen.is_whole(root), data == whole.as_slice(), "whole is what was written, to the bit");
    let (mut read, mut chunks) = (Vec::new(), 0);
    let ending = loop {
        let mut events = Vec::new();
        match reader.next(|_, event| events.push(format!("{event:?}"))).unwrap() {
            Piece::Chunk => {
                chunks += 1;
                read.push(events);
            }
            Piece::Damaged(damage) => assert!(damage.from < damage.to && damage.to <= data.len() as u64, "{damage:?}"),
            waiting @ Piece::Waiting => assert_ne!(waiting, Piece::Waiting, "nobody follows it"),
            Piece::End(ending) => break ending,
        }
    };
    assert_eq!(ending, seen.ending);
    assert!(chunks <= seen.chunks, "more is read than stands there");
    if let Ending::Cut { at } = ending {
        assert!(at <= data.len() as u64);
    }
    // Only what was recorded is ever read, each chunk at its own place.
    let recorded = said().map(|events| events.iter().map(|event| format!("{event:?}")).collect::<Vec<_>>());
    let mut rest = recorded.iter();
    for events in &read {
        assert!(rest.any(|chunk| chunk == events), "{events:?} was never recorded there");
    }
}
