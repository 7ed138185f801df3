//! What passes in sessions, as it is understood beside the bytes: names of files, commands, what rules find.

use std::sync::Arc;

use wane_finding::{Rules, Watcher};
use wane_kind_ssh::fuzzed;
use wane_recording::{Event, Side};

use crate::draw::Draw;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    fn packet(sort: u8, fields: &[&[u8]]) -> Vec<u8> {
        let body = [&[sort][..], &fields.concat()].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    /// A piece that one side says, as [`super::said`] takes it apart.
    fn piece(side: u8, bytes: &[u8]) -> Vec<u8> {
        [&[side, u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
    }

    pub(crate) fn ssh_sftp() -> Vec<Vec<u8>> {
        let text = |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
        let one = &[0, 0, 0, 1][..];
        let open = packet(3, &[one, &text("/srv/a"), &[0, 0, 0, 3], &[0; 4]]);
        let handle = packet(102, &[one, &text("h")]);
        let write = packet(6, &[one, &text("h"), &[0; 8], &text("contents")]);
        let close = packet(4, &[one, &text("h")]);
        let ok = packet(101, &[one, &[0; 4], &text(""), &text("")]);
        let rename = packet(18, &[one, &text("/a"), &text("/b")]);
        let extended = packet(200, &[one, &text("posix-rename@openssh.com"), &text("/a"), &text("/b")]);
        let said = [
            vec![(0, &open), (1, &handle), (0, &write), (1, &ok), (0, &close), (1, &ok)],
            vec![(0, &rename), (1, &ok), (0, &extended), (1, &ok)],
        ];
        said.iter().map(|said| said.iter().flat_map(|(side, bytes)| piece(*side, bytes)).collect()).collect()
    }

    pub(crate) fn ssh_scp() -> Vec<Vec<u8>> {
        let said: [&[(u8, &[u8])]; 2] = [
            &[(0, b"D0755 0 d\n"), (1, b"\0"), (0, b"C0644 3 x\n"), (1, b"\0"), (0, b"abc\0"), (0, b"E\n")],
            &[(1, b"C0644 3 x\nabc\0"), (1, b"\x01no\n")],
        ];
        said.iter().map(|said| said.iter().flat_map(|(side, bytes)| piece(*side, bytes)).collect()).collect()
    }

    pub(crate) fn shell_marks() -> Vec<Vec<u8>> {
        let said: [&[(u8, &[u8])]; 3] = [
            &[(1, b"\x1b]133;A\x07$ \x1b]133;B\x07"), (0, b"q\r"), (1, b"id\r\n\x1b]133;C\x07x\r\n\x1b]133;D;0\x07")],
            &[(1, b"# "), (0, b"qq\x7f"), (1, b"ls\x08 \x08"), (0, b"\r"), (1, b"\r\n")],
            &[(1, b"\x1b[?1049h"), (0, b":q\r"), (1, b"\x1b[?1049l\x1b]633;E;a\\x3b b\x07\x1b]633;C\x07")],
        ];
        said.iter().map(|said| said.iter().flat_map(|(side, bytes)| piece(*side, bytes)).collect()).collect()
    }

    pub(crate) fn session_rules() -> Vec<Vec<u8>> {
        [
            "[[rule]]\nid = \"a\"\nwhen = \"output\"\nmatches = \"ab+\"\nthen = \"cut\"\n\0xabby\n",
            "[[rule]]\nid = \"b\"\nwhen = \"file\"\nmatches = \"/e/**\"\ndeeds = [\"read\"]\nthen = \"notify\"\n\0/e/x",
            "[[rule]]\nid = \"c\"\nwhen = \"command\"\nmatches = \"{su,do}*\"\nthen = \"cut\"\n\0x; sudo y",
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
    }
}

/// Who says what, in turn: a side, a length, as many bytes.
fn said(data: &[u8]) -> Vec<(Side, &[u8])> {
    let (mut out, mut rest) = (Vec::new(), data);
    while let [side, length, after @ ..] = rest {
        let (bytes, after) = after.split_at(usize::from(*length).min(after.len()));
        out.push((if side % 2 == 0 { Side::Client } else { Side::Target }, bytes));
        rest = after;
    }
    out
}

/// The same, byte by byte.
fn bytewise<'a>(said: &[(Side, &'a [u8])]) -> Vec<(Side, &'a [u8])> {
    said.iter().flat_map(|(side, bytes)| bytes.chunks(1).map(|byte| (*side, byte))).collect()
}

