//! What was recorded of a terminal, made safe to show on another: it may write, colour, move and erase there,
//! and nothing else. It sets no title, writes no clipboard, asks the terminal nothing that it would answer, and
//! leaves it as it was.
//!
//! INVARIANT: of the control sequences that were recorded, only those that are listed here are sent on, written
//! anew (held by `only_what_is_listed_reaches_a_terminal`).

use std::fmt::Write as _;

use vte::{Params, Parser, Perform};

/// What ends every playback: colours as usual, no region that scrolls by itself, the cursor seen.
const RESET: &str = "\u{1b}[0m\u{1b}[r\u{1b}[?25h\u{1b}(B";
const LEAVE: &str = "\u{1b}[?1049l";

/// How often it is looked whether anything came of what went in. The parser keeps a sequence until it ends; one
/// that does not is dropped.
const EVERY: usize = 32 * 1024;

/// A terminal's output on its way to another terminal.
pub(crate) struct Screen {
    parser: Parser,
    shown: Shown,
    /// How much went in since it was looked.
    since: usize,
}

#[derive(Default)]
struct Shown {
    out: String,
    /// Whether it is on the screen that editors use.
    aside: bool,
    /// Something came of what went in.
    heard: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { parser: Parser::new(), shown: Shown::default(), since: 0 }
    }

    /// What of these bytes may be shown.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> String {
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(EVERY.saturating_sub(self.since).min(bytes.len()));
            self.parser.advance(&mut self.shown, piece);
            self.since += piece.len();
            bytes = rest;
            if self.since >= EVERY {
                if !self.shown.heard {
                    self.parser = Parser::new();
                }
                (self.since, self.shown.heard) = (0, false);
            }
        }
        std::mem::take(&mut self.shown.out)
    }

    /// What puts the terminal back as it was.
    pub(crate) fn end(&self) -> String {
        format!("{}{RESET}", if self.shown.aside { LEAVE } else { "" })
    }
}

impl Shown {
    fn sequence(&mut self, mark: &str, params: &Params, action: char) {
        let _ = write!(self.out, "\u{1b}[{mark}");
        for (n, param) in params.iter().enumerate() {
            let parts: Vec<_> = param.iter().map(u16::to_string).collect();
            let _ = write!(self.out, "{}{}", if n == 0 { "" } else { ";" }, parts.join(":"));
        }
        self.out.push(action);
    }
}

impl Perform for Shown {
    fn print(&mut self, c: char) {
        self.heard = true;
        // Marks that turn the direction of reading, and what has no width, would show something that was not there.
        if !crate::escape::hides(c) {
            self.out.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        self.heard = true;
        if matches!(byte, b'\n' | b'\r' | b'\t' | 0x08 | 0x0e | 0x0f) {
            self.out.push(char::from(byte));
        }
    }

    fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
        self.heard = true;
    }

