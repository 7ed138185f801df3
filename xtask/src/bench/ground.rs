//! What every figure stands on: release builds of Wane and of the tools that load it, how many rounds,
//! and the state of the machine.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::command;

/// How thoroughly is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As the figures are published.
    Full,
    /// Short and small, to see that everything works; the numbers mean little.
    Quick,
}

/// Which build is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As it is released.
    Release,
    /// As it is worked on.
    Dev,
}

/// Built programs and the bounds of a run.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) pace: Pace,
    pub(crate) rounds: usize,
    wane: PathBuf,
    tools: PathBuf,
}

impl Ground {
    /// Installs the real servers and builds everything.
    pub(crate) fn prepare(pace: Pace, rounds: usize, build: Build) -> Result<Self> {
        crate::deps::system_packages()?;
        // As the tests are built, so that what is there is not built twice.
        let (words, folder): (&[&str], _) = match build {
            Build::Release => {
                (&["build", "--release", "--quiet", "--package", "wane", "--package", "wane-bench"], "release")
            }
            Build::Dev => (&["build", "--quiet", "--workspace", "--bins"], "debug"),
        };
        command::run(&command::cargo(), words)?;
        let built = target().join(folder);
        let ground = Self { pace, rounds, wane: built.join("wane"), tools: built.join("wane-bench") };
        for program in [&ground.wane, &ground.tools] {
            ensure!(program.is_file(), "there is no `{}` after the build", program.display());
        }
        fs::create_dir_all(kept())?;
        Ok(ground)
    }

    /// Wane itself.
    pub(crate) fn wane(&self) -> &Path {
        &self.wane
    }

    /// How long one cell of one round is loaded.
    pub(crate) fn cell(&self) -> Duration {
        match self.pace {
            Pace::Full => Duration::from_secs(5),
            Pace::Quick => Duration::from_secs(1),
        }
    }

    /// One of two sizes.
    pub(crate) fn size(&self, full: usize, quick: usize) -> usize {
        match self.pace {
            Pace::Full => full,
            Pace::Quick => quick,
        }
    }

    /// Runs a tool of `tests/bench` on a plan and reads what it found.
    pub(crate) fn tool(&self, name: &str, plan: &Value) -> Result<Value> {
        let mut running = self.begin(name, plan)?;
        drop(running.input.take());
        running.finish()
    }

    /// Begins with a tool that says how it goes on.
    pub(crate) fn begin(&self, name: &str, plan: &Value) -> Result<Running> {
        let mut child = Command::new(&self.tools)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{}`", self.tools.display()))?;
        let mut input = child.stdin.take().context("the tool takes no plan")?;
        let output = BufReader::new(child.stdout.take().context("the tool prints nothing")?);
        writeln!(input, "{plan}")?;
        Ok(Running { name: name.to_owned(), child, input: Some(input), output })
    }
}

/// A tool at work. It ends with its input.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// The next thing it says.
    pub(crate) fn says(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("`wane-bench {}` printed no JSON", self.name))
    }

    /// The last thing it says.
    pub(crate) fn finish(mut self) -> Result<Value> {
        let said = self.says();
        drop(self.input.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "`wane-bench {}` failed with {status}", self.name);
        said
    }

    /// Tells it to let go, and hears the last thing it says.
    pub(crate) fn release(mut self) -> Result<Value> {
        drop(self.input.take());
        self.finish()
    }
}

/// A number out of what a tool or server said.
pub(crate) fn number(value: &Value, pointer: &str) -> Result<f64> {
    value.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("there is no number `{pointer}` in {value}"))
}

/// A text out of what a tool or server said.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("there is no text `{pointer}` in {value}"))
}

/// A plan with one more entry.
pub(crate) fn with(mut plan: Value, key: &str, value: Value) -> Value {
    if let Some(map) = plan.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
    plan
}

/// Where cargo puts what it builds, and what is fetched once.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| command::root().join("target"), PathBuf::from)
}

/// Where figures are kept.
pub(crate) fn kept() -> PathBuf {
    target().join("bench")
}

/// How busy the machine is: runnable tasks, as means over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// On what the figures were measured.
pub(crate) fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once([':', '=']).map_or_else(String::new, |(_, value)| value.trim().trim_matches('"').to_owned())
    };
    json!({
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "processor": after(&read("/proc/cpuinfo"), "model name"),
        "memory": after(&read("/proc/meminfo"), "MemTotal"),
        "system": after(&read("/etc/os-release"), "PRETTY_NAME"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}
