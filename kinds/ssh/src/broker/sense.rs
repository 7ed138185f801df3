//! What is understood of a channel beside the bytes that pass in it: which reader fits its program.
//!
//! A command without a terminal has none, and costs nothing. No reader changes a byte or waits for one, and none
//! is asked whether something may pass.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wane_connector::broker::Files;
use wane_recording::{Confidence, Event, Program, Side};

use super::scp::Scp;
use super::session::{Link, Session};
use super::sftp::Sftp;
use super::shell::Shell;

/// Lines to a shell without a terminal that are told as commands.
const MOST_LINES: u32 = 10_000;
const LONGEST_LINE: usize = 4096;

/// The reader of one channel.
#[derive(Debug)]
pub(super) enum Sense {
    Sftp(Sftp),
    Scp(Scp),
    Terminal(Box<Shell>),
    Script(Script),
}

impl Sense {
    /// The one that fits, if one does.
    pub(super) fn of(channel: u32, program: &Program<'_>, terminal: Option<u32>) -> Option<Self> {
        match (program, terminal) {
            (Program::Subsystem(name), _) => (*name == "sftp").then(|| Self::Sftp(Sftp::new(channel))),
            (Program::Shell | Program::Command(_), Some(columns)) => {
                Some(Self::Terminal(Box::new(Shell::new(channel, columns))))
            }
            (Program::Shell, None) => Some(Self::Script(Script::new(channel))),
            (Program::Command(line), None) => Scp::of(channel, line).map(Self::Scp),
        }
    }

    fn heard(&mut self, from: Side, bytes: &[u8]) -> Vec<Event<'static>> {
        match (self, from) {
            (Self::Sftp(sftp), from) => sftp.heard(from, bytes),
            (Self::Scp(scp), from) => scp.heard(from, bytes),
            (Self::Terminal(shell), Side::Client) => shell.typed(bytes),
            (Self::Terminal(shell), Side::Target | Side::TargetError) => shell.shown(bytes),
            (Self::Script(script), Side::Client) => script.sent(bytes),
            (Self::Script(_), Side::Target | Side::TargetError) | (_, Side::Wane) => Vec::new(),
        }
    }

    fn over(&mut self) -> Vec<Event<'static>> {
        match self {
            Self::Sftp(sftp) => sftp.over(),
            Self::Script(script) => script.over(),
            Self::Scp(_) | Self::Terminal(_) => Vec::new(),
        }
    }

    /// Whether what passes is files, and known to be.
    fn carries_files(&self) -> bool {
        match self {
            Self::Sftp(sftp) => sftp.is_understood(),
            Self::Scp(scp) => scp.is_understood(),
            Self::Terminal(_) | Self::Script(_) => false,
        }
    }
}

/// A shell without a terminal: what is sent to it are command lines, and what programs read that it runs.
#[derive(Debug)]
pub(super) struct Script {
    channel: u32,
    line: Vec<u8>,
    lines: u32,
}

impl Script {
    fn new(channel: u32) -> Self {
        Self { channel, line: Vec::new(), lines: 0 }
    }

    fn sent(&mut self, bytes: &[u8]) -> Vec<Event<'static>> {
        let mut events = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.lines > MOST_LINES {
                break;
            }
            let room = LONGEST_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(part.get(..room).unwrap_or(part));
            if part.last() == Some(&b'\n') {
                events.extend(self.command());
            }
        }
        events
    }

    fn command(&mut self) -> Option<Event<'static>> {
        let line = std::mem::take(&mut self.line);
        let text: String = String::from_utf8_lossy(&line).chars().filter(|c| *c == '\t' || !c.is_control()).collect();
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines > MOST_LINES {
            let why = "more lines are sent than are told as commands";
            return Some(Event::Unclear { channel: self.channel, why: why.into() });
        }
        Some(Event::Command { channel: self.channel, text: text.to_owned().into(), confidence: Confidence::Sent })
    }

    fn over(&mut self) -> Vec<Event<'static>> {
        if self.lines > MOST_LINES { Vec::new() } else { self.command().into_iter().collect() }
    }
}