    fn put(&mut self, _: u8) {
        self.heard = true;
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        self.heard = true;
        if ignore {
            return;
        }
        match (intermediates, action) {
            // Moving, erasing, inserting, deleting, scrolling, colours.
            ([], 'A'..='H' | 'J' | 'K' | 'L' | 'M' | 'P' | 'S' | 'T' | 'X' | '@' | 'd' | 'f' | 'm' | 'r') => {
                self.sequence("", params, action);
            }
            // The cursor, wrapping, and the screen that editors use.
            (b"?", 'h' | 'l') => {
                let modes: Vec<u16> = params.iter().filter_map(|param| param.first().copied()).collect();
                for mode in modes {
                    match mode {
                        7 | 25 => drop(write!(self.out, "\u{1b}[?{mode}{action}")),
                        47 | 1047 | 1049 => {
                            self.aside = action == 'h';
                            let _ = write!(self.out, "\u{1b}[?1049{action}");
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        self.heard = true;
        if ignore {
            return;
        }
        match (intermediates, byte) {
            // The cursor's place kept and taken up, a line up or down.
            ([], b'7' | b'8' | b'D' | b'E' | b'M') => {
                self.out.push('\u{1b}');
                self.out.push(char::from(byte));
            }
            // Lines and corners, and letters again.
            (b"(" | b")", b'0' | b'B') => {
                let side = intermediates.first().copied().unwrap_or(b'(');
                self.out.extend(['\u{1b}', char::from(side), char::from(byte)]);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        Screen::new().feed(text.as_bytes())
    }

    #[test]
    fn only_what_is_listed_reaches_a_terminal() {
        for (recorded, expected) in [
            ("plain\r\n", "plain\r\n"),
            ("\u{1b}[31;1mred\u{1b}[0m", "\u{1b}[31;1mred\u{1b}[0m"),
            ("\u{1b}[2J\u{1b}[3;4H", "\u{1b}[2J\u{1b}[3;4H"),
            ("\u{1b}[38:2:1:2:3mx", "\u{1b}[38:2:1:2:3mx"),
            ("\u{1b}[?1049hvi\u{1b}[?1049l", "\u{1b}[?1049hvi\u{1b}[?1049l"),
            // The clipboard, a title, a link, shell marks.
            ("\u{1b}]52;c;aGk=\u{7}a", "a"),
            ("\u{1b}]0;title\u{1b}\\a", "a"),
            ("\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            // What a terminal would answer, as if somebody had typed it.
            ("\u{1b}[6na", "a"),
            ("\u{1b}[ca\u{1b}[>c\u{1b}[=c", "a"),
            ("\u{1b}[21ta", "a"),
            ("\u{1b}Pq#0;2;0;0;0\u{1b}\\a", "a"),
            ("\u{1b}P$qm\u{1b}\\a", "a"),
            ("\u{1b}_Gi=1\u{1b}\\a", "a"),
            ("\u{5}a\u{7}", "a"),
            // What changes how it is used: mouse, pasting, keys, printing, a reset.
            ("\u{1b}[?1000h\u{1b}[?2004h\u{1b}[?1h\u{1b}[5i\u{1b}c\u{1b}[!pa", "a"),
            ("\u{1b}[?1000;25la", "\u{1b}[?25la"),
            // Eight-bit controls and marks that turn the reading.
            ("\u{9b}6na\u{202e}b\u{200b}", "6nab"),
        ] {
            assert_eq!(shown(recorded), expected, "{recorded:?}");
        }
    }

    #[test]
    fn a_sequence_without_an_end_is_dropped() {
        let mut screen = Screen::new();
        let (mut out, mut fed) = (screen.feed(b"before\x1b]52;c;"), 0);
        while out == "before" && fed < 1 << 20 {
            out += &screen.feed(&[b'x'; 1000]);
            fed += 1000;
        }
        assert!(out.starts_with("beforex") && fed <= 3 * EVERY, "it keeps {fed} bytes of it and more");
        // One that ends is none, however it is cut into pieces.
        let long = [b"a\x1b]0;".as_slice(), &vec![b't'; EVERY / 2], b"\x07b"].concat();
        let mut screen = Screen::new();
        assert_eq!(long.chunks(7).map(|piece| screen.feed(piece)).collect::<String>(), "ab");
    }

    #[test]
    fn a_terminal_is_left_as_it_was() {
        let mut screen = Screen::new();
        screen.feed(b"\x1b[?1049h\x1b[?25l\x1b[31m");
        assert_eq!(screen.end(), "\u{1b}[?1049l\u{1b}[0m\u{1b}[r\u{1b}[?25h\u{1b}(B");
    }

    proptest! {
        /// Whatever was recorded, in whatever pieces: what is shown is shown again as it is.
        #[test]
        fn what_is_shown_is_safe(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x1b), Just(b'['), Just(b']')], 0..200), cut in 0_usize..200) {
            let mut screen = Screen::new();
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            let out = screen.feed(one) + &screen.feed(two);
            let bad = ["\u{1b}]", "\u{1b}P", "\u{7}"].iter().any(|bad| out.contains(bad));
            prop_assert!(!bad, "{out:?}");
            prop_assert_eq!(shown(&out), out);
        }
    }
}
