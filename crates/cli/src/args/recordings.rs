//! Seeing what was recorded of sessions, and what goes on in them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Many;

/// What was recorded of sessions through the gateway, newest first
#[derive(Debug, Args)]
pub(crate) struct Recordings {
    /// Only those in which this text stands, of those you may replay
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Only those in which this stands in a command
    #[arg(long, value_name = "TEXT", conflicts_with = "text")]
    pub(crate) command: Option<String>,
    /// Only those in which this stands in the name of a file
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["text", "command"])]
    pub(crate) file: Option<String>,
    /// Only of sessions that were found to be `inside` what their role names, `outside`, or `unknown`
    #[arg(long, value_name = "WORD", conflicts_with_all = ["text", "command", "file"])]
    pub(crate) verdict: Option<String>,
    /// Only of this person's sessions
    #[arg(long)]
    pub(crate) person: Option<String>,
    /// Only of sessions on this resource
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// Begun no earlier
    #[arg(long, value_name = "MOMENT")]
    pub(crate) from: Option<String>,
    /// Begun before
    #[arg(long, value_name = "MOMENT")]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// Play a session again, as it was; that you did is in the log
#[derive(Debug, Args)]
pub(crate) struct Replay {
    pub(crate) session: String,
    /// So many times as fast
    #[arg(long, default_value_t = 1.0, value_name = "N", value_parser = speed)]
    pub(crate) speed: f64,
    /// No pause longer than so many seconds
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) idle: f64,
    /// This channel; the first with a program if left out
    #[arg(long, value_name = "N")]
    pub(crate) channel: Option<u32>,
    /// Every event on a line, instead of what the terminal showed
    #[arg(long)]
    pub(crate) events: bool,
    /// The commands, a line each: when, how sure it is that it was one, and its status
    #[arg(long, conflicts_with_all = ["events", "cast"])]
    pub(crate) commands: bool,
    /// From there on: so long after the beginning (`1m30s`), or a moment
    #[arg(long, value_name = "PLACE", conflicts_with = "cast")]
    pub(crate) at: Option<String>,
    /// Write one channel as an asciicast (version 3) instead, into a file that is not there
    #[arg(long, value_name = "FILE", conflicts_with = "events")]
    pub(crate) cast: Option<PathBuf>,
    /// Write the requests to an application as a HAR document (version 1.2) instead, into a file that is not there
    #[arg(long, value_name = "FILE", conflicts_with_all = ["events", "cast", "commands", "channel", "at"])]
    pub(crate) har: Option<PathBuf>,
}

/// See a session while it goes on, until it ends; that you did is in the log
#[derive(Debug, Args)]
pub(crate) struct Watch {
    pub(crate) session: String,
    /// This channel; the first with a program if left out
    #[arg(long, value_name = "N")]
    pub(crate) channel: Option<u32>,
    /// Every event on a line, instead of what the terminal shows
    #[arg(long)]
    pub(crate) events: bool,
}

/// Sit down at the terminal of somebody's session: you see what it shows and type into it, and they are told. `~.`
/// at the beginning of a line leaves
#[derive(Debug, Args)]
pub(crate) struct Join {
    pub(crate) session: String,
}

/// What was recorded of one session
#[derive(Debug, Subcommand)]
pub(crate) enum Recording {
    /// Hold a recording against what the log says of it; nothing of it is shown
    Verify { session: String },
}

fn speed(text: &str) -> Result<f64, String> {
    number(text, 0.01, 1_000_000.0)
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text, 0.0, 86_400.0)
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("write a number from {least} to {most}")),
    }
}
