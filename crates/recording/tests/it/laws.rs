//! Whatever is recorded is read, in order, with its times, and nothing grows beyond its bound.

use std::borrow::Cow;
use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;
use wane_recording::{
    Event, MOST_EVENTS, MOST_FRAME, Piece, Press, Reader, RecordError, Recorder, Side, check, holds_until,
};

use crate::desk::{after, header, key, read, record, said};

fn data(bytes: &[u8]) -> Event<'_> {
    Event::Data { channel: 1, from: Side::Client, bytes: Cow::Borrowed(bytes) }
}

fn event() -> impl Strategy<Value = Event<'static>> {
    let text = ".{0,40}";
    prop_oneof![
        vec(any::<u8>(), 0..200).prop_map(|bytes| Event::Data {
            channel: 0,
            from: Side::Target,
            bytes: Cow::Owned(bytes)
        }),
        (text, text).prop_map(|(name, value)| Event::Environment {
            channel: 2,
            name: name.into(),
            value: value.into()
        }),
        text.prop_map(|why| Event::Gap { channel: 3, bytes: u64::MAX, why: why.into() }),
        (any::<Option<u32>>(), text).prop_map(|(channel, what)| Event::Refused { channel, what: what.into() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_recorded_is_read(chunks in vec(vec(event(), 1..8), 1..8)) {
        let (file, _, root) = record(&chunks);
        prop_assert!(check(file.as_slice()).unwrap().is_whole(&root));
        let (events, _) = read(&file, key(7));
        // Data without bytes says nothing, and is not kept.
        let empty = |event: &&Event<'_>| !matches!(event, Event::Data { bytes, .. } if bytes.is_empty());
        let expected: Vec<_> = chunks.iter().flatten().filter(empty).map(|event| format!("{event:?}")).collect();
        prop_assert_eq!(events.into_iter().map(|(_, event)| event).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn however_much_comes_at_once_it_is_read_in_order(
        sizes in vec(0_usize..3 * 64 * 1024, 1..40), every in 1_usize..12,
    ) {
        let mut press = Press::new().unwrap();
        let (mut recorder, mut sealer, mut file) = Recorder::begin(&header(), key(7)).unwrap();
        let mut expected = Vec::new();
        for (n, size) in sizes.iter().enumerate() {
            let bytes = vec![n as u8; *size];
            recorder.event(after(n as u64), &data(&bytes)).unwrap();
            expected.extend(bytes);
            if n % every == 0 {
                let uncut = recorder.take_away();
                sealer.seal(&mut press, &uncut, &mut file).unwrap();
                recorder.give_back(uncut);
            }
        }
        let (root, _) = sealer.finish(&mut press, &recorder.take_away(), &mut file).unwrap();
        prop_assert!(check(file.as_slice()).unwrap().is_whole(&root));
        let (mut reader, mut all) = (Reader::open(file.as_slice(), key(7)).unwrap(), Vec::new());
        let mut each = |_, event: Event<'_>| if let Event::Data { bytes, .. } = event { all.extend_from_slice(&bytes) };
        while reader.next(&mut each).unwrap() == Piece::Chunk {}
        prop_assert!(all == expected);
    }

    #[test]
    fn what_holds_is_found_from_wherever_is_known(known in 0_usize..5, cut in 0_usize..2000, tail in vec(any::<u8>(), 0..600)) {
        let chunks: Vec<_> = ["one", "two", "three", "four"].map(|text| vec![said(text)]).into();
        let (file, mut places, _) = record(&chunks);
        places.push(file.len());
        let known = places[known];
        let mut bytes = file[..known.max(cut.min(file.len()))].to_vec();
        bytes.extend(&tail);
        let found = holds_until(Cursor::new(&bytes), known as u64).unwrap();
        // Behind the last chunk that is there in full anything may stand.
        let as_written = |place: &usize| bytes.get(..*place).is_some_and(|there| there == &file[..*place]);
        let expected = places.iter().copied().filter(as_written).max().unwrap();
        prop_assert_eq!(found, expected as u64);
    }

    #[test]
    fn no_bytes_make_a_reader_fail(mut tail in vec(any::<u8>(), 0..600), cut in 0_usize..400) {
        let (file, _, _) = record(&[vec![said("one")], vec![said("two")]]);
        let mut bytes = file[..cut.min(file.len())].to_vec();
        bytes.append(&mut tail);
        if let Ok(seen) = check(bytes.as_slice()) {
            let ends: Vec<_> = seen.damage.iter().map(|damage| damage.to).collect();
            prop_assert!(ends.iter().all(|to| *to <= bytes.len() as u64));
        }
    }
}

#[test]
fn a_list_in_which_nothing_happens_makes_no_chunk() {
    let (file, places, root) = record(&[vec![said("one")], vec![said("")], vec![said("two")]]);
    assert_eq!(places.len(), 2);
    assert!(check(file.as_slice()).unwrap().is_whole(&root));
    assert_eq!(read(&file, key(7)).0.len(), 2);
}

#[test]
fn times_are_kept_to_the_microsecond_and_never_go_back() {
    let mut press = Press::new().unwrap();
    let (mut recorder, sealer, mut file) = Recorder::begin(&header(), key(7)).unwrap();
    for millis in [5, 9, 7, 12] {
        recorder.event(after(millis), &said("x")).unwrap();
    }
    sealer.finish(&mut press, &recorder.take_away(), &mut file).unwrap();
    let (events, _) = read(&file, key(7));
    let times: Vec<_> = events.into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [after(5), after(9), after(9), after(12)]);
}

#[test]
fn what_does_not_fit_is_refused_whole_and_fits_once_some_is_taken_away() {
    let mut press = Press::new().unwrap();
    let (mut recorder, mut sealer, mut file) = Recorder::begin(&header(), key(7)).unwrap();
    let much = vec![b'm'; 3 * MOST_EVENTS / 4];
    let mut taken = 0;
    let full = loop {
        match recorder.event(after(1), &data(&much)) {
            Ok(()) => taken += 1,
            Err(full) => break full,
        }
    };
    assert!(matches!(full, RecordError::Full), "{full:?}");
    let pending = recorder.pending();
    assert!(pending >= taken * much.len() && pending < (taken + 1) * much.len(), "nothing of it is taken: {pending}");
    // One that no chunk holds leaves no trace either, wherever it comes.
    let long = Event::Gap { channel: 1, bytes: 1, why: "w".repeat(MOST_EVENTS).into() };
    let uncut = recorder.take_away();
    sealer.seal(&mut press, &uncut, &mut file).unwrap();
    recorder.event(after(2), &said("before")).unwrap();
    assert!(matches!(recorder.event(after(3), &long), Err(RecordError::Full)));
    recorder.event(after(4), &said("behind")).unwrap();
    sealer.finish(&mut press, &recorder.take_away(), &mut file).unwrap();
    assert!(recorder.take_away().is_empty(), "nothing happened");
    let (events, _) = read(&file, key(7));
    let pieces = much.len().div_ceil(32 * 1024);
    assert_eq!(events.len(), taken * pieces + 2);
    assert!(events[taken * pieces].1.contains(&format!("{:?}", b"before")), "{}", events[taken * pieces].1);
}

/// Bytes that nothing compresses.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let byte = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(byte).collect()
}

#[test]
fn a_frame_has_its_bound_whatever_is_in_it() {
    let mut press = Press::new().unwrap();
    let (mut recorder, mut sealer, mut file) = Recorder::begin(&header(), key(7)).unwrap();
    let head = file.len();
    for piece in noise(MOST_EVENTS - 4096).chunks(1000) {
        recorder.event(after(1), &data(piece)).unwrap();
    }
    let uncut = recorder.take_away();
    sealer.seal(&mut press, &uncut, &mut file).unwrap();
    assert_eq!(sealer.chunks(), 1);
    let frame = file.len() - head;
    assert!(uncut.size() > MOST_EVENTS * 9 / 10, "{}", uncut.size());
    assert!(frame > uncut.size() && frame <= MOST_FRAME, "{frame}");
}

#[test]
fn buffers_are_kept_while_much_comes_and_given_back_then() {
    let (mut recorder, ..) = Recorder::begin(&header(), key(7)).unwrap();
    let much = vec![b'm'; MOST_EVENTS];
    for _ in 0..4 {
        recorder.event(after(1), &data(&much)).unwrap();
    }
    let uncut = recorder.take_away();
    recorder.event(after(2), &data(&much)).unwrap();
    recorder.give_back(uncut);
    assert!(recorder.held() > 4 * MOST_EVENTS, "{}", recorder.held());
    let uncut = recorder.take_away();
    recorder.give_back(uncut);
    recorder.rest();
    assert_eq!(recorder.held(), 0);
}

#[test]
fn much_of_the_same_takes_little() {
    let mut press = Press::new().unwrap();
    let (mut recorder, mut sealer, _) = Recorder::begin(&header(), key(7)).unwrap();
    let zeros = vec![0; 64 * 1024];
    let (mut given, mut written) = (0, Vec::new());
    for n in 0..64 {
        recorder.event(after(n), &data(&zeros)).unwrap();
        given += zeros.len();
        sealer.seal(&mut press, &recorder.take_away(), &mut written).unwrap();
    }
    assert!(written.len() * 100 < given * 15, "{} bytes for {given}", written.len());
}
