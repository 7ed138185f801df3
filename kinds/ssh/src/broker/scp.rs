//! Names of files in the conversation of `scp -t` and `scp -f`, the form from before SFTP: lines that name a file
//! and say how long it is, then as many bytes.
//!
//! Owns: which command line is one, and what is named. What does not fit ends the reading, with one event that
//! says so.

use wane_recording::{Event, FileDeed, Side};

/// A line that names a file (PATH_MAX, and what stands before).
const LONGEST: usize = 4096 + 64;
/// Folders within folders.
const DEEPEST: usize = 256;

/// One conversation.
#[derive(Debug)]
pub(crate) struct Scp {
    channel: u32,
    deed: FileDeed,
    /// What was asked for: where files go, or which.
    place: String,
    folders: Vec<String>,
    line: Vec<u8>,
    at: At,
    /// What is done once the host agrees, of a copy to it.
    waits: Option<Named>,
}

#[derive(Debug)]
struct Named {
    deed: FileDeed,
    name: String,
}

/// Where one is in what the side says that has the files.
#[derive(Debug)]
enum At {
    Line,
    /// So much of a file is still to come, and then one byte.
    Contents {
        name: String,
        whole: u64,
        left: u64,
    },
    Lost,
}

impl Scp {
    /// If this command line is one.
    pub(crate) fn of(channel: u32, line: &str) -> Option<Self> {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let program = words.next()?;
        if program.rsplit('/').next() != Some("scp") {
            return None;
        }
        let (mut deed, mut place) = (None, Vec::new());
        for word in words {
            match word.strip_prefix('-').filter(|_| place.is_empty()) {
                Some("-") => {}
                Some(letters) if letters.contains('t') => deed = Some(FileDeed::Write),
                Some(letters) if letters.contains('f') => deed = Some(FileDeed::Read),
                Some(_) => {}
                None => place.push(word),
            }
        }
        let place = place.join(" ");
        Some(Self { channel, deed: deed?, place, folders: Vec::new(), line: Vec::new(), at: At::Line, waits: None })
    }

    pub(crate) fn is_understood(&self) -> bool {
        !matches!(self.at, At::Lost)
    }

