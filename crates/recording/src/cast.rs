//! A terminal, as [asciicast v3](https://docs.asciinema.org/manual/asciicast/v3/), which players of
//! others know: one JSON value to a line, the header first, then events with the seconds since the
//! one before.

use std::io::Write;

use serde_json::json;
use wane_domain::time::Time;

use crate::event::{Event, Exit, Program, Side, Size};
use crate::header::Header;

/// What a program without a terminal is shown in.
const PLAIN: Size = Size { columns: 80, rows: 24 };

/// It could not be written out.
#[derive(Debug, thiserror::Error)]
#[error("the asciicast could not be written")]
pub struct CastError(#[from] std::io::Error);

/// One channel of a session, being written as an asciicast. Give it the session's events in order; it
/// takes those of its channel.
#[derive(Debug)]
pub struct Cast<W> {
    out: W,
    channel: u32,
    began: Time,
    /// When the event before was.
    last: Time,
    size: Size,
    terminal: String,
    command: Option<String>,
    has_begun: bool,
    typed: Decoder,
    shown: Decoder,
}

impl<W: Write> Cast<W> {
    pub fn of(header: &Header, channel: u32, out: W) -> Self {
        Self {
            out,
            channel,
            began: header.began,
            last: header.began,
            size: PLAIN,
            terminal: String::new(),
            command: None,
            has_begun: false,
            typed: Decoder::default(),
            shown: Decoder::default(),
        }
    }

    /// Where it is written, so that what is there can be taken away.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// # Errors
    /// When it cannot be written out.
    pub fn event(&mut self, at: Time, event: &Event<'_>) -> Result<(), CastError> {
        if event.channel() != Some(self.channel) {
            return Ok(());
        }
        match event {
            Event::Terminal { size, name, .. } => {
                self.size = *size;
                self.terminal = name.to_string();
            }
            Event::Started { program: Program::Command(line), .. } => self.command = Some(line.to_string()),
            Event::Resized { size, .. } => {
                self.size = *size;
                if self.has_begun {
                    self.line(at, "r", &format!("{}x{}", size.columns, size.rows))?;
                }
            }
            Event::Data { from: Side::Client, bytes, .. } => {
                let text = self.typed.text(bytes);
                self.line(at, "i", &text)?;
            }
            Event::Data { from: Side::Target | Side::TargetError | Side::Wane, bytes, .. } => {
                let text = self.shown.text(bytes);
                self.line(at, "o", &text)?;
            }
            Event::Exited { exit: Exit::Status(status), .. } => self.line(at, "x", &status.to_string())?,
            // As a shell says it: 128 and more.
            Event::Exited { exit: Exit::Signal(_), .. } => self.line(at, "x", "128")?,
            Event::Opened { .. }
            | Event::Refused { .. }
            | Event::Allowed { .. }
            | Event::Environment { .. }
            | Event::Started { .. }
            | Event::Eof { .. }
            | Event::Signal { .. }
            | Event::File { .. }
            | Event::Closed { .. }
            | Event::Gap { .. }
            | Event::Over { .. }
            | Event::Command { .. }
            | Event::Done { .. }
            | Event::Transferred { .. }
            | Event::Tried { .. }
            | Event::Unclear { .. }
            | Event::Finding { .. }
            | Event::Withheld { .. }
            | Event::Typed { .. }
            | Event::Request { .. }
            | Event::Answer { .. } => {}
        }
        Ok(())
    }

    /// Writes what is left and gives the sink back. A channel in which nothing was ever shown has a
    /// header all the same.
    ///
    /// # Errors
    /// When it cannot be written out.
    pub fn finish(mut self) -> Result<W, CastError> {
        self.head()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn head(&mut self) -> Result<(), CastError> {
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        let mut term = json!({ "cols": self.size.columns, "rows": self.size.rows });
        if let (Some(term), false) = (term.as_object_mut(), self.terminal.is_empty()) {
            term.insert("type".to_owned(), json!(self.terminal));
        }
        let mut head = json!({ "version": 3, "term": term, "timestamp": self.began.seconds() });
        if let (Some(head), Some(command)) = (head.as_object_mut(), &self.command) {
            head.insert("command".to_owned(), json!(command));
        }
        Ok(writeln!(self.out, "{head}")?)
    }

    fn line(&mut self, at: Time, code: &str, text: &str) -> Result<(), CastError> {
        self.head()?;
        if text.is_empty() {
            return Ok(());
        }
        // To the microsecond: six digits say all of it.
        let since = at.since(self.last).micros();
        self.last = self.last.max(at);
        let line = json!([seconds(since), code, text]);
        Ok(writeln!(self.out, "{line}")?)
    }
}

/// Exact for any session shorter than 285 years.
fn seconds(micros: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
    let micros = micros as f64;
    micros / 1e6
}

/// Text out of bytes that come in pieces, where a character may lie in two of them. What is no UTF-8 is
/// shown as U+FFFD.
#[derive(Debug, Default)]
struct Decoder {
    begun: Vec<u8>,
}

impl Decoder {
    fn text(&mut self, bytes: &[u8]) -> String {
        let mut whole = std::mem::take(&mut self.begun);
        whole.extend_from_slice(bytes);
        let keep = unfinished(&whole);
        self.begun = whole.split_off(whole.len() - keep);
        String::from_utf8_lossy(&whole).into_owned()
    }
}

/// How many bytes at the end begin a character that is not over.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map(|chunk| chunk.invalid()).unwrap_or_default();
    match std::str::from_utf8(last) {
        Err(error) if error.error_len().is_none() => last.len() - error.valid_up_to(),
        Ok(_) | Err(_) => 0,
    }
}
