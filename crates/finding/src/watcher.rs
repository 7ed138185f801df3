//! Rules held against one session.

use std::collections::HashMap;
use std::sync::Arc;

use wane_recording::{Event, FileDeed, Program, Side, Then};

use crate::lines::Lines;
use crate::rule::{Deed, Glob, Rules};

/// After so many findings of one rule in one session, the rest is only counted; one that cuts is never too many.
const MOST_OF_ONE: u32 = 20;
/// How much is shown of what was found.
const LONGEST_SHOWN: usize = 200;

/// Something that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which rule.
    pub rule: String,
    /// On which channel.
    pub channel: Option<u32>,
    /// In what: the command, the name of the file, the line.
    pub what: String,
    /// What follows.
    pub then: Then,
}

/// The rules of one session, and what they have to remember of it.
#[derive(Debug, Default)]
pub struct Watcher {
    sets: Vec<Arc<Rules>>,
    lines: HashMap<(u32, Side), Written>,
    /// How often each rule found something, by set and place.
    times: HashMap<(usize, usize), u32>,
}

#[derive(Debug, Default)]
struct Written {
    lines: Lines,
    /// The rules that found something in the line under way.
    told: Vec<(usize, usize)>,
}

impl Watcher {
    /// With these sets of rules; nothing if there is no rule in any.
    #[must_use]
    pub fn new(sets: Vec<Arc<Rules>>) -> Option<Self> {
        let sets: Vec<_> = sets.into_iter().filter(|set| !set.is_empty()).collect();
        if sets.is_empty() { None } else { Some(Self { sets, ..Self::default() }) }
    }

    /// Whether what programs write is looked at.
    #[must_use]
    pub fn reads_output(&self) -> bool {
        self.sets.iter().any(|set| set.output.is_some())
    }

    /// What the rules find in an event. Lines that programs write are looked at as soon as there is anything of
    /// them, and each rule finds one thing in one line.
    pub fn event(&mut self, event: &Event<'_>) -> Vec<Found> {
        match event {
            Event::Started { channel, program: Program::Command(line) } => self.command(*channel, line),
            Event::Command { channel, text, .. } => self.command(*channel, text),
            Event::File { channel, deed, path, to } => self.file(*channel, *deed, path, to.as_deref()),
            Event::Tried { channel, deed, path } => self.file(*channel, *deed, path, None),
            Event::Data { channel, from: from @ (Side::Target | Side::TargetError), bytes } => {
                self.output(*channel, *from, bytes)
            }
            Event::Closed { channel } => {
                self.lines.retain(|(of, _), _| of != channel);
                Vec::new()
            }
            Event::Data { from: Side::Client | Side::Wane, .. }
            | Event::Started { program: Program::Shell | Program::Subsystem(_), .. }
            | Event::Opened { .. }
            | Event::Refused { .. }
            | Event::Allowed { .. }
            | Event::Terminal { .. }
            | Event::Resized { .. }
            | Event::Environment { .. }
            | Event::Eof { .. }
            | Event::Signal { .. }
            | Event::Exited { .. }
            | Event::Gap { .. }
            | Event::Over { .. }
            | Event::Done { .. }
            | Event::Transferred { .. }
            | Event::Unclear { .. }
            | Event::Finding { .. }
            | Event::Withheld { .. }
            | Event::Typed { .. }
            | Event::Request { .. }
            | Event::Answer { .. } => Vec::new(),
        }
    }

    fn command(&mut self, channel: u32, line: &str) -> Vec<Found> {
        let parts = parts(line);
        let hits = self.globs(|set| &set.commands, |glob, _| parts.iter().any(|part| glob.is_match(part)));
        self.found(hits, Some(channel), line)
    }

    fn file(&mut self, channel: u32, deed: FileDeed, path: &str, to: Option<&str>) -> Vec<Found> {
        let names = names(path, to);
        let hits = self.globs(
            |set| &set.files,
            |glob, deeds| (deeds.is_empty() || deeds.contains(&Deed(deed))) && names.iter().any(|n| glob.is_match(n)),
        );
        let to = to.map(|to| format!(" {to}")).unwrap_or_default();
        self.found(hits, Some(channel), &format!("{} {path}{to}", deed.name()))
    }

