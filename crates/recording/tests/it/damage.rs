//! Nothing can be changed, left out, put in, exchanged or cut off without being seen, with or without
//! the key, and what is damaged is named by where it lies.

use sha2::{Digest as _, Sha256};
use wane_recording::{Damage, Ending, Piece, ReadError, Reader, check};

use crate::desk::{key, read, record, said};

fn three() -> (Vec<u8>, Vec<usize>, wane_domain::canonical::Digest) {
    record(&[vec![said("one")], vec![said("two")], vec![said("three")]])
}

/// The bytes of frame `n`.
fn span(places: &[usize], n: usize, file: &[u8]) -> (usize, usize) {
    let end = places.get(n + 1).copied().unwrap_or(file.len());
    (places.get(n).copied().unwrap(), end)
}

fn place(places: &[usize], n: usize, file: &[u8]) -> Damage {
    let (from, to) = span(places, n, file);
    Damage { from: from as u64, to: to as u64 }
}

/// What somebody makes who has no key and can write: head and frames put together with links of their
/// own making, so that the chain holds.
fn forge(head: &[u8], frames: &[Vec<u8>]) -> Vec<u8> {
    let (mut file, mut link) = (head.to_vec(), Sha256::digest(head).to_vec());
    for frame in frames {
        let body = frame.split_last_chunk::<32>().unwrap().0;
        link = Sha256::new().chain_update(&link).chain_update(body).finalize().to_vec();
        file.extend_from_slice(body);
        file.extend_from_slice(&link);
    }
    file
}

#[test]
fn what_is_whole_is_seen_to_be() {
    let (file, _, root) = three();
    let seen = check(file.as_slice()).unwrap();
    assert!(seen.is_whole(&root), "{seen:?}");
    assert_eq!(seen.chunks, 3);
    let (events, pieces) = read(&file, key(7));
    assert_eq!(events.len(), 3);
    assert_eq!(pieces.last(), Some(&Piece::End(Ending::Whole)));
}

#[test]
fn every_changed_byte_is_noticed_without_the_key_and_named() {
    let (file, places, root) = three();
    for at in 0..file.len() {
        let mut bad = file.clone();
        bad[at] ^= 1;
        // A header that is no header any more is no recording.
        let Ok(seen) = check(bad.as_slice()) else {
            assert!(at < places[0], "byte {at}");
            continue;
        };
        assert!(!seen.is_whole(&root), "byte {at}");
        if at < places[0] {
            continue;
        }
        let named = seen.damage.iter().any(|damage| (damage.from..damage.to).contains(&(at as u64)));
        // A length that says more than there is reads as a recording that was cut off there.
        let cut = matches!(seen.ending, Ending::Cut { at: cut } if cut <= at as u64);
        assert!(named || cut, "byte {at}: {seen:?}");
    }
}

#[test]
fn what_lies_behind_a_damaged_chunk_is_read() {
    let (mut file, places, _) = three();
    let at = places[1] + 7;
    file[at] ^= 0x40;
    let (events, pieces) = read(&file, key(7));
    let text: Vec<_> = events.iter().map(|(_, event)| event.clone()).collect();
    assert_eq!(events.len(), 2, "{text:?}");
    let damaged = Piece::Damaged(place(&places, 1, &file));
    assert_eq!(pieces, [Piece::Chunk, damaged, Piece::Chunk, Piece::End(Ending::Whole)]);
}

#[test]
fn chunks_cannot_be_exchanged_left_out_or_repeated() {
    let (file, places, root) = three();
    let (head, one) = (&file[..places[0]], &file[places[0]..places[1]]);
    let (two, last) = (&file[places[1]..places[2]], &file[places[2]..]);
    for (what, parts) in [
        ("exchanged", [head, two, one, last].concat()),
        ("left out", [head, one, last].concat()),
        ("repeated", [head, one, one, two, last].concat()),
        ("more behind the last", [head, one, two, last, last].concat()),
        ("only the last", [head, last].concat()),
    ] {
        assert!(!check(parts.as_slice()).unwrap().is_whole(&root), "{what}");
        let (_, pieces) = read(&parts, key(7));
        assert!(pieces.iter().any(|piece| matches!(piece, Piece::Damaged(_))), "{what}: {pieces:?}");
    }
}

