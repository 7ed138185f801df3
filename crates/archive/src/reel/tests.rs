//! How far a session may be ahead of the disk, turn by turn, by hand.

use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_recording::{Header, SessionKey, Side};
use wane_testkit::FakeClock;

use super::*;

pub(crate) const BEGAN: Time = Time::from_micros(1_795_255_200_000_000);
const PIECE: usize = 32 * 1024;

pub(crate) fn after(millis: u64) -> Time {
    BEGAN.plus(Span::from_micros(millis * 1000))
}

pub(crate) fn key() -> SessionKey {
    SessionKey::new(&Secret::new(vec![7; 32])).unwrap()
}

pub(crate) fn reel(queue: &Arc<Queue>, seed: u64) -> Arc<Reel> {
    let ambient: Ambient = FakeClock::at(BEGAN).ambient(seed);
    let header = Header {
        org: ambient.id(),
        session: ambient.id(),
        grant: ambient.id(),
        holder: ambient.id(),
        resource: ambient.id(),
        role: ambient.id(),
        kind: "ssh".parse().unwrap(),
        began: BEGAN,
    };
    let (recorder, sealer, head) = Recorder::begin(&header, key()).unwrap();
    Reel::new(header.session, recorder, sealer, head, queue)
}

/// Gives pieces until it is held back; how many bytes that was.
pub(crate) fn fill_with(reel: &Reel, now: Time, pieces: impl IntoIterator<Item = Vec<u8>>) -> usize {
    let mut given = 0;
    for piece in pieces {
        let event = Event::Data { channel: 0, from: Side::Target, bytes: (&piece[..]).into() };
        match reel.take(now, &event, piece.len()).unwrap() {
            Some(_) => given += piece.len(),
            None => break,
        }
    }
    given
}

fn fill(reel: &Reel, now: Time) -> usize {
    fill_with(reel, now, std::iter::repeat_with(|| vec![b'p'; PIECE]))
}

/// A turn of the scribe, between whose two halves something happens.
fn turn(reel: &Reel, meanwhile: impl FnOnce()) {
    let taken = reel.cut().unwrap();
    meanwhile();
    let pressed = reel.press(taken, &mut Press::new().unwrap(), &mut Vec::new()).unwrap();
    reel.settled(pressed);
}

#[test]
fn a_stream_has_a_window_that_grows_and_has_a_bound() {
    let reel = reel(&Queue::new(), 1);
    turn(&reel, || {});
    let mut windows = vec![fill(&reel, after(0))];
    assert!(windows[0] <= WINDOW, "at first it is as for anybody: {windows:?}");
    for n in 1..8 {
        turn(&reel, || {});
        windows.push(fill(&reel, after(n)));
    }
    assert!(windows.is_sorted(), "{windows:?}");
    assert!(windows.iter().all(|window| *window <= MOST_WINDOW), "{windows:?}");
    assert!(windows.last().is_some_and(|window| *window > MOST_WINDOW - 2 * WINDOW), "{windows:?}");
    // What is under way counts: while one turn is written no more than the rest of the window comes.
    turn(&reel, || assert_eq!(fill(&reel, after(8)), 0));
}

#[test]
fn the_window_shrinks_with_a_disk_that_takes_long_and_where_nothing_comes() {
    let reel = reel(&Queue::new(), 1);
    turn(&reel, || {});
    for n in 0..8 {
        fill(&reel, after(n));
        turn(&reel, || {});
    }
    let wide = fill(&reel, after(8));
    turn(&reel, || {});
    let late = fill(&reel, after(8 + 101));
    assert!(late <= wide / 2 + PIECE, "{late} after {wide}");
    turn(&reel, || {});
    let piece = [b'p'; PIECE];
    let event = Event::Data { channel: 0, from: Side::Target, bytes: (&piece[..]).into() };
    assert!(reel.take(after(110), &event, PIECE).unwrap().is_some());
    turn(&reel, || {});
    assert!(fill(&reel, after(111)) <= WINDOW, "it is no stream any more");
}

#[test]
fn all_streams_together_have_a_bound_and_nobody_has_less_than_a_window() {
    let queue = Queue::new();
    let reels: Vec<_> = (0..20).map(|n| reel(&queue, n)).collect();
    let mut all = 0;
    for reel in &reels {
        turn(reel, || {});
        let mut most = 0;
        for n in 0..8 {
            most = fill(reel, after(n));
            assert!(most > 0, "there is room for an ordinary window");
            turn(reel, || {});
        }
        all += most;
    }
    assert!(all <= 64 * 1024 * 1024 + reels.len() * WINDOW, "{all}");
    drop(reels);
    let mut next = Lent::nothing(&queue);
    next.become_near(usize::MAX);
    assert_eq!(next.bytes(), 64 * 1024 * 1024, "what they had is given back");
}

#[test]
fn nothing_passes_while_the_oldest_is_too_old_however_wide_the_window() {
    let reel = reel(&Queue::new(), 1);
    turn(&reel, || {});
    for n in 0..8 {
        fill(&reel, after(n));
        turn(&reel, || {});
    }
    let piece = [b'p'; PIECE];
    let event = Event::Data { channel: 0, from: Side::Target, bytes: (&piece[..]).into() };
    assert!(reel.take(after(10), &event, PIECE).unwrap().is_some());
    turn(&reel, || {
        assert!(reel.take(after(209), &event, PIECE).unwrap().is_some());
        assert!(reel.take(after(211), &event, PIECE).unwrap().is_none(), "what is being written is too old");
    });
    assert!(reel.take(after(409), &event, PIECE).unwrap().is_some());
    assert!(reel.take(after(410), &event, PIECE).unwrap().is_none(), "what waits to be written is too old");
}
