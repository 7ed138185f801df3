//! The main job in front of whoever runs it: real servers on loopback, the built binary, and what
//! they really say. Owns the order of events; every line of a result comes from the program that
//! printed it, and a step that comes out otherwise than it must ends the demo.

mod database;
mod host;
mod interrupt;
mod keep;
mod narrator;
mod opening;
mod stage;

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{command, deps, web};
use interrupt::Interrupt;
use narrator::Narrator;
use stage::Stage;

/// Whether everything stays up at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Everything is stopped and removed.
    Stop,
    /// Everything runs on until Ctrl-C, with addresses and sign-ins printed.
    Keep,
}

/// Builds Wane and plays the whole story.
pub(crate) fn run(after: After) -> Result<()> {
    ensure!(
        is_root()?,
        "the demo starts a real sshd and makes a login account for it, which needs root; run `sudo env \"PATH=$PATH\" cargo xtask demo`"
    );
    deps::system_packages()?;
    web::build()?;
    command::run(&command::cargo(), &["build", "--quiet", "--package", "wane"])?;

    let interrupt = Interrupt::listen()?;
    let say = Narrator::new(interrupt.clone());
    let mut stage = Stage::set(&say)?;
    play(&say, &mut stage).inspect_err(|_| {
        // What the server wrote is what helps to see why; its folder is about to go.
        say.aside("the end of the server's log", &stage.end_of_log());
    })?;
    match after {
        After::Stop => Ok(()),
        After::Keep => keep::keep(&say, &stage, &interrupt),
    }
}

fn play(say: &Narrator, stage: &mut Stage) -> Result<()> {
    opening::deployment(say, stage)?;
    opening::people(say, stage)?;
    opening::policy(say, stage)?;
    host::register(say, stage)?;
    database::register(say, stage)?;

    let deploy = host::ask(say, stage)?;
    let read = database::ask(say, stage)?;
    host::log_in(say, stage, &deploy)?;
    host::give_back(say, stage, &deploy)?;
    database::run_out(say, stage, &read)?;

    say.scene("What happened, as Wane tells it");
    for grant in [&deploy, &read] {
        say.wane(stage.engineer()?, &["story", grant])?;
    }
    say.wane(stage.admin()?, &["live"])?;
    say.wane(stage.admin()?, &["debts"])?;
    Ok(())
}

fn is_root() -> Result<bool> {
    let said = Command::new("id").arg("-u").output().context("cannot run `id`")?;
    Ok(String::from_utf8_lossy(&said.stdout).trim() == "0")
}
