//! Commands that are given to a shell at a terminal, told from what the terminal shows.
//!
//! Owns: the marks that shells can put around prompts and commands (OSC 133, and OSC 633 of editors), and
//! without them the line that stood there when Enter was pressed. Refuses to know: what was typed. Of input
//! only *when* Enter was pressed counts, and how many letters came before it, so that what nobody echoed, a
//! password, is nowhere: neither is what was shown after it, which is as long only by chance.
//!
//! Marks and what is echoed are the host's word: whoever owns the host, or runs a program that draws what it
//! likes, can have a command look like another one. What a terminal showed is in the recording as it was.

use std::collections::VecDeque;

use wane_finding::Feed;
use wane_recording::{Confidence, Event};

use super::screen::{Mark, Screen};

/// Presses of Enter that wait for their end of line.
const MOST_ENTERS: usize = 64;
/// How much of a command is told.
const LONGEST: usize = 4096;

/// A shell at a terminal.
#[derive(Debug)]
pub(crate) struct Shell {
    feed: Feed,
    inner: Inner,
}

#[derive(Debug)]
struct Inner {
    channel: u32,
    screen: Screen,
    zone: Zone,
    /// Where the line began that is being typed.
    start: Option<usize>,
    /// What was typed since the last Enter, and in the lines whose end was not shown yet.
    keys: Keys,
    entered: VecDeque<Keys>,
    /// A line that was entered after a prompt with marks, until a mark says that it was a command.
    held: Option<String>,
    /// What the shell says its command line is.
    given: Option<String>,
    /// Whether what happens inside a full-screen program was said to be unclear.
    told: bool,
    events: Vec<Event<'static>>,
}

/// What is known of a line that is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// So many letters and no key that does something else: as many are echoed.
    Letters(usize),
    /// Any other key: what stands there is the shell's doing as well.
    Edited,
}

impl Keys {
    const NONE: Self = Self::Letters(0);

    fn and(self, byte: u8) -> Self {
        match (self, byte) {
            // Blanks are not counted, as those around a line are not told; nor what goes on with a character.
            (keys, b' ' | 0x80..=0xbf) => keys,
            (Self::Letters(count), 0x21..=0x7e | 0xc0..=0xff) => Self::Letters(count.saturating_add(1)),
            (Self::Letters(_) | Self::Edited, _) => Self::Edited,
        }
    }

    /// The end of a line that can be what was echoed of it.
    fn last_of(self, line: &str) -> Option<String> {
        let Self::Letters(count) = self else { return None };
        let letters = line.char_indices().rev().filter(|(_, c)| !c.is_whitespace());
        let (from, _) = letters.take(count).enumerate().find(|(n, _)| n + 1 == count)?.1;
        line.get(from..).map(|text| text.trim().to_owned())
    }

    /// Whether this can be what was echoed of it.
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Letters(count) => text.chars().filter(|c| !c.is_whitespace()).count() == count,
            Self::Edited => true,
        }
    }
}

/// Where the marks say that we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    /// Nobody said.
    Unknown,
    Prompt,
    /// After the prompt, whose end is there.
    Input(usize),
    /// A command runs; whether it was told of.
    Running {
        told: bool,
    },
}

impl Shell {
    /// At a terminal of so many columns.
    pub(crate) fn new(channel: u32, columns: u32) -> Self {
        let inner = Inner {
            channel,
            screen: Screen::new(columns),
            zone: Zone::Unknown,
            start: None,
            keys: Keys::NONE,
            entered: VecDeque::new(),
            held: None,
            given: None,
            told: false,
            events: Vec::new(),
        };
        Self { feed: Feed::default(), inner }
    }

    pub(crate) fn resized(&mut self, columns: u32) {
        self.inner.screen.resized(columns);
    }

    /// Something was typed.
    pub(crate) fn typed(&mut self, bytes: &[u8]) -> Vec<Event<'static>> {
        self.inner.typed(bytes);
        std::mem::take(&mut self.inner.events)
    }

    /// Something was shown.
    pub(crate) fn shown(&mut self, bytes: &[u8]) -> Vec<Event<'static>> {
        self.feed.bytes(&mut self.inner, bytes);
        std::mem::take(&mut self.inner.events)
    }
}

