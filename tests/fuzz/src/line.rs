//! The command line: its words, the moments people write, and what reaches their terminal.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use jiff::Timestamp;
use wane_cli::fuzzed;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use crate::draw::{texts, words as join};

    pub(crate) fn words() -> Vec<Vec<u8>> {
        vec![
            join(&["request", "deploy@web,readonly@shop", "--for", "2h", "--reason", "why not"]),
            join(&["approve", "req_1", "--for", "12s", "--json"]),
            join(&["resource", "add", "web", "--kind", "ssh", "--label", "env=prod", "--settings", "{}"]),
            join(&["log", "--all", "--limit", "3"]),
            join(&["role", "add", "ssh/deploy", "--set", "principals=[\"a\"]"]),
            join(&["exec", "deploy@web", "--", "env", "\u{1b}[2J"]),
            join(&["--server", "http://h", "--help"]),
            join(&["\u{1b}]52;c;aGk=\u{7}"]),
        ]
    }

    pub(crate) fn moment() -> Vec<Vec<u8>> {
        texts(&[
            "+30m",
            "14:00",
            "2026-11-21 14:00",
            "2026-11-21T14:00Z",
            "+-5m",
            "24:00",
            "9999-12-31 23:59",
            "-009999-01-01T00:00Z",
            "+9999999h",
        ])
    }

    pub(crate) fn shown() -> Vec<Vec<u8>> {
        texts(&[
            "plain",
            "two\nlines\r\t",
            "\u{1b}[2J",
            "\u{9b}31m",
            "a\u{202e}b\u{200b}",
            "tag\u{e0041}",
            "{\"a\":\"\u{1b}\"}",
        ])
    }
}

/// Whether a character moves a terminal or hides what is there.
fn moves(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xE0000..=0xE007F)
}

pub(crate) fn words(data: &[u8]) {
    let words = data.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
    let all = std::iter::once(OsString::from("wane")).chain(words).collect();
    if let Err(told) = fuzzed::words(all) {
        assert!(!told.chars().any(|c| moves(c) && c != '\n' && c != '\t'), "{told:?}");
        assert!(!told.is_empty());
    }
}

pub(crate) fn moment(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now: Timestamp = "2026-11-21T12:04:00Z".parse().unwrap();
    if let Ok(at) = fuzzed::moment(&text, now) {
        assert!(!text.starts_with('+') || at >= now, "{text:?} is in the past");
        assert!(!fuzzed::told(at, now).is_empty());
        assert_eq!(fuzzed::moment(&at.to_string(), now), Ok(at));
    }
}

pub(crate) fn shown(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let [line, block, _] = fuzzed::shown(&text);
    assert!(!line.chars().any(moves), "{line:?}");
    assert!(!block.chars().any(|c| moves(c) && c != '\n' && c != '\t'), "{block:?}");
    if text.bytes().all(|b| (0x20..0x7F).contains(&b)) {
        assert_eq!((line.as_str(), block.as_str()), (text.as_ref(), text.as_ref()), "plain text was changed");
    }
    let value = serde_json::json!({ text.as_ref(): [text.as_ref()] });
    let [_, _, json] = fuzzed::shown(&serde_json::to_string_pretty(&value).unwrap());
    assert!(!json.chars().any(|c| moves(c) && c != '\n'), "{json:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
}
