//! Client programs under a deadline: run one to its end, or talk with one that stays open.
//!
//! Knows nothing of what the program does. Nothing started here can outlive its value.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::process;
use crate::wait::wait_until;

/// Output may trail the end of a program by a moment, or for ever if a grandchild holds the pipe.
const TRAILING_OUTPUT: Duration = Duration::from_secs(2);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// By us, because its time was over.
    TimedOut,
}

/// What a finished program said.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub ended: Ended,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn success(&self) -> bool {
        self.ended == Ended::Code(0)
    }

    /// The standard output without its last line break, or an error that shows everything.
    pub fn into_stdout(self) -> Result<String> {
        if !self.success() {
            bail!("the program ended with {:?}\nstdout: {}\nstderr: {}", self.ended, self.stdout, self.stderr);
        }
        let trimmed = self.stdout.strip_suffix('\n').map(str::to_owned);
        Ok(trimmed.unwrap_or(self.stdout))
    }
}

/// A running program with its input open and its output gathered as it comes. Dropping it kills it.
#[derive(Debug)]
pub struct Interactive {
    child: Child,
    input: Option<ChildStdin>,
    stdout: Gathered,
    stderr: Gathered,
}

impl Interactive {
    /// Starts `command` with its standard streams connected to this value.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
        Ok(Self {
            input: child.stdin.take(),
            stdout: Gathered::from(child.stdout.take()),
            stderr: Gathered::from(child.stderr.take()),
            child,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types one line. Fails once the program has closed its input.
    pub fn send_line(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("the input is closed")?;
        writeln!(input, "{line}")?;
        input.flush()?;
        Ok(())
    }

    /// Tells the program that no more input will come.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Everything the program has written to its standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Everything the program has written to its standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until either stream holds `text`; the error shows what they held instead.
    pub fn wait_for(&self, text: &str, deadline: Duration) -> Result<()> {
        wait_until(&format!("the program to say `{text}`"), deadline, || {
            self.stdout().contains(text) || self.stderr().contains(text)
        })
        .with_context(|| format!("it said: {}\n{}", self.stdout(), self.stderr()))
    }

    /// Waits for the program to end by itself; one that does not is killed and said so.
    pub fn wait_exit(mut self, deadline: Duration) -> Result<Outcome> {
        let mut status: Option<ExitStatus> = None;
        let waited = wait_until("the program to end", deadline, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        if waited.is_err() {
            self.kill();
        }
        let _ =
            wait_until("the last output", TRAILING_OUTPUT, || self.stdout.is_complete() && self.stderr.is_complete());
        Ok(Outcome { ended: status.map_or(Ended::TimedOut, describe), stdout: self.stdout(), stderr: self.stderr() })
    }

    fn kill(&mut self) {
        for pid in process::descendants(self.child.id()) {
            process::send(pid, Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Interactive {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }
}

/// Runs `command` to its end, or kills it after `deadline`. `input` becomes its standard input.
pub(crate) fn run(command: &mut Command, input: &str, deadline: Duration) -> Result<Outcome> {
    let mut program = Interactive::spawn(command)?;
    if let Some(mut pipe) = program.input.take() {
        let bytes = input.as_bytes().to_vec();
        // On a thread: a program that never reads must run into the deadline, not block us.
        std::thread::spawn(move || {
            let _ = pipe.write_all(&bytes);
        });
    }
    program.wait_exit(deadline)
}

fn describe(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::TimedOut,
    }
}

#[derive(Debug)]
struct Gathered {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Gathered {
    fn from(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = stream.map(|mut stream| {
            std::thread::spawn(move || {
                let mut buffer = [0_u8; 4096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    let read = buffer.get(..count).unwrap_or_default();
                    sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(read);
                }
            })
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn is_complete(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }
}
