//! What players of others are given.

use std::borrow::Cow;

use serde_json::{Value, json};
use wane_recording::{Cast, Event, Exit, Program, Side, Size};

use crate::desk::{after, header, opening, said};

fn lines(events: &[(u64, Event<'_>)]) -> Vec<Value> {
    let mut cast = Cast::of(&header(), 0, Vec::new());
    for (at, event) in events {
        cast.event(after(*at), event).unwrap();
    }
    let text = String::from_utf8(cast.finish().unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bytes(from: Side, bytes: &[u8]) -> Event<'_> {
    Event::Data { channel: 0, from, bytes: Cow::Borrowed(bytes) }
}

#[test]
fn a_terminal_is_an_asciicast_of_version_3() {
    let mut events: Vec<_> = opening().into_iter().map(|event| (0, event)).collect();
    events.extend([
        (1500, said("$ ")),
        (2000, bytes(Side::Client, b"exit\r")),
        (2250, Event::Resized { channel: 0, size: Size { columns: 120, rows: 40 } }),
        (2250, Event::Data { channel: 1, from: Side::Target, bytes: Cow::Borrowed(b"another channel") }),
        (3250, Event::Exited { channel: 0, exit: Exit::Status(3) }),
    ]);
    let expected = [
        json!({ "version": 3, "term": { "cols": 100, "rows": 30, "type": "xterm-256color" }, "timestamp": 1_795_255_200 }),
        json!([1.5, "o", "$ "]),
        json!([0.5, "i", "exit\r"]),
        json!([0.25, "r", "120x40"]),
        json!([1.0, "x", "3"]),
    ];
    assert_eq!(lines(&events), expected);
}

#[test]
fn a_command_without_a_terminal_has_one_to_be_shown_in() {
    let command = Event::Started { channel: 0, program: Program::Command("uptime".into()) };
    let head =
        json!({ "version": 3, "term": { "cols": 80, "rows": 24 }, "timestamp": 1_795_255_200, "command": "uptime" });
    assert_eq!(lines(&[(0, command)]), [head]);
}

#[test]
fn a_character_in_two_pieces_is_one() {
    let text = "grüße → 🦀".as_bytes();
    for cut in 0..text.len() {
        let (first, second) = text.split_at(cut);
        let shown = lines(&[(1, bytes(Side::Target, first)), (2, bytes(Side::Target, second))]);
        let whole: String = shown[1..].iter().map(|line| line[2].as_str().unwrap()).collect();
        assert_eq!(whole, "grüße → 🦀", "cut at {cut}");
    }
}

#[test]
fn what_is_no_text_is_shown_as_such_and_delays_nothing() {
    let shown = lines(&[(1, bytes(Side::Target, b"a\xff\xfeb")), (2, bytes(Side::Target, b"c"))]);
    assert_eq!(shown[1][2], "a\u{fffd}\u{fffd}b");
    assert_eq!(shown[2][2], "c");
}