    fn globs(
        &self,
        of: impl Fn(&Rules) -> &Vec<(usize, Glob)>,
        hits: impl Fn(&Glob, &[Deed]) -> bool,
    ) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        for (number, set) in self.sets.iter().enumerate() {
            for (place, glob) in of(set) {
                let deeds = set.rules().get(*place).map(|rule| rule.deeds.as_slice()).unwrap_or_default();
                if hits(glob, deeds) {
                    out.push((number, *place));
                }
            }
        }
        out
    }

    fn output(&mut self, channel: u32, from: Side, bytes: &[u8]) -> Vec<Found> {
        if !self.reads_output() {
            return Vec::new();
        }
        let mut written = self.lines.remove(&(channel, from)).unwrap_or_default();
        let mut out = Vec::new();
        for piece in written.lines.bytes(bytes) {
            let mut hits = Vec::new();
            for (number, set) in self.sets.iter().enumerate() {
                let Some((patterns, places)) = &set.output else { continue };
                let places = patterns.matches(&piece.text).into_iter().filter_map(|n| places.get(n));
                hits.extend(places.map(|place| (number, *place)).filter(|hit| !written.told.contains(hit)));
            }
            written.told.extend(&hits);
            if piece.ends {
                written.told.clear();
            }
            out.extend(self.found(hits, Some(channel), &piece.text));
        }
        self.lines.insert((channel, from), written);
        out
    }

    fn found(&mut self, hits: Vec<(usize, usize)>, channel: Option<u32>, what: &str) -> Vec<Found> {
        let mut out = Vec::new();
        for hit in hits {
            let Some(rule) = self.sets.get(hit.0).and_then(|set| set.rules().get(hit.1)) else { continue };
            let times = self.times.entry(hit).or_default();
            *times = times.saturating_add(1);
            if *times <= MOST_OF_ONE || rule.then == Then::Cut {
                let what = what.trim().chars().take(LONGEST_SHOWN).collect();
                out.push(Found { rule: rule.id.clone(), channel, what, then: rule.then });
            }
        }
        out
    }
}

/// A command line, and what stands in it between `;`, `&`, `|` and ends of lines, without the space around.
/// Quotes are not looked at: what looks like a command in a text counts as one.
fn parts(line: &str) -> Vec<&str> {
    let whole = line.trim();
    let parts = whole.split([';', '&', '|', '\n']).map(str::trim).filter(|part| !part.is_empty() && *part != whole);
    std::iter::once(whole).chain(parts).collect()
}

/// The names by which a file is looked for: as it was named, without `.` and `..`, and in the folder it was
/// copied to.
fn names(path: &str, to: Option<&str>) -> Vec<String> {
    let mut out = vec![path.to_owned(), plain(path)];
    if let Some(to) = to {
        out.extend([to.to_owned(), plain(to), plain(&format!("{path}/{to}"))]);
    }
    out.dedup();
    out
}

