//! Everything the command line takes from the process around it, as one value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Tells the present moment.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Fills a buffer with unguessable bytes.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The process around the command line.
pub struct Env {
    /// Where a password or a file named `-` is read from.
    pub stdin: Box<dyn BufRead + Send>,
    /// Results.
    pub stdout: Box<dyn Write + Send>,
    /// Everything else.
    pub stderr: Box<dyn Write + Send>,
    /// Whether a person can be asked.
    pub stdin_is_terminal: bool,
    /// Whether results are read by a person.
    pub stdout_is_terminal: bool,
    /// Whether progress is shown.
    pub stderr_is_terminal: bool,
    /// How wide the terminal is; none for as wide as it takes.
    pub width: Option<u16>,
    /// Environment variables.
    pub vars: BTreeMap<OsString, OsString>,
    /// The time zone people read.
    pub zone: TimeZone,
    /// The present moment.
    pub clock: Clock,
    /// Unguessable bytes.
    pub entropy: Entropy,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("width", &self.width).finish_non_exhaustive()
    }
}

impl Env {
    /// That of this process.
    #[must_use]
    pub fn of_process(clock: Clock, entropy: Entropy) -> Self {
        let stdout_is_terminal = io::stdout().is_terminal();
        Self {
            stdin: Box::new(io::BufReader::new(io::stdin())),
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout_is_terminal,
            stderr_is_terminal: io::stderr().is_terminal(),
            width: stdout_is_terminal.then(terminal_width).flatten(),
            vars: std::env::vars_os().collect(),
            zone: TimeZone::system(),
            clock,
            entropy,
        }
    }

    /// A variable that is set, not empty, and text.
    pub(crate) fn var(&self, name: &str) -> Option<String> {
        let value = self.vars.get(&OsString::from(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Where what is remembered between commands lives.
    pub(crate) fn config_dir(&self) -> Option<PathBuf> {
        let absolute = |name| self.var(name).map(PathBuf::from).filter(|p| p.is_absolute());
        absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config")))
            .map(|dir| dir.join("wane"))
    }
}

fn terminal_width() -> Option<u16> {
    comfy_table::Table::new().width()
}