    /// What these bytes say that was done.
    pub(crate) fn heard(&mut self, from: Side, bytes: &[u8]) -> Vec<Event<'static>> {
        match (from, self.deed) {
            (Side::Client, FileDeed::Write) | (Side::Target, FileDeed::Read) => self.named(bytes),
            (Side::Target, _) => self.agreed(bytes),
            (Side::Client | Side::TargetError | Side::Wane, _) => Vec::new(),
        }
    }

    fn named(&mut self, mut bytes: &[u8]) -> Vec<Event<'static>> {
        let mut events = Vec::new();
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.at {
                At::Lost => break,
                At::Contents { left, .. } if *left > 0 => {
                    let passes = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= passes as u64;
                    bytes = bytes.get(passes..).unwrap_or_default();
                }
                At::Contents { name, whole, .. } => {
                    // The byte after it: whether all of it was there.
                    let (name, whole) = (std::mem::take(name), *whole);
                    let path = self.path(&name);
                    let (read, written) = if self.deed == FileDeed::Read { (whole, 0) } else { (0, whole) };
                    events.push(Event::Transferred { channel: self.channel, path: path.into(), read, written });
                    self.at = At::Line;
                    bytes = rest;
                }
                At::Line => {
                    bytes = rest;
                    // Answers stand between lines: of the side that takes, and complaints of the one that sends.
                    if self.line.is_empty() && matches!(first, 0..=2) {
                        continue;
                    }
                    if *first != b'\n' {
                        self.line.push(*first);
                        if self.line.len() > LONGEST {
                            events.extend(self.lost());
                        }
                        continue;
                    }
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    match self.line(&line) {
                        Some(event) => events.extend(event),
                        None => events.extend(self.lost()),
                    }
                }
            }
        }
        events
    }

    /// A line, and what it says that is done; nothing if it is no such line.
    #[expect(clippy::option_option, reason = "a line that says nothing is one all the same")]
    fn line(&mut self, line: &str) -> Option<Option<Event<'static>>> {
        let mut parts = line.splitn(3, ' ');
        let (mode, size, name) = (parts.next()?, parts.next(), parts.next());
        let name = || name.filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned);
        match mode.as_bytes().first()? {
            b'C' => {
                let (name, whole) = (name()?, size?.parse().ok()?);
                self.at = At::Contents { name: name.clone(), whole, left: whole };
                Some(self.does(self.deed, name))
            }
            b'D' => {
                let name = name()?;
                if self.folders.len() >= DEEPEST {
                    return None;
                }
                self.folders.push(name);
                let deed = if self.deed == FileDeed::Write { FileDeed::MakeFolder } else { FileDeed::List };
                Some(self.does(deed, String::new()))
            }
            b'E' if line == "E" => self.folders.pop().map(|_| None),
            b'T' => Some(None),
            // A complaint goes on to its end of line: the byte before it was an answer.
            _ if self.deed == FileDeed::Read => Some(None),
            _ => None,
        }
    }

    /// Of a copy from the host it is done; of one to it, once it agrees.
    fn does(&mut self, deed: FileDeed, name: String) -> Option<Event<'static>> {
        if self.deed == FileDeed::Read {
            return Some(self.file(deed, &name));
        }
        self.waits = Some(Named { deed, name });
        None
    }

    fn agreed(&mut self, bytes: &[u8]) -> Vec<Event<'static>> {
        let Some(first) = bytes.first() else { return Vec::new() };
        let Some(waits) = self.waits.take() else { return Vec::new() };
        let (channel, deed) = (self.channel, waits.deed);
        vec![match first {
            0 => self.file(deed, &waits.name),
            _ => Event::Tried { channel, deed, path: self.path(&waits.name).into() },
        }]
    }

    /// What was asked for, and under which name it goes: where that is a folder, it is in it.
    fn file(&self, deed: FileDeed, name: &str) -> Event<'static> {
        let mut to = self.folders.clone();
        to.extend(Some(name.to_owned()).filter(|name| !name.is_empty()));
        Event::File { channel: self.channel, deed, path: self.place.clone().into(), to: Some(to.join("/").into()) }
    }

    fn path(&self, name: &str) -> String {
        let parts = std::iter::once(self.place.as_str()).chain(self.folders.iter().map(String::as_str)).chain([name]);
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    fn lost(&mut self) -> Option<Event<'static>> {
        (self.at, self.line, self.waits) = (At::Lost, Vec::new(), None);
        Some(Event::Unclear { channel: self.channel, why: "what passes is no copy that is understood here".into() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(deed: FileDeed, path: &'static str, to: &'static str) -> Event<'static> {
        Event::File { channel: 1, deed, path: path.into(), to: Some(to.into()) }
    }

    fn passed(path: &'static str, read: u64, written: u64) -> Event<'static> {
        Event::Transferred { channel: 1, path: path.into(), read, written }
    }

    #[test]
    fn only_its_own_command_lines_are_taken() {
        for (line, place) in [
            ("scp -t /tmp/x", Some("/tmp/x")),
            ("scp -r -p -d -t -- /tmp/a b", Some("/tmp/a b")),
            ("/usr/bin/scp -pf x", Some("x")),
            ("scp a b", None),
            ("scpx -t a", None),
            ("ls -t", None),
            ("", None),
        ] {
            assert_eq!(Scp::of(1, line).map(|scp| scp.place), place.map(str::to_owned), "{line}");
        }
    }

    #[test]
    fn what_is_copied_there_is_told_once_the_host_agrees() {
        let mut scp = Scp::of(1, "scp -r -t /srv").unwrap();
        let mut say = |from, bytes: &[u8]| scp.heard(from, bytes);
        assert!(say(Side::Target, b"\0").is_empty());
        assert!(say(Side::Client, b"T1 0 1 0\nD0755 0 folder\n").is_empty());
        assert!(say(Side::Target, b"").is_empty(), "no bytes are no answer");
        assert_eq!(say(Side::Target, b"\0"), [file(FileDeed::MakeFolder, "/srv", "folder")]);
        assert!(say(Side::Client, b"C0644 5 a b.txt\n").is_empty());
        assert_eq!(say(Side::Target, b"\0"), [file(FileDeed::Write, "/srv", "folder/a b.txt")]);
        assert!(say(Side::Client, b"he\nlo").is_empty());
        assert_eq!(say(Side::Client, b"\0"), [passed("/srv/folder/a b.txt", 0, 5)]);
        assert!(say(Side::Client, b"E\nC0644 1 no\n").is_empty());
        let refused = Event::Tried { channel: 1, deed: FileDeed::Write, path: "/srv/no".into() };
        assert_eq!(say(Side::Target, b"\x01scp: no: Permission denied\n"), [refused]);
    }

    #[test]
    fn what_is_copied_from_there_is_told_before_it_passes() {
        let mut scp = Scp::of(1, "scp -f /srv/x").unwrap();
        let mut events = scp.heard(Side::Target, b"\x01scp: y: No such file\nC0644 3 x\n");
        assert_eq!(events, [file(FileDeed::Read, "/srv/x", "x")]);
        events = scp.heard(Side::Target, b"abc\0");
        assert_eq!(events, [passed("/srv/x/x", 3, 0)]);
        assert!(scp.is_understood());
    }

    #[test]
    fn what_is_no_copy_is_said_once() {
        for bad in ["hello\n", "C0644 x y\n", "C0644 1 a/b\n", "C0644 1\n", "E\n", "D0755 0 \n"] {
            let mut scp = Scp::of(1, "scp -t .").unwrap();
            let events = scp.heard(Side::Client, [bad, bad].concat().as_bytes());
            assert!(matches!(&events[..], [Event::Unclear { .. }]), "{bad}: {events:?}");
            assert!(!scp.is_understood());
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(bytes in proptest::collection::vec(prop_oneof![Just(b'C'), Just(b'D'), Just(b'E'), Just(b' '), Just(b'\n'), Just(b'1'), Just(b'a'), any::<u8>()], 0..120), cut in 0_usize..120) {
            let stream = [&b"C0644 3 x\nabc\0D0755 0 y\n"[..], &bytes].concat();
            let (one, two) = stream.split_at(cut.min(stream.len()));
            let heard = |pieces: &[&[u8]]| {
                let mut scp = Scp::of(1, "scp -r -f y").unwrap();
                pieces.iter().flat_map(|piece| scp.heard(Side::Target, piece)).collect::<Vec<_>>()
            };
            prop_assert_eq!(heard(&[one, two]), heard(&[&stream]));
        }
    }
}
