//! A place to run the command line at: a fixed clock, captured streams, a home of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use wane_cli::{Env, ExtraCommand, run};

pub(crate) const NOW: &str = "2026-11-21T12:04:00Z";

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) struct Desk {
    pub(crate) home: tempfile::TempDir,
    pub(crate) vars: BTreeMap<OsString, OsString>,
    pub(crate) width: Option<u16>,
    pub(crate) terminal: bool,
    pub(crate) stdin: String,
    pub(crate) clock: Arc<Mutex<Timestamp>>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut desk = Self {
            vars: BTreeMap::new(),
            width: None,
            terminal: false,
            stdin: String::new(),
            clock: Arc::new(Mutex::new(NOW.parse().unwrap())),
            home,
        };
        let path = std::env::var("PATH").unwrap();
        let home = desk.home.path().to_str().unwrap().to_owned();
        desk.set("HOME", &home);
        desk.set("XDG_RUNTIME_DIR", &home);
        desk.set("PATH", &path);
        desk
    }

    /// Signed in by token at a server.
    pub(crate) fn at(url: &str) -> Self {
        let mut desk = Self::new();
        desk.set("WANE_SERVER", url);
        desk.set("WANE_TOKEN", "wst_ours");
        desk
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.vars.insert(name.into(), value.into());
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, Vec::new())
    }

    pub(crate) fn run_with(&self, words: &[&str], extra: Vec<Box<dyn ExtraCommand>>) -> Ran {
        let (out, err) = (Captured::default(), Captured::default());
        let (clock, drawn) = (Arc::clone(&self.clock), Mutex::new(0u8));
        let env = Env {
            stdin: Box::new(Cursor::new(self.stdin.clone().into_bytes())),
            stdout: Box::new(out.clone()),
            stderr: Box::new(err.clone()),
            stdin_is_terminal: false,
            stdout_is_terminal: self.terminal,
            stderr_is_terminal: false,
            width: self.width,
            vars: self.vars.clone(),
            zone: TimeZone::UTC,
            clock: Arc::new(move || *clock.lock().unwrap()),
            entropy: Arc::new(move |buf| {
                let mut drawn = drawn.lock().unwrap();
                *drawn += 1;
                buf.fill(*drawn);
            }),
        };
        let args = std::iter::once("wane").chain(words.iter().copied()).map(OsString::from).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let code = runtime.block_on(run(args, env, extra));
        Ran { code, out: out.text(), err: err.text() }
    }
}
