//! What the record of a closed session says about it: how much, which sorts, what was refused. No content.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wane_recording::{Event, Program};

/// Different things that were refused, before the rest is only counted.
const MOST_REFUSED: usize = 64;

/// The tally of one session.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    opened: BTreeMap<String, u32>,
    ran: BTreeMap<&'static str, u32>,
    refused: BTreeMap<String, u32>,
    refused_more: u32,
}

impl Tally {
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Opened { kind, .. } => {
                let count = self.opened.entry(kind.to_string()).or_default();
                *count = count.saturating_add(1);
            }
            Event::Started { program, .. } => {
                let how = match program {
                    Program::Shell => "shell",
                    Program::Command(_) => "exec",
                    Program::Subsystem(_) => "subsystem",
                };
                let count = self.ran.entry(how).or_default();
                *count = count.saturating_add(1);
            }
            Event::Refused { what, .. } => {
                if let Some(count) = self.refused.get_mut(&**what) {
                    *count = count.saturating_add(1);
                } else if self.refused.len() < MOST_REFUSED {
                    self.refused.insert(what.to_string(), 1);
                } else {
                    self.refused_more = self.refused_more.saturating_add(1);
                }
            }
            Event::Terminal { .. }
            | Event::Resized { .. }
            | Event::Environment { .. }
            | Event::Allowed { .. }
            | Event::Data { .. }
            | Event::Closed { .. }
            | Event::Eof { .. }
            | Event::Signal { .. }
            | Event::Exited { .. }
            | Event::File { .. }
            | Event::Gap { .. }
            | Event::Over { .. }
            | Event::Typed { .. } => {}
        }
    }

    pub(crate) fn json(&self, (up, down): (u64, u64), why: &str) -> Value {
        json!({
            "why": why, "bytes_up": up, "bytes_down": down, "channels": self.opened, "programs": self.ran,
            "refused": self.refused, "refused_more": self.refused_more, "verdict": self.verdict(),
        })
    }

    /// Whether the session stayed inside what its role names, as far as that can be seen: what it asked for
    /// beyond that was refused, and makes it `outside`; where a program was steered from inside the session, or
    /// something went elsewhere through it, nobody here knows what was done: `unknown`. With what says so.
    fn verdict(&self) -> Value {
        let beyond: Vec<String> = self.refused.keys().map(|what| format!("refused: {what}")).collect();
        if !beyond.is_empty() {
            return json!({ "word": "outside", "because": beyond });
        }
        let steered = self.ran.keys().filter(|how| **how != "exec").map(|how| format!("ran: {how}"));
        let passed = self.opened.keys().filter(|kind| *kind != "session").map(|kind| format!("opened: {kind}"));
        let unseen: Vec<String> = steered.chain(passed).collect();
        let word = if unseen.is_empty() { "inside" } else { "unknown" };
        json!({ "word": word, "because": unseen })
    }

    pub(crate) fn channels(&self) -> u32 {
        self.opened.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_inside_outside_or_nobody_knows() {
        let opened = |kind: &'static str| Event::Opened { channel: 0, kind: kind.into(), about: "".into() };
        let ran = |program| Event::Started { channel: 0, program };
        let command = || ran(Program::Command("id".into()));
        let refused = || Event::Refused { channel: None, what: "agent".into() };
        for (events, word, because) in [
            (vec![], "inside", vec![]),
            (vec![opened("session"), command()], "inside", vec![]),
            (vec![opened("session"), command(), ran(Program::Shell)], "unknown", vec!["ran: shell"]),
            (vec![ran(Program::Subsystem("sftp".into()))], "unknown", vec!["ran: subsystem"]),
            (vec![opened("session"), opened("direct-tcpip")], "unknown", vec!["opened: direct-tcpip"]),
            (vec![ran(Program::Shell), refused()], "outside", vec!["refused: agent"]),
        ] {
            let mut tally = Tally::default();
            events.iter().for_each(|event| tally.add(event));
            let verdict = tally.json((0, 0), "over")["verdict"].clone();
            assert_eq!(verdict, json!({ "word": word, "because": because }), "{events:?}");
        }
    }
}
