//! What is understood of SFTP: the same in whatever pieces, bounded, and nothing that nobody said.

use proptest::prelude::*;

use super::*;

fn packet(sort: u8, fields: &[&[u8]]) -> Vec<u8> {
    let body: Vec<u8> = [&[sort][..]].iter().chain(fields).flat_map(|field| field.iter().copied()).collect();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

fn number(n: u32) -> [u8; 4] {
    n.to_be_bytes()
}

fn ok(n: u32) -> Vec<u8> {
    packet(STATUS, &[&number(n), &number(0), &text("ok"), &text("")])
}

fn no(n: u32) -> Vec<u8> {
    packet(STATUS, &[&number(n), &number(3), &text("permission denied"), &text("")])
}

/// A conversation: what either side says, in turn.
fn conversation() -> Vec<(Side, Vec<u8>)> {
    let (up, down) = (Side::Client, Side::Target);
    vec![
        (up, packet(INIT, &[&number(3)])),
        (down, packet(VERSION, &[&number(3), &text("posix-rename@openssh.com"), &text("1")])),
        (up, packet(OPEN, &[&number(1), &text("/srv/new"), &number(0x1a), &number(0)])),
        (down, packet(HANDLE, &[&number(1), &text("h0")])),
        (up, packet(WRITE, &[&number(2), &text("h0"), &[0; 8], &text(&"x".repeat(3000))])),
        (up, packet(WRITE, &[&number(3), &text("h0"), &[0; 8], &text("more")])),
        (down, ok(2)),
        (down, no(3)),
        (up, packet(CLOSE, &[&number(4), &text("h0")])),
        (down, ok(4)),
        (up, packet(OPEN, &[&number(5), &text("/etc/shadow"), &number(1), &number(0)])),
        (down, no(5)),
        (up, packet(OPENDIR, &[&number(6), &text("/srv")])),
        (down, packet(HANDLE, &[&number(6), &text("h0")])),
        (up, packet(READDIR, &[&number(7), &text("h0")])),
        (down, packet(NAME, &[&number(7), &number(1), &text("new"), &text("-rw"), &number(0)])),
        (up, packet(CLOSE, &[&number(8), &text("h0")])),
        (down, ok(8)),
        (up, packet(EXTENDED, &[&number(9), &text("posix-rename@openssh.com"), &text("/srv/new"), &text("/srv/old")])),
        (down, ok(9)),
        (up, packet(REMOVE, &[&number(10), &text("/srv/old")])),
        (down, ok(10)),
        (up, packet(SYMLINK, &[&number(11), &text("/etc/passwd"), &text("/srv/link")])),
        (down, ok(11)),
        (up, packet(OPEN, &[&number(12), &text("big"), &number(1), &number(0)])),
        (down, packet(HANDLE, &[&number(12), &text("h1")])),
        (up, packet(READ, &[&number(13), &text("h1"), &[0; 8], &number(32768)])),
        (down, packet(DATA, &[&number(13), &text(&"y".repeat(1234))])),
    ]
}

fn file(deed: FileDeed, path: &'static str, to: Option<&'static str>) -> Event<'static> {
    Event::File { channel: 7, deed, path: path.into(), to: to.map(Into::into) }
}

fn heard(said: &[(Side, Vec<u8>)]) -> Vec<Event<'static>> {
    let mut sftp = Sftp::new(7);
    let mut events: Vec<_> = said.iter().flat_map(|(from, bytes)| sftp.heard(*from, bytes)).collect();
    events.extend(sftp.over());
    events
}

#[test]
fn what_the_host_says_was_done_is_told_by_name() {
    let transferred =
        |path: &'static str, read, written| Event::Transferred { channel: 7, path: path.into(), read, written };
    assert_eq!(
        heard(&conversation()),
        [
            file(FileDeed::Write, "/srv/new", None),
            transferred("/srv/new", 0, 3000),
            Event::Tried { channel: 7, deed: FileDeed::Read, path: "/etc/shadow".into() },
            file(FileDeed::List, "/srv", None),
            file(FileDeed::Rename, "/srv/new", Some("/srv/old")),
            file(FileDeed::Remove, "/srv/old", None),
            file(FileDeed::Link, "/srv/link", Some("/etc/passwd")),
            file(FileDeed::Read, "big", None),
            // It was open when the channel was closed.
            transferred("big", 1234, 0),
        ]
    );
}

