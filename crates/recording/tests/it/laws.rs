//! Whatever is recorded is read, in order, with its times, and nothing grows beyond its bound.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;
use wane_recording::{Event, MOST_EVENTS, MOST_FRAME, Press, RecordError, Recorder, Side, check};

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
    let (mut recorder, mut file) = Recorder::begin(&header(), key(7)).unwrap();
    for millis in [5, 9, 7, 12] {
        recorder.event(after(millis), &said("x")).unwrap();
    }
    file.extend(recorder.finish(&mut press).unwrap().0);
    let (events, _) = read(&file, key(7));
    let times: Vec<_> = events.into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [after(5), after(9), after(9), after(12)]);
}

#[test]
fn what_does_not_fit_is_refused_whole_and_fits_after_a_cut() {
    let mut press = Press::new().unwrap();
    let (mut recorder, mut file) = Recorder::begin(&header(), key(7)).unwrap();
    let much = vec![b'm'; MOST_EVENTS * 3 / 4];
    recorder.event(after(1), &data(&much)).unwrap();
    let (full, pending) = (recorder.event(after(2), &data(&much)), recorder.pending());
    assert!(matches!(full, Err(RecordError::Full)), "{full:?}");
    assert!(pending >= much.len() && pending < much.len() + 1024, "nothing of it is taken: {pending}");
    file.extend(recorder.cut(&mut press).unwrap().unwrap());
    recorder.event(after(3), &data(&much)).unwrap();
    assert!(recorder.cut(&mut press).unwrap().is_some());
    assert_eq!(recorder.cut(&mut press).unwrap(), None, "nothing happened");
}

#[test]
fn a_frame_has_its_bound_whatever_is_in_it() {
    let mut press = Press::new().unwrap();
    let (mut recorder, _) = Recorder::begin(&header(), key(7)).unwrap();
    // Noise that nothing compresses.
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..MOST_EVENTS)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    let mut taken = 0;
    for piece in noise.chunks(1000) {
        if recorder.event(after(1), &data(piece)).is_ok() {
            taken += piece.len();
        }
    }
    assert!(taken > MOST_EVENTS * 9 / 10, "{taken}");
    let frame = recorder.cut(&mut press).unwrap().unwrap();
    assert!(frame.len() > taken && frame.len() <= MOST_FRAME, "{}", frame.len());
}

#[test]
fn much_of_the_same_takes_little() {
    let mut press = Press::new().unwrap();
    let (mut recorder, _) = Recorder::begin(&header(), key(7)).unwrap();
    let zeros = vec![0; 64 * 1024];
    let (mut given, mut written) = (0, 0);
    for n in 0..64 {
        recorder.event(after(n), &data(&zeros)).unwrap();
        given += zeros.len();
        written += recorder.cut(&mut press).unwrap().unwrap().len();
    }
    assert!(written * 100 < given * 15, "{written} bytes for {given}");
}
