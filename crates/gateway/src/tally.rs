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
    open: i64,
}

impl Tally {
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Opened { kind, .. } => {
                let count = self.opened.entry(kind.to_string()).or_default();
                *count = count.saturating_add(1);
                self.open = self.open.saturating_add(1);
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
            Event::Closed { .. } => self.open = self.open.saturating_sub(1),
            Event::Terminal { .. }
            | Event::Resized { .. }
            | Event::Environment { .. }
            | Event::Allowed { .. }
            | Event::Data { .. }
            | Event::Eof { .. }
            | Event::Signal { .. }
            | Event::Exited { .. }
            | Event::File { .. }
            | Event::Gap { .. }
            | Event::Over { .. } => {}
        }
    }

    pub(crate) fn json(&self, (up, down): (u64, u64), why: &str) -> Value {
        json!({
            "why": why, "bytes_up": up, "bytes_down": down, "channels": self.opened, "programs": self.ran,
            "refused": self.refused, "refused_more": self.refused_more,
        })
    }

    pub(crate) fn channels(&self) -> u32 {
        self.opened.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}
