//! Everything stays up, for whoever wants to play.

use std::time::Duration;

use anyhow::Result;

use super::interrupt::Interrupt;
use super::narrator::Narrator;
use super::stage::{DATABASE, HOST, Stage};
use crate::command;

const AN_HOUR: Duration = Duration::from_secs(3600);

/// Prints addresses and sign-ins, and waits for Ctrl-C.
pub(crate) fn keep(say: &Narrator, stage: &Stage, interrupt: &Interrupt) -> Result<()> {
    say.scene("Everything stays up");
    let sshd = stage.sshd()?;
    println!("  Wane         {}", stage.server.url());
    println!("  its log      {}", stage.server.log_path().display());
    println!("  host         {HOST}: 127.0.0.1:{}, account {}", sshd.port(), sshd.user().name());
    println!(
        "  database     {DATABASE}: localhost:{}, trusts {}",
        stage.postgres.port(),
        stage.postgres.ca_path().display()
    );
    println!("  superuser    {}, password {}", stage.postgres.superuser(), stage.postgres.superuser_password());
    println!("\n  Sign-ins. Each already has a session; put these into the environment to be that person:");
    for (what, person) in stage.cast() {
        println!("\n  {} ({what})", person.name());
        println!(
            "    export HOME={} XDG_CONFIG_HOME={} XDG_RUNTIME_DIR={}",
            person.home().display(),
            person.config_home().display(),
            person.runtime_dir().display()
        );
        println!("    password in {}", person.password_file().display());
        println!("    authenticator {}", person.otpauth());
    }
    println!("\n  The program: alias wane={}", stage.server.binary().display());
    println!(
        "  To try:      wane askable; wane ssh {HOST}; wane psql {DATABASE} --reason 'to look'; wane live --watch"
    );
    println!("  The policy:  {}", command::root().join("policies/demo.cedar").display());
    println!("\n  Ctrl-C stops and removes all of it.");
    while !interrupt.is_heard() {
        // Ends early on Ctrl-C; an hour that passed in vain is only the next round.
        let _ = wane_testkit::wait_until("Ctrl-C", AN_HOUR, || interrupt.is_heard());
    }
    println!("\nstopping");
    Ok(())
}
