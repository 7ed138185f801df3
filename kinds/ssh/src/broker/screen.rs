//! The line of a terminal that is being written, in the width of the terminal, and the marks of shells.
//!
//! It is the line and no more: what moves away from it begins a new one.

use unicode_width::UnicodeWidthChar as _;
use vte::Params;

/// The longest line, over all rows it takes.
const MOST_CELLS: usize = 16 * 1024;
/// What a terminal is taken to have that does not say.
const COLUMNS: usize = 80;
const MOST_COLUMNS: usize = 1000;
/// What a character takes that stands in two columns: the second one.
const SECOND: char = '\0';

/// The line that is being written.
#[derive(Debug)]
pub(crate) struct Screen {
    cells: Vec<char>,
    /// Rows of it that end in an end of line, and not for want of room.
    ended: Vec<usize>,
    at: usize,
    columns: usize,
    inserts: bool,
    aside: bool,
}

/// What a shell says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A prompt begins.
    Prompt,
    /// It is over: what follows is typed.
    Input,
    /// The command line, word for word.
    Line(String),
    /// The command runs from here.
    Runs,
    /// It is done.
    Done(Option<u32>),
}

impl Mark {
    /// Reads one: OSC 133 (FinalTerm, iTerm, kitty) or OSC 633 (of an editor).
    pub(crate) fn read(params: &[&[u8]]) -> Option<Self> {
        let (kind, what, more) = match params {
            [kind @ (b"133" | b"633"), what, more @ ..] => (*kind, *what, more),
            _ => return None,
        };
        match what {
            // The prompt of a line that goes on is none.
            b"A" => (!more.iter().any(|param| *param == b"k=s")).then_some(Self::Prompt),
            b"B" => Some(Self::Input),
            b"C" => Some(Self::Runs),
            b"D" => Some(Self::Done(more.first().and_then(|status| std::str::from_utf8(status).ok()?.parse().ok()))),
            b"E" if kind == b"633" => more.first().map(|line| Self::Line(spelt(line))),
            _ => None,
        }
    }
}

/// A command line as OSC 633 writes it: `\\` for a backslash, `\x0a` for an end of line.
fn spelt(line: &[u8]) -> String {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                out.push(b'\\');
                rest = after;
            }
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let byte = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                match byte {
                    Some(byte) => {
                        out.push(byte);
                        rest = after;
                    }
                    None => out.push(b'\\'),
                }
            }
            (first, _) => out.push(*first),
        }
    }
    clean(String::from_utf8_lossy(&out).chars())
}