#[test]
fn what_does_not_fit_together_is_said_once_and_nothing_after_it() {
    let (up, down) = (Side::Client, Side::Target);
    let asked = || (up, packet(OPEN, &[&number(1), &text("a"), &number(1), &number(0)]));
    let long = "x".repeat(LONGEST_PATH + 1);
    for (said, word) in [
        (vec![(up, b"SSH-2.0-not sftp".to_vec())], "longer than any"),
        (vec![(up, packet(99, &[&number(1)]))], "no known sort"),
        (vec![(down, packet(99, &[&number(1)]))], "not asked"),
        (vec![(down, ok(1))], "not asked"),
        (vec![asked(), (down, packet(99, &[&number(1)]))], "no known sort"),
        (vec![asked(), asked()], "one number"),
        (vec![(up, packet(REMOVE, &[&number(1), &text(&long)]))], "too long"),
        (vec![(up, packet(REMOVE, &[&number(1), &number(90)]))], "shorter"),
        (vec![(up, packet(REMOVE, &[&number(1), &[0; 20_000]]))], "longer than any of its sort"),
        (vec![(down, packet(VERSION, &[&number(6)]))], "version 3"),
        (
            vec![(up, packet(STAT, &[&number(1), &text("a")])), (down, packet(HANDLE, &[&number(1), &text("h")]))],
            "not asked for",
        ),
    ] {
        let mut sftp = Sftp::new(7);
        let events: Vec<_> = said.iter().flat_map(|(from, bytes)| sftp.heard(*from, bytes)).collect();
        let [Event::Unclear { channel: 7, why }] = events.as_slice() else { panic!("{said:?}: {events:?}") };
        assert!(why.contains(word), "{why}");
        assert!(!sftp.is_understood());
        assert!(conversation().iter().all(|(from, bytes)| sftp.heard(*from, bytes).is_empty()));
        assert!(sftp.over().is_empty());
    }
}

#[test]
fn an_extension_nobody_knows_is_said_if_the_host_does_it() {
    let ask = (Side::Client, packet(EXTENDED, &[&number(1), &text("wipe@example.org"), &text("/")]));
    assert!(heard(&[ask.clone(), (Side::Target, packet(STATUS, &[&number(1), &number(8)]))]).is_empty());
    let events = heard(&[ask, (Side::Target, ok(1))]);
    assert!(matches!(&events[..], [Event::Unclear { why, .. }] if why.contains("`wipe@example.org`")), "{events:?}");
}

#[test]
fn what_is_remembered_is_bounded() {
    let path = "p".repeat(LONGEST_PATH);
    let mut sftp = Sftp::new(7);
    let events: Vec<_> =
        (0..1000).flat_map(|n| sftp.heard(Side::Client, &packet(REMOVE, &[&number(n), &text(&path)]))).collect();
    assert!(matches!(&events[..], [Event::Unclear { why, .. }] if why.contains("too many names")), "{events:?}");
    // Answered, as many as there are.
    let mut sftp = Sftp::new(7);
    for n in 0..1000 {
        assert!(sftp.heard(Side::Client, &packet(REMOVE, &[&number(n), &text(&path)])).is_empty());
        assert_eq!(sftp.heard(Side::Target, &ok(n)).len(), 1);
    }
    // So is what is opened and closed.
    for n in 0..1000 {
        sftp.heard(Side::Client, &packet(OPEN, &[&number(n), &text(&path), &number(1), &number(0)]));
        sftp.heard(Side::Target, &packet(HANDLE, &[&number(n), &text("h")]));
        sftp.heard(Side::Client, &packet(CLOSE, &[&number(n), &text("h")]));
        assert_eq!(sftp.heard(Side::Target, &ok(n)).len(), 1, "{n}");
    }
}

proptest! {
    /// In whatever pieces it comes.
    #[test]
    fn pieces_make_no_difference(size in 1_usize..400) {
        let said: Vec<_> = conversation()
            .into_iter()
            .flat_map(|(from, bytes)| bytes.chunks(size).map(|piece| (from, piece.to_vec())).collect::<Vec<_>>())
            .collect();
        prop_assert_eq!(heard(&said), heard(&conversation()));
    }

    #[test]
    fn nothing_makes_it_fall(said in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..20)) {
        let side = |up| if up { Side::Client } else { Side::Target };
        let said: Vec<_> = said.into_iter().map(|(up, bytes)| (side(up), bytes)).collect();
        let unclear = heard(&said).iter().filter(|event| matches!(event, Event::Unclear { .. })).count();
        prop_assert!(unclear <= 1);
    }
}