/// A path without `.`, `..` and doubled slashes. One that climbs out of where it begins is taken to have
/// reached the root.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut rooted = path.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => rooted |= parts.pop().is_none(),
            part => parts.push(part),
        }
    }
    format!("{}{}", if rooted { "/" } else { "" }, parts.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use wane_recording::Confidence;

    use super::*;

    fn watcher(rules: serde_json::Value) -> Watcher {
        Watcher::new(vec![Arc::new(Rules::from_json(&rules).unwrap())]).unwrap()
    }

    fn typed(text: &str) -> Event<'_> {
        Event::Command { channel: 1, text: text.into(), confidence: Confidence::Echoed }
    }

    fn written(text: &[u8]) -> Event<'_> {
        Event::Data { channel: 1, from: Side::Target, bytes: text.into() }
    }

    fn file<'a>(deed: FileDeed, path: &'a str, to: Option<&'a str>) -> Event<'a> {
        Event::File { channel: 1, deed, path: path.into(), to: to.map(Into::into) }
    }

    #[test]
    fn commands_are_found_wherever_they_stand_in_a_line() {
        let rule = json!([{ "id": "sudo", "when": "command", "matches": "sudo *", "then": "notify" }]);
        for (text, found) in [
            ("sudo id", true),
            ("  sudo\tid", false),
            ("  sudo id  ", true),
            ("cd /x && sudo id", true),
            ("true; sudo rm -rf /a/b", true),
            ("echo x|sudo tee /etc/passwd", true),
            ("if true\nthen\nsudo id\nfi", true),
            ("visudo id", false),
            ("sudo", false),
            ("echo sudo id", false),
            // Quotes are not looked at, and the docs say so.
            ("echo 'a; sudo b'", true),
        ] {
            assert_eq!(!watcher(rule.clone()).event(&typed(text)).is_empty(), found, "{text}");
            let sent = Event::Started { channel: 1, program: Program::Command(text.into()) };
            assert_eq!(!watcher(rule.clone()).event(&sent).is_empty(), found, "{text}");
        }
    }

    #[test]
    fn files_are_found_however_they_are_named() {
        let rule =
            json!([{ "id": "etc", "when": "file", "matches": "/etc/**", "deeds": ["write", "rename"], "then": "cut" }]);
        for (event, found) in [
            (file(FileDeed::Write, "/etc/passwd", None), true),
            (file(FileDeed::Read, "/etc/passwd", None), false),
            (file(FileDeed::Write, "/tmp/../etc//cron.d/./x", None), true),
            (file(FileDeed::Write, "../../../etc/passwd", None), true),
            (file(FileDeed::Write, "etc/passwd", None), false),
            (file(FileDeed::Rename, "/tmp/x", Some("/etc/passwd")), true),
            (file(FileDeed::Write, "/etc", Some("passwd")), true),
            (file(FileDeed::Write, "/srv/etc/passwd", None), false),
            (Event::Tried { channel: 1, deed: FileDeed::Write, path: "/etc/shadow".into() }, true),
        ] {
            assert_eq!(!watcher(rule.clone()).event(&event).is_empty(), found, "{event:?}");
        }
        let near = json!([{ "id": "one", "when": "file", "matches": "/srv/*", "then": "notify" }]);
        assert_eq!(watcher(near.clone()).event(&file(FileDeed::Read, "/srv/a", None)).len(), 1);
        assert!(watcher(near).event(&file(FileDeed::Read, "/srv/a/b", None)).is_empty());
    }

    #[test]
    fn a_line_is_found_before_it_ends_once_and_without_its_colours() {
        let rules = json!([{ "id": "key", "when": "output", "matches": "BEGIN .*PRIVATE KEY", "then": "cut" }]);
        let mut watcher = watcher(rules);
        assert!(watcher.event(&written(b"nothing\r\n--BEGIN \x1b[31mOPEN")).is_empty());
        let found = watcher.event(&written(b"SSH\x1b[0m PRIVATE KEY"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].rule.as_str(), found[0].what.as_str()), ("key", "--BEGIN OPENSSH PRIVATE KEY"));
        assert!(watcher.event(&written(b"--\n")).is_empty(), "the line was told of");
        assert_eq!(watcher.event(&written(b"BEGIN PRIVATE KEY\nBEGIN PRIVATE KEY\n")).len(), 2);
        // Errors are lines of their own.
        let error = Event::Data { channel: 1, from: Side::TargetError, bytes: b"BEGIN ".into() };
        assert!(watcher.event(&error).is_empty());
        assert!(watcher.event(&written(b"PRIVATE KEY\n")).is_empty());
        // In a line that is too long to be kept whole it is found all the same.
        let long = [vec![b'x'; 4090], b"BEGIN PRIVATE KEY".to_vec(), vec![b'y'; 5000]].concat();
        assert!(!watcher.event(&written(&long)).is_empty());
    }

    #[test]
    fn what_is_found_again_and_again_is_told_a_bounded_number_of_times() {
        let rules = json!([
            { "id": "a", "when": "command", "matches": "id", "then": "notify" },
            { "id": "b", "when": "command", "matches": "w", "then": "cut" },
        ]);
        let mut watcher = watcher(rules);
        let times =
            |watcher: &mut Watcher, text: &str| (0..50).map(|_| watcher.event(&typed(text)).len()).sum::<usize>();
        assert_eq!((times(&mut watcher, "id"), times(&mut watcher, "w")), (20, 50));
        assert!(Watcher::new(vec![Arc::default()]).is_none(), "no rules, nothing to do");
    }

    proptest! {
        /// However output is cut into pieces: a pattern that asks for no end of a line finds the same lines.
        #[test]
        fn pieces_find_what_the_whole_finds(
            text in "(a|b|x{3}|\n|\r\n|\u{1b}\\[3[0-9]m|\u{1b}\\]0;t\u{7}|ä){0,60}",
            cuts in proptest::collection::vec(0_usize..80, 0..6),
        ) {
            let rules = json!([{ "id": "ab", "when": "output", "matches": "ab+a|xä", "then": "cut" }]);
            let whole = watcher(rules.clone()).event(&written(text.as_bytes())).len();
            let (mut watcher, mut from, mut found) = (watcher(rules), 0, 0);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            for cut in cuts {
                found += watcher.event(&written(&text.as_bytes()[from..cut])).len();
                from = cut;
            }
            prop_assert_eq!(found, whole);
        }
    }
}