impl Link {
    fn senses(&self) -> Option<MutexGuard<'_, Sense>> {
        self.sense.get().map(|sense| sense.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A program is about to run.
    pub(super) fn will_run(&self, program: &Program<'_>) {
        let columns = self.columns.load(Ordering::Relaxed);
        if let Some(sense) = Sense::of(self.number, program, self.is_terminal().then_some(columns)) {
            let _ = self.sense.set(Mutex::new(sense));
        }
    }

    /// Something is sent to a command of which nothing is understood: it may be what a shell runs. Said once.
    fn feeds(&self) -> Option<Event<'static>> {
        if !self.runs() || self.fed.load(Ordering::Relaxed) || self.fed.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(Event::Unclear { channel: self.number, why: "what is sent to a command may steer it".into() })
    }

    /// The terminal has another size.
    pub(super) fn resized(&self, columns: u32) {
        self.columns.store(columns, Ordering::Relaxed);
        if let Some(Sense::Terminal(shell)) = self.senses().as_deref_mut() {
            shell.resized(columns);
        }
    }

    /// Whether the contents of what passes are to be left out of the recording.
    pub(super) fn withholds(&self, files: Files) -> bool {
        files == Files::Names && self.senses().is_some_and(|sense| sense.carries_files())
    }
}

/// Reports what is understood of bytes that were reported and are about to pass. False if they must not.
pub(super) async fn understand(session: &Session, link: &Arc<Link>, from: Side, bytes: &[u8]) -> bool {
    let events = match link.senses() {
        None if from == Side::Client => link.feeds().into_iter().collect(),
        None => return true,
        Some(mut sense) => sense.heard(from, bytes),
    };
    report(session, &events).await
}

/// Nothing passes in the channel any more.
pub(super) async fn over(session: &Session, link: &Arc<Link>) {
    let events = link.senses().map(|mut sense| sense.over()).unwrap_or_default();
    report(session, &events).await;
}

async fn report(session: &Session, events: &[Event<'static>]) -> bool {
    for event in events {
        if session.tap(event).await.is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_the_reader_that_fits_it() {
        let command = |line: &'static str| Program::Command(line.into());
        for (program, terminal, expected) in [
            (Program::Subsystem("sftp".into()), None, "Sftp"),
            (Program::Shell, Some(80), "Terminal"),
            (Program::Shell, None, "Script"),
            (command("scp -t x"), None, "Scp"),
            (command("bash"), Some(80), "Terminal"),
            // What passes in bulk costs nothing.
            (command("tar cz /"), None, "None"),
            (command("rsync --server . /srv"), None, "None"),
            (command("git-upload-pack x"), None, "None"),
        ] {
            let sense = format!("{:?}", Sense::of(0, &program, terminal));
            let sense = sense.strip_prefix("Some(").unwrap_or(&sense);
            assert!(sense.starts_with(expected), "{program:?}: {sense}");
        }
    }

    #[test]
    fn lines_to_a_shell_without_a_terminal_are_commands() {
        let sent =
            |text: &str| Event::Command { channel: 0, text: text.to_owned().into(), confidence: Confidence::Sent };
        let mut script = Script::new(0);
        assert_eq!(script.sent(b"id\n  \nwho"), [sent("id")]);
        assert_eq!(script.sent(b"ami\r\nexit"), [sent("whoami")]);
        assert_eq!(script.over(), [sent("exit")]);
        let mut script = Script::new(0);
        let events = script.sent("x\n".repeat(20_000).as_bytes());
        assert_eq!(events.len(), MOST_LINES as usize + 1);
        assert!(matches!(events.last(), Some(Event::Unclear { .. })));
        assert!(script.sent(b"more\n").is_empty() && script.over().is_empty());
        let mut script = Script::new(0);
        script.sent(&vec![b'x'; 1 << 20]);
        assert!(script.line.len() <= LONGEST_LINE);
    }
}
