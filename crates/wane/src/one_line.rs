//! What the log is written through: one event is one line, whatever it says.
//!
//! Names of accounts at a target and messages of servers reach the log; a line break in one must not
//! begin what looks like an event of ours, and an escape sequence must not move the terminal the log is
//! read on. In JSON they are escaped already; in text they are spelt out: `\n`, `\u001b`.
//!
//! INVARIANT: what is written for one event ends in its only line break (held by
//! `one_event_is_one_line_whatever_it_says`).

use std::io::{self, Write};

/// Writes an event, which comes in one call, as one line.
pub(crate) struct OneLine<W>(pub(crate) W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let event_text = String::from_utf8_lossy(event);
        let said = event_text.strip_suffix('\n').unwrap_or(&event_text);
        let mut line = String::with_capacity(event.len());
        for c in said.chars() {
            // Escaped as JSON has it, so that a line of JSON stays one.
            match c {
                '\n' => line.push_str("\\n"),
                '\r' => line.push_str("\\r"),
                '\t' => line.push_str("\\t"),
                c if c.is_control() => line.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => line.push(c),
            }
        }
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    fn hostile() -> Vec<String> {
        let mut all: Vec<String> = (0..0x300).filter_map(char::from_u32).map(|c| format!("a{c}b")).collect();
        all.extend(
            [
                "wane_x\n2026-11-21T09:00:00Z ERROR wane: all is lost",
                "\r\nx",
                "\n",
                "\",\"level\":\"ERROR\",\"x\":\"",
                "{\"a\":1}\n{\"b\":2}",
                "\u{2028}\u{2029}\u{85}",
                "\u{1b}[2J\u{1b}]0;x\u{7}",
                "\\n",
                "🙂\u{202e}",
            ]
            .map(str::to_owned),
        );
        all
    }

    fn said(text: &str) {
        let error = io::Error::other(text.to_owned());
        tracing::warn!(artifact = %text, %error, debug = ?text, plain = text, "an orphan: {text}");
    }

    #[test]
    fn one_event_is_one_line_whatever_it_says() {
        let kept = Kept::default();
        let writer = {
            let kept = kept.clone();
            move || OneLine(kept.clone())
        };
        let plain = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).finish();
        tracing::subscriber::with_default(plain, || {
            for text in hostile() {
                said(&text);
                let line = kept.text();
                let event = line.strip_suffix('\n').unwrap();
                assert_eq!(event.find(char::is_control), None, "{text:?} became {line:?}");
            }
        });
    }

    #[test]
    fn json_lines_say_what_was_said() {
        let kept = Kept::default();
        let writer = {
            let kept = kept.clone();
            move || OneLine(kept.clone())
        };
        let json = tracing_subscriber::fmt().json().with_writer(writer).finish();
        tracing::subscriber::with_default(json, || {
            for text in hostile() {
                said(&text);
                let line = kept.text();
                assert_eq!(line.lines().count(), 1, "{text:?} became {line:?}");
                let event: serde_json::Value = serde_json::from_str(&line).unwrap();
                let fields = &event["fields"];
                assert_eq!((&fields["artifact"], &fields["plain"]), (&text.as_str().into(), &text.as_str().into()));
                assert_eq!(fields["message"], format!("an orphan: {text}"));
                assert_eq!(event["level"], "WARN");
            }
        });
    }
}
