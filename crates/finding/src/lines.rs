//! The lines of what a program writes, as text: control sequences are left out, and a line is bounded.

use vte::Perform;

use crate::Feed;

/// A line is held against patterns at the latest when it is this long.
const LONGEST: usize = 4096;
/// What of it is held against them again with what follows.
const AGAIN: usize = 512;

/// What is written on one side of one channel.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    feed: Feed,
    text: Text,
}

#[derive(Debug, Default)]
struct Text {
    line: String,
    whole: Vec<Piece>,
}

/// Some text of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    /// Whether the line ends with it.
    pub(crate) ends: bool,
}

impl Lines {
    /// The lines that these bytes make whole, and at the end what there is of one that is not.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.feed.bytes(&mut self.text, bytes);
        let mut pieces = std::mem::take(&mut self.text.whole);
        if !self.text.line.is_empty() {
            pieces.push(Piece { text: self.text.line.clone(), ends: false });
        }
        pieces
    }
}

impl Perform for Text {
    fn print(&mut self, c: char) {
        self.line.push(c);
        if self.line.len() >= LONGEST {
            let mut keep = self.line.len() - AGAIN;
            while !self.line.is_char_boundary(keep) {
                keep += 1;
            }
            let again = self.line.get(keep..).unwrap_or_default().to_owned();
            let text = std::mem::replace(&mut self.line, again);
            self.whole.push(Piece { text, ends: false });
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c => {
                let text = std::mem::take(&mut self.line);
                self.whole.push(Piece { text, ends: true });
            }
            b'\t' => self.print('\t'),
            _ => {}
        }
    }
}