/// Nothing but what is understood, and from where it is not, nothing at all.
fn ends_unclear(events: &[Event<'_>], why: &str) {
    let unclear = |event: &Event<'_>| matches!(event, Event::Unclear { why: said, .. } if said.contains(why));
    let first = events.iter().position(unclear);
    assert!(first.is_none_or(|first| first + 1 == events.len()), "{events:?}");
}

pub(crate) fn ssh_sftp(data: &[u8]) {
    let said = said(data);
    let events = fuzzed::sftp(&said);
    assert_eq!(fuzzed::sftp(&bytewise(&said)), events, "in whatever pieces");
    ends_unclear(&events, "no SFTP");
    let client: Vec<u8> =
        said.iter().filter(|(side, _)| *side == Side::Client).flat_map(|(_, bytes)| *bytes).copied().collect();
    let text = String::from_utf8_lossy(&client);
    for event in &events {
        if let Event::File { path, .. } | Event::Tried { path, .. } | Event::Transferred { path, .. } = event {
            assert!(
                path.contains('\u{fffd}') || *path == "?" || text.contains(&**path),
                "{path:?} was named by nobody"
            );
        }
    }
}

pub(crate) fn ssh_scp(data: &[u8]) {
    let said = said(data);
    for line in ["scp -t /srv", "scp -r -p -f /srv"] {
        let events = fuzzed::scp(line, &said).unwrap();
        ends_unclear(&events, "no copy");
        assert_eq!(fuzzed::scp(line, &bytewise(&said)).unwrap(), events, "in whatever pieces");
        for event in &events {
            if let Event::File { to: Some(to), .. } = event {
                assert!(to.split('/').all(|part| !part.contains('\n')), "{to:?}");
            }
        }
    }
    assert!(fuzzed::scp(&String::from_utf8_lossy(data), &[]).is_none_or(|events| events.is_empty()));
}

/// What is typed is nowhere unless it was shown; what is shown makes the same commands in whatever pieces.
pub(crate) fn shell_marks(data: &[u8]) {
    let said = said(data);
    let columns = data.len() as u32 % 90;
    let events = fuzzed::shell(columns, &said);
    let is_shown = |side: &Side| *side != Side::Client;
    let shown: Vec<_> = said
        .iter()
        .flat_map(|(side, bytes)| if is_shown(side) { bytewise(&[(*side, bytes)]) } else { vec![(*side, *bytes)] })
        .collect();
    assert_eq!(fuzzed::shell(columns, &shown), events, "in whatever pieces");
    for event in &events {
        if let Event::Command { text, .. } = event {
            assert!(!text.is_empty() && text.chars().count() <= 4096, "{text:?}");
            assert!(text.chars().all(|c| matches!(c, '\n' | '\t') || !c.is_control()), "{text:?}");
        }
    }
    // The same keys with other letters: nothing changes.
    let other: Vec<(Side, Vec<u8>)> = said
        .iter()
        .map(|(side, bytes)| {
            let blind = |byte: &u8| if byte.is_ascii_graphic() { b'q' } else { *byte };
            (*side, if is_shown(side) { bytes.to_vec() } else { bytes.iter().map(blind).collect() })
        })
        .collect();
    let other: Vec<_> = other.iter().map(|(side, bytes)| (*side, bytes.as_slice())).collect();
    assert_eq!(fuzzed::shell(columns, &other), events, "what was typed shows");
}

/// Rules as somebody may write them, over what somebody may do: refused in a bounded word, or matched.
pub(crate) fn session_rules(data: &[u8]) {
    let mut draw = Draw::new(data);
    let rules = match Rules::from_toml(&draw.word()) {
        Ok(rules) => Arc::new(rules),
        Err(why) => {
            assert!(why.to_string().len() < 4096, "{why}");
            return;
        }
    };
    let written = serde_json::to_value(rules.rules()).unwrap();
    assert_eq!(Rules::from_json(&written).unwrap().rules(), rules.rules(), "written again, they are the same");
    let Some(mut watcher) = Watcher::new(vec![Arc::clone(&rules)]) else { return };
    let text = draw.text();
    let events = [
        Event::Started { channel: 0, program: wane_recording::Program::Command(text.as_str().into()) },
        Event::File { channel: 0, deed: wane_recording::FileDeed::Read, path: text.as_str().into(), to: None },
        Event::Data { channel: 0, from: Side::Target, bytes: text.as_bytes().into() },
    ];
    for event in &events {
        for found in watcher.event(event) {
            assert!(rules.rules().iter().any(|rule| rule.id == found.rule && rule.then == found.then));
            assert!(found.what.chars().count() <= 200);
        }
    }
}
