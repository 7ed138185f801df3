//! Looking for a text in what was recorded, with bounded memory: commands, files, input and output.

use std::collections::HashMap;
use std::io::Read;

use wane_domain::time::Time;
use wane_recording::{Ending, Event, Piece, Program, ReadError, Reader, Side};

use super::read::Place;

/// Places that are told of one recording.
const MOST_PLACES: usize = 5;
/// How much around a place is shown, on each side.
const AROUND: usize = 60;

/// What one search through one recording came to.
pub(super) struct Looked {
    /// The first few places in which the text stands.
    pub(super) places: Vec<Place>,
    /// How much may still be looked through.
    pub(super) left: usize,
    /// Whether something of it was left out for being damaged.
    pub(super) damaged: bool,
    /// Whether it stops before its last chunk.
    pub(super) cut: bool,
    /// Why it was not looked through to its end.
    pub(super) failed: Option<ReadError>,
}

/// Where a text is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Within {
    /// Everywhere.
    #[default]
    All,
    /// In commands.
    Commands,
    /// In names of files.
    Files,
}

/// One search through one recording.
pub(super) struct Search<'a> {
    text: &'a str,
    within: Within,
    /// The end of what was said before, by channel and side: a text may lie in two pieces.
    before: HashMap<(u32, Side), String>,
    places: Vec<Place>,
    /// How much of what was said may still be looked through.
    left: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(text: &'a str, within: Within, left: usize) -> Self {
        Self { text, within, before: HashMap::new(), places: Vec::new(), left }
    }

    /// Looks through a recording. What is damaged is left out.
    pub(super) fn through<R: Read>(mut self, mut reader: Reader<R>) -> Looked {
        let (mut damaged, mut cut, mut failed) = (false, false, None);
        while self.places.len() < MOST_PLACES && self.left > 0 {
            match reader.next(|at, event| self.event(at, &event)) {
                Ok(Piece::Chunk) => {}
                Ok(Piece::Damaged(_)) => damaged = true,
                Ok(Piece::End(ending)) => {
                    cut = ending != Ending::Whole;
                    break;
                }
                Ok(Piece::Waiting) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        Looked { places: self.places, left: self.left, damaged, cut, failed }
    }

    fn event(&mut self, at: Time, event: &Event<'_>) {
        let channel = event.channel();
        match event {
            Event::Data { channel, from, bytes } => self.data(at, *channel, *from, bytes),
            Event::Started { program: Program::Command(line) | Program::Subsystem(line), .. } => {
                self.look(at, channel, "command", line);
            }
            Event::Command { text, .. } => self.look(at, channel, "command", text),
            Event::File { path, to: None, .. } | Event::Tried { path, .. } => self.look(at, channel, "file", path),
            Event::File { path, to: Some(to), .. } => self.look(at, channel, "file", &format!("{path} {to}")),
            Event::Request { method, target, .. } => self.look(at, channel, "event", &format!("{method} {target}")),
            Event::Finding { rule, what, .. } => self.look(at, channel, "event", &format!("{rule}: {what}")),
            Event::Unclear { why, .. } => self.look(at, channel, "event", why),
            Event::Opened { kind, about, .. } => self.look(at, channel, "event", &format!("{kind} {about}")),
            Event::Refused { what, .. } | Event::Allowed { what, .. } => self.look(at, channel, "event", what),
            Event::Environment { name, value, .. } => self.look(at, channel, "event", &format!("{name}={value}")),
            Event::Started { program: Program::Shell, .. }
            | Event::Terminal { .. }
            | Event::Resized { .. }
            | Event::Eof { .. }
            | Event::Signal { .. }
            | Event::Exited { .. }
            | Event::Closed { .. }
            | Event::Gap { .. }
            | Event::Over { .. }
            | Event::Done { .. }
            | Event::Transferred { .. }
            | Event::Withheld { .. }
            | Event::Typed { .. }
            | Event::Answer { .. } => {}
        }
    }

    fn data(&mut self, at: Time, channel: u32, from: Side, bytes: &[u8]) {
        self.left = self.left.saturating_sub(bytes.len());
        if self.within != Within::All {
            return;
        }
        let mut said = self.before.remove(&(channel, from)).unwrap_or_default();
        said.push_str(&String::from_utf8_lossy(bytes));
        let what = if from == Side::Client { "input" } else { "output" };
        self.look(at, Some(channel), what, &said);
        // Shorter than the text, so that no place is told twice.
        let keep = self.text.len().saturating_sub(1);
        let mut cut = said.len().saturating_sub(keep);
        while !said.is_char_boundary(cut) {
            cut += 1;
        }
        self.before.insert((channel, from), said.split_off(cut));
    }

    fn look(&mut self, at: Time, channel: Option<u32>, what: &'static str, said: &str) {
        let wanted = match self.within {
            Within::All => true,
            Within::Commands => what == "command",
            Within::Files => what == "file",
        };
        if !wanted {
            return;
        }
        let Some(place) = said.find(self.text).filter(|_| self.places.len() < MOST_PLACES) else { return };
        let mut from = place.saturating_sub(AROUND);
        while !said.is_char_boundary(from) {
            from += 1;
        }
        let mut to = place.saturating_add(self.text.len()).saturating_add(AROUND).min(said.len());
        while !said.is_char_boundary(to) {
            to -= 1;
        }
        let text = said.get(from..to).unwrap_or_default().to_owned();
        self.places.push(Place { at, what, channel, text });
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::secret::Secret;
    use wane_recording::{Confidence, FileDeed, Header, Press, Recorder, SessionKey};
    use wane_testkit::FakeClock;

    use super::*;

    #[test]
    fn commands_and_files_are_searched_by_themselves() {
        let at = Time::from_micros(0);
        let events = [
            Event::Data { channel: 0, from: Side::Target, bytes: b"kanarie".into() },
            Event::Command { channel: 0, text: "cat kanarie".into(), confidence: Confidence::Echoed },
            Event::File { channel: 0, deed: FileDeed::Rename, path: "/x".into(), to: Some("/kanarie".into()) },
            Event::Tried { channel: 0, deed: FileDeed::Read, path: "/kanarie".into() },
        ];
        for (within, found) in [
            (Within::All, vec!["output", "command", "file", "file"]),
            (Within::Commands, vec!["command"]),
            (Within::Files, vec!["file", "file"]),
        ] {
            let mut search = Search::new("kanarie", within, 1000);
            events.iter().for_each(|event| search.event(at, event));
            assert_eq!(search.places.iter().map(|place| place.what).collect::<Vec<_>>(), found, "{within:?}");
        }
    }

    #[test]
    fn a_text_is_found_wherever_it_stands_and_once() {
        let at = Time::from_micros(0);
        let data = |from, bytes: &'static str| Event::Data { channel: 0, from, bytes: bytes.as_bytes().into() };
        for (events, found) in [
            (vec![data(Side::Target, "a kanarie b")], vec!["output"]),
            (vec![data(Side::Target, "a kana"), data(Side::Target, "rie b")], vec!["output"]),
            (vec![data(Side::Target, "a kana"), data(Side::Client, "x"), data(Side::Target, "rie")], vec!["output"]),
            (vec![data(Side::Target, "kana"), data(Side::Client, "rie")], vec![]),
            (vec![data(Side::Client, "kanarie\r"), data(Side::Target, "kanarie\r\n")], vec!["input", "output"]),
            (vec![data(Side::Target, "kanarie"), data(Side::Target, "x")], vec!["output"]),
            (vec![Event::Started { channel: 0, program: Program::Command("ls kanarie".into()) }], vec!["command"]),
            (vec![data(Side::Target, "ä"), data(Side::Target, "äkanarieä")], vec!["output"]),
        ] {
            let mut search = Search::new("kanarie", Within::All, 1000);
            events.iter().for_each(|event| search.event(at, event));
            assert_eq!(search.places.iter().map(|place| place.what).collect::<Vec<_>>(), found, "{events:?}");
        }
    }

    #[test]
    fn the_first_few_places_are_told_with_what_stands_around_them() {
        let (at, long) = (Time::from_micros(0), "ä".repeat(AROUND));
        let mut search = Search::new("kanarie", Within::All, 1000);
        for _ in 0..=MOST_PLACES {
            let text = format!("{long}xkanariex{long}").into();
            search.event(at, &Event::Command { channel: 0, text, confidence: Confidence::Echoed });
        }
        // No letter is cut in two.
        let whole = "ä".repeat(AROUND / 2 - 1);
        let around = format!("{whole}xkanariex{whole}");
        let told: Vec<_> = search.places.iter().map(|place| &place.text).collect();
        assert_eq!(told, vec![&around; MOST_PLACES]);
    }

    /// A text is told once although the end of it that is kept may not be cut where it would be.
    #[test]
    fn a_text_that_begins_with_a_letter_of_two_bytes_is_told_once() {
        let mut search = Search::new("ärger", Within::All, 1000);
        for bytes in ["ärger", "x"] {
            let bytes = bytes.as_bytes().into();
            search.event(Time::from_micros(0), &Event::Data { channel: 0, from: Side::Target, bytes });
        }
        assert_eq!(search.places.len(), 1, "{:?}", search.places);
    }

    /// A recording with these outputs, each in a chunk of its own.
    fn recording(outputs: &[&str]) -> Reader<std::io::Cursor<Vec<u8>>> {
        let ambient = FakeClock::at(Time::from_micros(0)).ambient(7);
        let header = Header {
            org: ambient.id(),
            session: ambient.id(),
            grant: ambient.id(),
            holder: ambient.id(),
            resource: ambient.id(),
            role: ambient.id(),
            kind: "ssh".parse().unwrap(),
            began: Time::from_micros(0),
        };
        let key = || SessionKey::new(&Secret::new(vec![9; 32])).unwrap();
        let (mut recorder, mut sealer, mut file) = Recorder::begin(&header, key()).unwrap();
        let mut press = Press::new().unwrap();
        for output in outputs {
            let bytes = output.as_bytes().into();
            recorder.event(header.began, &Event::Data { channel: 0, from: Side::Target, bytes }).unwrap();
            sealer.seal(&mut press, &recorder.take_away(), &mut file).unwrap();
        }
        Reader::open(std::io::Cursor::new(file), key()).unwrap()
    }

    #[test]
    fn a_search_ends_with_what_it_may_look_through_and_with_the_last_place_that_is_told() {
        for (left, outputs, found, rest) in [
            (20, vec!["kanarie", "kanarie"], 2, 6),
            (7, vec!["kanarie", "kanarie"], 1, 0),
            (1, vec!["nothing", "kanarie"], 0, 0),
            (0, vec!["kanarie"], 0, 0),
            (50, vec!["kanarie"; MOST_PLACES + 1], MOST_PLACES, 50 - 7 * MOST_PLACES),
        ] {
            let looked = Search::new("kanarie", Within::All, left).through(recording(&outputs));
            assert_eq!((looked.places.len(), looked.left), (found, rest), "{left} {outputs:?}");
        }
    }
}