/// Text without what moves a terminal.
fn clean(text: impl Iterator<Item = char>) -> String {
    text.filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

impl Screen {
    pub(crate) fn new(columns: u32) -> Self {
        let mut screen =
            Self { cells: Vec::new(), ended: Vec::new(), at: 0, columns: COLUMNS, inserts: false, aside: false };
        screen.resized(columns);
        screen
    }

    pub(crate) fn resized(&mut self, columns: u32) {
        let columns = usize::try_from(columns).unwrap_or(usize::MAX);
        self.columns = if columns == 0 { COLUMNS } else { columns.clamp(2, MOST_COLUMNS) };
    }

    /// Whether it is the screen that full-screen programs have for themselves.
    pub(crate) fn is_aside(&self) -> bool {
        self.aside
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The column of a place.
    pub(crate) fn column_of(&self, place: usize) -> usize {
        place.checked_rem(self.columns).unwrap_or_default()
    }

    fn row(&self) -> usize {
        self.at.checked_div(self.columns).unwrap_or_default()
    }

    fn row_start(&self) -> usize {
        self.row().saturating_mul(self.columns)
    }

    /// What stands from a place on, without what was left blank around it.
    pub(crate) fn text_from(&self, place: usize) -> String {
        let mut out = String::new();
        let mut row = place.checked_div(self.columns).unwrap_or_default();
        let mut from = place;
        while from < self.cells.len() {
            let end = row.saturating_add(1).saturating_mul(self.columns);
            let cells = self.cells.get(from..end.min(self.cells.len())).unwrap_or_default();
            let text: String = cells.iter().filter(|c| **c != SECOND).collect();
            if self.ended.contains(&row) {
                out.push_str(text.trim_end());
                out.push('\n');
            } else {
                out.push_str(&text);
            }
            (from, row) = (end, row.saturating_add(1));
        }
        clean(out.trim().chars())
    }

    /// On to the next line; what stood there is done with.
    pub(crate) fn next_line(&mut self) {
        self.at = self.column_of(self.at);
        self.cells.clear();
        self.ended.clear();
    }

    /// On to the next row of the same line.
    pub(crate) fn next_row(&mut self) {
        let row = self.row();
        if !self.ended.contains(&row) {
            self.ended.push(row);
        }
        let column = self.column_of(self.at);
        self.go((row.saturating_add(1)).saturating_mul(self.columns).saturating_add(column));
    }

    fn go(&mut self, place: usize) {
        self.at = place.min(MOST_CELLS);
    }

    pub(crate) fn print(&mut self, c: char) {
        let width = c.width().unwrap_or(0);
        if self.aside || width == 0 {
            return;
        }
        if self.inserts {
            self.insert(width);
        }
        for n in 0..width {
            self.put(self.at.saturating_add(n), if n == 0 { c } else { SECOND });
        }
        self.go(self.at.saturating_add(width));
    }

    fn put(&mut self, place: usize, c: char) {
        if place >= MOST_CELLS {
            return;
        }
        if self.cells.len() <= place {
            self.cells.resize(place + 1, ' ');
        }
        if let Some(cell) = self.cells.get_mut(place) {
            *cell = c;
        }
    }

    fn blank(&mut self, from: usize, to: usize) {
        let to = to.min(self.cells.len());
        if let Some(cells) = self.cells.get_mut(from.min(to)..to) {
            cells.fill(' ');
        }
    }

    fn insert(&mut self, count: usize) {
        let at = self.at.min(self.cells.len());
        let count = count.min(MOST_COLUMNS);
        self.cells.splice(at..at, std::iter::repeat_n(' ', count));
        self.cells.truncate(MOST_CELLS);
    }

    /// A control character that is no end of line.
    pub(crate) fn control(&mut self, byte: u8) {
        if self.aside {
            return;
        }
        match byte {
            0x08 => self.go(self.at.saturating_sub(1)),
            b'\r' => self.go(self.row_start()),
            b'\t' => self.go((self.at / 8).saturating_add(1).saturating_mul(8)),
            _ => {}
        }
    }

    /// A control sequence.
    pub(crate) fn sequence(&mut self, params: &Params, intermediates: &[u8], action: char) {
        let all = || params.iter().filter_map(|param| param.first().copied());
        if let (b"?", 'h' | 'l') = (intermediates, action) {
            if all().any(|mode| matches!(mode, 47 | 1047 | 1049)) {
                self.aside = action == 'h';
                self.next_line();
            }
            return;
        }
        if self.aside || !intermediates.is_empty() {
            return;
        }
        let mut given = all().map(usize::from);
        let (first, second) = (given.next().unwrap_or(0), given.next().unwrap_or(0));
        let count = first.max(1);
        match action {
            'A' => self.go(self.at.saturating_sub(count.saturating_mul(self.columns))),
            'B' => self.go(self.at.saturating_add(count.saturating_mul(self.columns))),
            'C' => self.go(self.at.saturating_add(count)),
            'D' => self.go(self.at.saturating_sub(count)),
            'G' => self.go(self.row_start().saturating_add(count - 1)),
            // Where it stands on the screen is not known here: a line of its own.
            'H' | 'f' => {
                self.cells.clear();
                self.ended.clear();
                self.go(second.saturating_sub(1).min(self.columns));
            }
            'J' => match first {
                0 => self.cells.truncate(self.at),
                _ => self.cells.clear(),
            },
            'K' => {
                let (start, end) = (self.row_start(), self.row_start().saturating_add(self.columns));
                match first {
                    0 => self.blank(self.at, end),
                    1 => self.blank(start, self.at.saturating_add(1)),
                    _ => self.blank(start, end),
                }
            }
            'P' => {
                let at = self.at.min(self.cells.len());
                let to = at.saturating_add(count).min(self.cells.len());
                self.cells.drain(at..to);
            }
            'X' => self.blank(self.at, self.at.saturating_add(count)),
            '@' => self.insert(count),
            'h' | 'l' if first == 4 => self.inserts = action == 'h',
            _ => {}
        }
    }
}
