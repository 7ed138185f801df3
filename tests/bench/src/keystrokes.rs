//! How long a keystroke takes to come back: a byte into a program, the same byte out of it.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::rank;

/// A program that echoes, and how often it is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    /// The program and its arguments.
    program: Vec<String>,
    /// Keystrokes that are measured.
    times: usize,
    /// Keystrokes before that.
    warm: usize,
}

/// Types and listens.
pub(crate) fn run(plan: &str) -> Result<Value> {
    let plan: Plan = serde_json::from_str(plan)?;
    let (program, arguments) = plan.program.split_first().context("name a program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("no program")?;
    let mut keys = child.stdin.take().context("no input")?;
    let mut screen = child.stdout.take().context("no output")?;
    // Until it echoes, whatever it prints is its greeting.
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"ready\n") {
        let mut byte = [0];
        screen.read_exact(&mut byte).context("the program ended before it was ready")?;
        greeting.push(byte[0]);
        ensure!(greeting.len() < 65_536, "the program is never ready");
    }
    let mut took = Vec::with_capacity(plan.times);
    for at in 0..plan.warm + plan.times {
        let (sent, mut back) = ([b'a' + u8::try_from(at % 26)?], [0]);
        let begun = Instant::now();
        keys.write_all(&sent)?;
        screen.read_exact(&mut back)?;
        let micros = begun.elapsed().as_secs_f64() * 1e6;
        ensure!(back == sent, "`{}` came back as `{}`", sent[0], back[0]);
        if at >= plan.warm {
            took.push(micros);
        }
    }
    // A program that reads a terminal as it is sees no end of its input.
    child.kill()?;
    child.wait()?;
    took.sort_by(f64::total_cmp);
    Ok(json!({ "p50_us": rank::at(&took, 0.5), "p99_us": rank::at(&took, 0.99) }))
}