impl Inner {
    fn typed(&mut self, bytes: &[u8]) {
        if self.screen.is_aside() {
            if !self.told && !bytes.is_empty() {
                self.told = true;
                let why = "keys are pressed inside a full-screen program".into();
                self.events.push(Event::Unclear { channel: self.channel, why });
            }
            return;
        }
        for byte in bytes {
            match byte {
                // Ctrl-C gives the line up.
                0x03 => (self.start, self.keys) = (None, Keys::NONE),
                b'\r' | b'\n' => {
                    self.start.get_or_insert(self.screen.at());
                    let keys = std::mem::replace(&mut self.keys, Keys::NONE);
                    if self.entered.len() < MOST_ENTERS {
                        self.entered.push_back(keys);
                    }
                }
                byte => {
                    self.start.get_or_insert(self.screen.at());
                    self.keys = self.keys.and(*byte);
                }
            }
        }
    }

    fn tell(&mut self, text: String, confidence: Confidence) {
        if text.is_empty() {
            return;
        }
        let text: String = text.chars().take(LONGEST).collect();
        self.events.push(Event::Command { channel: self.channel, text: text.into(), confidence });
    }

    /// What was held back for a mark is told without it.
    fn let_go(&mut self) {
        if let Some(text) = self.held.take() {
            self.tell(text, Confidence::Echoed);
        }
    }

    /// The terminal goes on to the next line.
    fn line_ends(&mut self) {
        let entered = self.entered.pop_front();
        let text = entered.and_then(|keys| match self.start {
            Some(start) => Some(self.screen.text_from(start)).filter(|text| keys.fits(text)),
            // It was typed before there was a prompt: as many letters as there were, at the end of what stands there.
            None => keys.last_of(&self.screen.text_from(0)),
        });
        let text = text.unwrap_or_default();
        if let Zone::Input(_) = self.zone {
            // A second line before any mark says what the first one was: it is not lost for that.
            if !text.is_empty() {
                self.let_go();
                self.held = Some(text);
            }
            self.screen.next_row();
        } else {
            self.tell(text, Confidence::Echoed);
            self.screen.next_line();
        }
        // Without Enter something was shown in between, and the line goes on below it.
        self.start = if entered.is_some() { None } else { self.start.map(|start| self.screen.column_of(start)) };
    }

    fn marked(&mut self, mark: Mark) {
        match mark {
            Mark::Prompt => {
                self.let_go();
                (self.zone, self.start, self.given) = (Zone::Prompt, None, None);
            }
            // One that is drawn again has its end where it had it.
            Mark::Input if matches!(self.zone, Zone::Input(_)) => {}
            Mark::Input => self.zone = Zone::Input(self.screen.at()),
            Mark::Line(text) => self.given = Some(text),
            Mark::Runs => {
                let shown = match self.zone {
                    Zone::Input(from) => self.screen.text_from(from),
                    Zone::Unknown | Zone::Prompt | Zone::Running { .. } => String::new(),
                };
                self.held = None;
                let text = self.given.take().unwrap_or_else(|| shown.clone());
                let told = !text.trim().is_empty();
                let differs = words(&text) != words(&shown);
                self.tell(text.trim().to_owned(), Confidence::Marked);
                // Where the shell says another line than stood there, both are told.
                if differs {
                    self.tell(shown, Confidence::Echoed);
                }
                (self.zone, self.start) = (Zone::Running { told }, None);
                self.screen.next_line();
            }
            Mark::Done(status) => {
                self.let_go();
                if self.zone == (Zone::Running { told: true }) {
                    self.events.push(Event::Done { channel: self.channel, status });
                }
                (self.zone, self.start) = (Zone::Unknown, None);
            }
        }
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

impl vte::Perform for Inner {
    fn print(&mut self, c: char) {
        self.screen.print(c);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c if self.screen.is_aside() => {}
            b'\n' | 0x0b | 0x0c => self.line_ends(),
            byte => self.screen.control(byte),
        }
    }

    fn csi_dispatch(&mut self, params: &vte::Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore {
            return;
        }
        let before = self.screen.is_aside();
        self.screen.sequence(params, intermediates, action);
        if before != self.screen.is_aside() {
            (self.start, self.keys, self.told) = (None, Keys::NONE, false);
            self.entered.clear();
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _bell_terminated: bool) {
        if let Some(mark) = Mark::read(params) {
            self.marked(mark);
        }
    }
}

#[cfg(test)]
mod tests;
