//! A terminal's output into the parser of the `vte` crate, which keeps what a sequence says until it ends: here
//! one that does not end is dropped.

use vte::{Params, Parser, Perform};

/// How often it is looked whether anything came of what went in.
const EVERY: usize = 32 * 1024;

/// A parser that keeps a bounded amount.
///
/// INVARIANT: what comes out does not depend on how the bytes were cut into pieces, and no more than twice
/// [`EVERY`] is kept of a sequence (held by `a_sequence_without_an_end_is_dropped`).
#[derive(Default)]
pub struct Feed {
    parser: Parser,
    /// The beginning of a character whose end has not come. Cut there, the parser drops what follows the character.
    begun: Vec<u8>,
    /// How much went in since it was looked.
    since: usize,
    heard: bool,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Feed {
    /// Has it said what these bytes are.
    pub fn bytes<P: Perform>(&mut self, to: &mut P, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = EVERY.saturating_sub(self.since).min(bytes.len());
            let (piece, rest) = bytes.split_at(room);
            self.advance(to, piece);
            self.since += piece.len();
            bytes = rest;
            if self.since >= EVERY {
                if !self.heard {
                    self.parser = Parser::new();
                }
                (self.since, self.heard) = (0, false);
            }
        }
    }

    /// Hands on whole characters; one that has only begun waits for its end.
    fn advance<P: Perform>(&mut self, to: &mut P, mut piece: &[u8]) {
        while !self.begun.is_empty() {
            let Some((byte, rest)) = piece.split_first() else { return };
            self.begun.push(*byte);
            piece = rest;
            let whole = self.begun.len() - unfinished(&self.begun);
            let whole: Vec<u8> = self.begun.drain(..whole).collect();
            self.parser.advance(&mut Heard { to, heard: &mut self.heard }, &whole);
        }
        let (whole, begun) = piece.split_at(piece.len() - unfinished(piece));
        self.parser.advance(&mut Heard { to, heard: &mut self.heard }, whole);
        self.begun.extend_from_slice(begun);
    }
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let is_begun = |tail: &[u8]| {
        std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    let tail = |length: &usize| bytes.len().checked_sub(*length).and_then(|from| bytes.get(from..));
    (1..=3).find(|length| tail(length).is_some_and(is_begun)).unwrap_or(0)
}

/// Hands on, and notes that there was something.
struct Heard<'a, P> {
    to: &'a mut P,
    heard: &'a mut bool,
}

impl<P: Perform> Perform for Heard<'_, P> {
    fn print(&mut self, c: char) {
        *self.heard = true;
        self.to.print(c);
    }
    fn execute(&mut self, byte: u8) {
        *self.heard = true;
        self.to.execute(byte);
    }
    fn hook(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        *self.heard = true;
        self.to.hook(params, intermediates, ignore, action);
    }
    fn put(&mut self, byte: u8) {
        *self.heard = true;
        self.to.put(byte);
    }
    fn unhook(&mut self) {
        *self.heard = true;
        self.to.unhook();
    }
    fn osc_dispatch(&mut self, params: &[&[u8]], bell_terminated: bool) {
        *self.heard = true;
        self.to.osc_dispatch(params, bell_terminated);
    }
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        *self.heard = true;
        self.to.csi_dispatch(params, intermediates, ignore, action);
    }
    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        *self.heard = true;
        self.to.esc_dispatch(intermediates, ignore, byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Said(String, usize);

    impl Perform for Said {
        fn print(&mut self, c: char) {
            self.0.push(c);
        }
        fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
            self.1 = self.1.max(params.iter().map(|param| param.len()).sum());
        }
    }

    /// All that comes out, in its order.
    #[derive(Default)]
    struct All(String);

    impl Perform for All {
        fn print(&mut self, c: char) {
            self.0.push(c);
        }
        fn execute(&mut self, byte: u8) {
            self.0.push_str(&format!("<{byte}>"));
        }
        fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
            self.0.push_str(&format!("{params:?}"));
        }
    }

    /// Also within a character: the parser itself loses what stands behind one that it was given in two pieces.
    #[test]
    fn what_comes_out_does_not_depend_on_where_it_was_cut() {
        for text in
            ["é\r語語\n".as_bytes(), "a\u{1f600}\r\nb".as_bytes(), b"\xc3\xe8\xaa\x9e\r\xff\xc3\r\x1b]0;\xc3\xa9\x07x"]
        {
            let out = |pieces: &[&[u8]]| {
                let (mut feed, mut all) = (Feed::default(), All::default());
                pieces.iter().for_each(|piece| feed.bytes(&mut all, piece));
                all.0
            };
            let whole = out(&[text]);
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let pieces = [&text[..first], &text[first..second], &text[second..]];
                    assert_eq!(out(&pieces), whole, "{pieces:?}");
                }
            }
        }
    }

    #[test]
    fn a_sequence_without_an_end_is_dropped() {
        let endless = [&b"a\x1b]0;"[..], &vec![b'x'; 10 * EVERY], b"\x07b\x1b]0;short\x07c"].concat();
        for piece in [1, 7, EVERY, endless.len()] {
            let (mut feed, mut said) = (Feed::default(), Said::default());
            endless.chunks(piece).for_each(|piece| feed.bytes(&mut said, piece));
            assert!(said.1 <= 2 * EVERY, "{} bytes were kept", said.1);
            // What was dropped is text from there on, the same in whatever pieces it came.
            assert!(said.0.starts_with("ax") && said.0.ends_with("xbc"), "{piece}");
            assert_eq!(said.0.len(), 3 + 10 * EVERY + 5 - 2 * EVERY, "{piece}");
        }
    }
}
