//! What the record of a closed session says about it: how much, which sorts, what was refused and found, and the
//! verdict on it. No content but what a rule found.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wane_app::Verdict;
use wane_domain::time::Span;
use wane_recording::{Event, Program};

/// Different things that are told one by one, before the rest is only counted.
const MOST_TOLD: usize = 64;

/// The tally of one session.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    opened: BTreeMap<String, u32>,
    ran: BTreeMap<&'static str, u32>,
    refused: Counted,
    findings: Counted,
    commands: BTreeMap<&'static str, u32>,
    files: BTreeMap<&'static str, u32>,
    tried: u32,
    /// Requests to an application, and its answers by the first digit of their status.
    requests: u32,
    answers: BTreeMap<String, u32>,
    /// What says that it was outside, and what says that nobody knows.
    outside: Reasons,
    unknown: Reasons,
}

/// Things by how often they were, up to a number of different ones.
#[derive(Debug, Default)]
struct Counted {
    times: BTreeMap<String, u32>,
    more: u32,
}

impl Counted {
    fn add(&mut self, what: &str) {
        if let Some(times) = self.times.get_mut(what) {
            *times = times.saturating_add(1);
        } else if self.times.len() < MOST_TOLD {
            self.times.insert(what.to_owned(), 1);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

/// Reasons, each with when it was first there.
#[derive(Debug, Default)]
struct Reasons {
    list: Vec<(String, Span)>,
}

impl Reasons {
    fn add(&mut self, since: Span, why: String) {
        if self.list.len() < MOST_TOLD && !self.list.iter().any(|(known, _)| *known == why) {
            self.list.push((why, since));
        }
    }

    fn json(&self) -> Value {
        let places = self.list.iter().map(|(why, since)| json!({ "what": why, "at_ms": since.micros() / 1000 }));
        places.collect()
    }
}

impl Tally {
    /// Something happened, so long after the session began.
    pub(crate) fn add(&mut self, since: Span, event: &Event<'_>) {
        match event {
            Event::Opened { kind, about, .. } => {
                count(&mut self.opened, kind.to_string());
                if *kind != "session" {
                    self.unknown.add(since, format!("opened: {kind} {about}").trim_end().to_owned());
                }
            }
            Event::Started { program, .. } => match program {
                Program::Shell => {
                    count(&mut self.ran, "shell");
                    self.unknown.add(since, "ran: shell".to_owned());
                }
                Program::Command(_) => count(&mut self.ran, "exec"),
                // What is not understood of it is said.
                Program::Subsystem(_) => count(&mut self.ran, "subsystem"),
            },
            Event::Refused { what, .. } => {
                self.refused.add(what);
                self.outside.add(since, format!("refused: {what}"));
            }
            Event::Finding { rule, .. } => {
                self.findings.add(rule);
                self.outside.add(since, format!("found by: {rule}"));
            }
            Event::Unclear { why, .. } => self.unknown.add(since, format!("unclear: {why}")),
            Event::Command { confidence, .. } => {
                count(&mut self.commands, confidence.name());
                self.unknown.add(since, "ran: commands in a program".to_owned());
            }
            Event::File { deed, .. } => count(&mut self.files, deed.name()),
            Event::Request { .. } => self.requests = self.requests.saturating_add(1),
            Event::Answer { status, .. } => count(&mut self.answers, format!("{}xx", status / 100)),
            Event::Tried { .. } => self.tried = self.tried.saturating_add(1),
            Event::Terminal { .. }
            | Event::Resized { .. }
            | Event::Environment { .. }
            | Event::Allowed { .. }
            | Event::Data { .. }
            | Event::Closed { .. }
            | Event::Eof { .. }
            | Event::Signal { .. }
            | Event::Exited { .. }
            | Event::Gap { .. }
            | Event::Over { .. }
            | Event::Done { .. }
            | Event::Transferred { .. }
            | Event::Withheld { .. }
            | Event::Typed { .. } => {}
        }
    }

    pub(crate) fn json(&self, (up, down): (u64, u64), why: &str) -> Value {
        let mut told = json!({
            "why": why, "bytes_up": up, "bytes_down": down, "channels": self.opened, "programs": self.ran,
            "refused": self.refused.times, "refused_more": self.refused.more,
            "findings": self.findings.times, "findings_more": self.findings.more,
            "commands": self.commands, "files": self.files, "files_tried": self.tried,
            "verdict": { "word": self.verdict().name(), "because": self.because() },
        });
        if let (true, Some(told)) = (self.requests > 0, told.as_object_mut()) {
            told.insert("requests".to_owned(), json!(self.requests));
            told.insert("answers".to_owned(), json!(self.answers));
        }
        told
    }

    /// Whether the session stayed inside what its role names, as far as that can be seen: what it asked for
    /// beyond that was refused, and makes it `outside`, as does what a rule found. Where a program was steered
    /// from inside the session, or something went elsewhere through it, nobody here knows all that was done:
    /// `unknown`. A command that was sent, and files that were carried in a way that is understood, are `inside`.
    pub(crate) fn verdict(&self) -> Verdict {
        if !self.outside.list.is_empty() {
            Verdict::Outside
        } else if !self.unknown.list.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Inside
        }
    }

    fn because(&self) -> Value {
        match self.verdict() {
            Verdict::Outside => self.outside.json(),
            Verdict::Unknown | Verdict::Inside => self.unknown.json(),
        }
    }

    pub(crate) fn channels(&self) -> u32 {
        self.opened.values().fold(self.requests, |sum, count| sum.saturating_add(*count))
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u32>, of: K) {
    let count = counts.entry(of).or_default();
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use wane_recording::{Confidence, FileDeed, Then};

    use super::*;

    fn tally(events: &[Event<'_>]) -> Value {
        let mut tally = Tally::default();
        for (n, event) in events.iter().enumerate() {
            tally.add(Span::from_secs(n as u64), event);
        }
        tally.json((0, 0), "over")
    }

    #[test]
    fn a_session_is_inside_outside_or_nobody_knows() {
        let opened = |kind: &'static str| Event::Opened { channel: 0, kind: kind.into(), about: "".into() };
        let ran = |program| Event::Started { channel: 0, program };
        let command = || ran(Program::Command("id".into()));
        let sftp = || ran(Program::Subsystem("sftp".into()));
        let file = || Event::File { channel: 0, deed: FileDeed::Read, path: "/x".into(), to: None };
        let refused = || Event::Refused { channel: None, what: "agent".into() };
        let unclear = || Event::Unclear { channel: 0, why: "no SFTP".into() };
        let typed = || Event::Command { channel: 0, text: "id".into(), confidence: Confidence::Marked };
        let found =
            || Event::Finding { channel: None, rule: "sudo".into(), what: "sudo id".into(), then: Then::Notify };
        for (events, word, because) in [
            (vec![], "inside", vec![]),
            (vec![opened("session"), command()], "inside", vec![]),
            (vec![opened("session"), command(), ran(Program::Shell)], "unknown", vec![("ran: shell", 2000)]),
            (vec![command(), typed(), typed()], "unknown", vec![("ran: commands in a program", 1000)]),
            (vec![sftp(), file()], "inside", vec![]),
            (vec![sftp(), file(), unclear(), unclear()], "unknown", vec![("unclear: no SFTP", 2000)]),
            (vec![opened("session"), opened("direct-tcpip")], "unknown", vec![("opened: direct-tcpip", 1000)]),
            (vec![ran(Program::Shell), refused(), refused()], "outside", vec![("refused: agent", 1000)]),
            (vec![command(), found()], "outside", vec![("found by: sudo", 1000)]),
        ] {
            let because: Vec<_> = because.iter().map(|(what, at)| json!({ "what": what, "at_ms": at })).collect();
            assert_eq!(tally(&events)["verdict"], json!({ "word": word, "because": because }), "{events:?}");
        }
    }

    #[test]
    fn what_was_understood_is_counted() {
        let typed = |confidence| Event::Command { channel: 0, text: "id".into(), confidence };
        let file = |deed| Event::File { channel: 0, deed, path: "/x".into(), to: None };
        let said = tally(&[
            typed(Confidence::Marked),
            typed(Confidence::Echoed),
            typed(Confidence::Echoed),
            file(FileDeed::Write),
            Event::Tried { channel: 0, deed: FileDeed::Read, path: "/y".into() },
        ]);
        assert_eq!(said["commands"], json!({ "marked": 1, "echoed": 2 }));
        assert_eq!((&said["files"], &said["files_tried"]), (&json!({ "write": 1 }), &json!(1)));
    }

    #[test]
    fn what_is_told_is_bounded() {
        let said: Vec<_> = (0..1000).map(|n| format!("env X{n}")).collect();
        let events: Vec<_> =
            said.iter().map(|what| Event::Refused { channel: None, what: what.as_str().into() }).collect();
        let said = tally(&events);
        assert_eq!(said["refused"].as_object().unwrap().len(), MOST_TOLD);
        assert_eq!(said["refused_more"], 1000 - MOST_TOLD);
        assert_eq!(said["verdict"]["because"].as_array().unwrap().len(), MOST_TOLD);
    }
}