#[test]
fn who_has_no_key_forges_nothing() {
    let (file, places, root) = three();
    let head = &file[..places[0]];
    let frames: Vec<Vec<u8>> = (0..3).map(|n| span(&places, n, &file)).map(|(a, b)| file[a..b].to_vec()).collect();
    assert_eq!(forge(head, &frames), file, "the forger's tools are good");
    let ended = |frame: &[u8]| [&[1], &frame[1..]].concat();
    let elsewhere = String::from_utf8_lossy(head).replace("\"kind\":\"ssh\"", "\"kind\":\"web\"").into_bytes();
    assert_ne!(elsewhere, head);
    for (what, forged, readable) in [
        ("ended early", forge(head, &[frames[0].clone(), ended(&frames[1])]), 1),
        ("another session's", forge(&elsewhere, &frames), 0),
        ("without its beginning", forge(head, &frames[1..]), 0),
    ] {
        let seen = check(forged.as_slice()).unwrap();
        assert!(seen.damage.is_empty() && seen.ending == Ending::Whole, "{what}: the chain by itself holds");
        assert!(!seen.is_whole(&root), "{what}: the trail knows better");
        let (events, pieces) = read(&forged, key(7));
        assert_eq!(events.len(), readable, "{what}");
        assert!(pieces.iter().any(|piece| matches!(piece, Piece::Damaged(_))), "{what}: {pieces:?}");
    }
}

#[test]
fn no_length_that_is_claimed_is_believed() {
    const MUCH: usize = 16 * 1024 * 1024;
    let claim = u32::try_from(MUCH).unwrap().to_be_bytes();
    let header = [b"wane.recording.1".as_slice(), &claim, &vec![b' '; MUCH]].concat();
    let mut rest = header.as_slice();
    assert!(check(&mut rest).is_err());
    assert!(rest.len() > MUCH / 2, "a header of any length is read");

    let (file, places, _) = three();
    let bad = [&file[..places[1]], &[0], &claim, &vec![0; MUCH + 100]].concat();
    let seen = check(bad.as_slice()).unwrap();
    // Not one frame of that size with something behind it.
    assert_eq!(seen.damage, [Damage { from: places[1] as u64, to: bad.len() as u64 }]);
}

#[test]
fn a_recording_cut_off_anywhere_says_so_and_keeps_what_came_before() {
    let (file, places, root) = three();
    for length in places[0]..file.len() {
        let cut = &file[..length];
        let seen = check(cut).unwrap();
        assert!(!seen.is_whole(&root), "{length} bytes");
        let whole = places.iter().skip(1).filter(|end| **end <= length).count();
        assert_eq!(seen.chunks, whole as u64, "{length} bytes");
        let (events, pieces) = read(cut, key(7));
        assert_eq!(events.len(), whole, "{length} bytes");
        assert!(matches!(pieces.last(), Some(Piece::End(Ending::Cut { .. }))), "{length} bytes");
    }
}

#[test]
fn another_key_reads_nothing() {
    let (file, places, _) = three();
    let (events, pieces) = read(&file, key(8));
    assert_eq!(events, []);
    let lost = (0..3).map(|n| Piece::Damaged(place(&places, n, &file)));
    assert_eq!(pieces, lost.chain([Piece::End(Ending::Whole)]).collect::<Vec<_>>());
}

#[test]
fn nothing_said_stands_in_the_open() {
    let canary = "kanarienvogel-4711";
    let (file, _, _) = record(&[vec![said(canary)], vec![said(canary)]]);
    assert!(!file.windows(6).any(|window| canary.as_bytes().windows(6).any(|part| part == window)));
}

#[test]
fn no_two_chunks_are_sealed_alike() {
    let (file, places, _) = record(&[vec![said("same")], vec![said("same")], vec![]]);
    // Without the time, which differs: bodies of the same events under the same nonce would agree.
    let body = |n: usize| &file[places[n] + 5..places[n + 1] - 32];
    assert_eq!(body(0).len(), body(1).len());
    let alike = body(0).iter().zip(body(1)).filter(|(a, b)| a == b).count();
    assert!(alike < body(0).len() / 2, "{alike} of {} bytes agree", body(0).len());
}

#[test]
fn what_is_no_recording_is_refused() {
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("something else", b"SQLite format 3\0 and more of it".to_vec()),
        ("a beginning", b"wane.recording.1".to_vec()),
        ("a later format", b"wane.recording.2\0\0\0\x02{}".to_vec()),
        ("an endless header", [b"wane.recording.1".as_slice(), &[0xff; 4], &[b' '; 40]].concat()),
        ("no header", b"wane.recording.1\0\0\0\x02{}".to_vec()),
    ] {
        let refused = check(bytes.as_slice()).unwrap_err();
        assert!(matches!(refused, ReadError::Foreign | ReadError::Header), "{what}: {refused}");
        assert!(Reader::open(bytes.as_slice(), key(7)).is_err(), "{what}");
    }
}
