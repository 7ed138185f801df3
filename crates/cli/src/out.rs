//! Everything the command line writes: results on standard output, all else on standard error.
//!
//! The one place that writes. Text from elsewhere is escaped before it gets here (tables) or here.

use std::future::Future;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::escape;
use crate::exit::Stop;
use crate::table::Layout;

type Writer = Mutex<Box<dyn Write + Send>>;

/// Below this no progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Standard output and standard error, and how to use them.
pub(crate) struct Out {
    stdout: Writer,
    stderr: Writer,
    /// Results are JSON.
    pub(crate) json: bool,
    pub(crate) layout: Layout,
    /// Whether results are read by a person.
    pub(crate) to_terminal: bool,
    red: bool,
    progress: bool,
}

impl Out {
    pub(crate) fn new(stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>, manner: Manner) -> Self {
        Self {
            stdout: Mutex::new(stdout),
            stderr: Mutex::new(stderr),
            json: manner.json,
            layout: Layout { width: manner.width, colour: manner.colours && manner.stdout_is_terminal },
            to_terminal: manner.stdout_is_terminal,
            red: manner.colours && manner.stderr_is_terminal,
            progress: manner.stderr_is_terminal,
        }
    }

    /// A result: the API's JSON where that was asked for, else text.
    pub(crate) fn put(&self, json: &impl Serialize, text: impl FnOnce(Layout) -> String) {
        if self.json {
            let json = serde_json::to_string_pretty(json).unwrap_or_default();
            self.raw(&format!("{}\n", escape::json(&json)));
        } else {
            self.raw(&text(self.layout));
        }
    }

    /// One of many results. `Err` when nobody reads any more.
    pub(crate) fn put_one(&self, json: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        let line = if self.json { escape::json(&serde_json::to_string(json).unwrap_or_default()) } else { text() };
        write(&self.stdout, &format!("{line}\n"))
    }

    /// Text as it is: made here, or escaped.
    pub(crate) fn raw(&self, text: &str) {
        // A reader that went away (`| head`) wants no more; there is nobody to tell.
        let _ = write(&self.stdout, text);
    }

    /// Tells the person something.
    pub(crate) fn say(&self, text: &str) {
        let _ = write(&self.stderr, &format!("{}\n", escape::block(text)));
    }

    /// Text on standard error as it is.
    pub(crate) fn raw_err(&self, text: &str) {
        let _ = write(&self.stderr, text);
    }

    /// Tells why a command stopped short.
    pub(crate) fn error(&self, stop: &Stop) {
        if self.json {
            let said = match &stop.problem {
                Some(problem) => serde_json::to_string(problem),
                None => serde_json::to_string(&serde_json::json!({
                    "detail": stop.message, "todo": stop.todo, "exit": stop.exit.code(),
                })),
            };
            self.raw_err(&format!("{}\n", escape::json(&said.unwrap_or_default())));
            return;
        }
        let error = if self.red { "\u{1b}[31merror:\u{1b}[0m" } else { "error:" };
        self.raw_err(&format!("{error} {}\n", escape::block(&stop.message)));
        if let Some(todo) = &stop.todo {
            self.raw_err(&format!("  what to do: {}\n", escape::block(todo)));
        }
    }

    /// Waits, showing that it does once it takes over a second.
    pub(crate) async fn busy<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if !self.progress {
            return work.await;
        }
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        let status = self.status();
        status.show(what);
        work.await
    }

    /// A line that is kept up to date. Without a terminal each new text is a line of its own.
    pub(crate) fn status(&self) -> Status<'_> {
        let bar = self.progress.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Status { out: self, bar, last: Mutex::new(String::new()) }
    }
}

/// How output is to be written.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts about the process")]
pub(crate) struct Manner {
    pub(crate) json: bool,
    pub(crate) colours: bool,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr_is_terminal: bool,
    pub(crate) width: Option<u16>,
}

fn write(to: &Writer, text: &str) -> io::Result<()> {
    let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
    to.write_all(text.as_bytes())?;
    to.flush()
}

/// A line that is kept up to date until it is dropped.
pub(crate) struct Status<'a> {
    out: &'a Out,
    bar: Option<ProgressBar>,
    last: Mutex<String>,
}

impl Status<'_> {
    /// Shows a text. `lasting` is what is said where lines cannot be overwritten.
    pub(crate) fn show(&self, text: &str) {
        self.show_or(text, text);
    }

    /// As [`Self::show`]; where lines cannot be overwritten, `lasting` is said, once.
    pub(crate) fn show_or(&self, text: &str, lasting: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(escape::line(text));
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != lasting {
            self.out.say(lasting);
            lasting.clone_into(&mut last);
        }
    }
}

impl Drop for Status<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
