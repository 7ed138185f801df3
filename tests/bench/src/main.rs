//! The tools of `cargo xtask bench`: each reads a plan in JSON from a line of standard input, does it, and
//! prints what it measured as JSON. A release build, so that the one who measures costs little.
//!
//! Knows the wire and the disk, and nothing of how the servers it loads work. A tool is a file here
//! and a word in [`main`].
#![expect(clippy::print_stdout, reason = "what was measured is printed")]
#![expect(clippy::disallowed_methods, reason = "what is measured is measured by the machine's own clock")]

mod chain;
mod database;
mod decide;
mod disk;
mod keystrokes;
mod load;
mod pending;
mod rank;
mod raw;
mod sessions;
mod web;

use std::io::Write as _;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let word = std::env::args().nth(1).context("name a tool")?;
    let mut plan = String::new();
    std::io::stdin().read_line(&mut plan)?;
    let found = match word.as_str() {
        "chain" => chain::run(&plan)?,
        "load" => load::run(&plan)?,
        "decide" => decide::run(&plan)?,
        "disk" => disk::run(&plan)?,
        "roles" => database::roles(&plan)?,
        "watch" => database::watch(&plan)?,
        "pending" => pending::run(&plan)?,
        "keystrokes" => keystrokes::run(&plan)?,
        "sessions" => sessions::run(&plan)?,
        "web-calls" => web::calls(&plan)?,
        "web-socket" => web::socket(&plan)?,
        "web-idle" => web::idle(&plan)?,
        "web-streams" => web::streams(&plan)?,
        "web-backend" => web::backend(&plan)?,
        "ed25519" => raw::run(&plan)?,
        other => bail!("`{other}` is no tool"),
    };
    // What only serves is asked nothing at its end, and whoever began it may be gone.
    let _ = writeln!(std::io::stdout(), "{found}");
    Ok(())
}
