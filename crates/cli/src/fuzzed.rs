//! Doors for the fuzz targets: what reads words and shows text, as it is. Not an interface.

use std::ffi::OsString;

use clap::FromArgMatches as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::{Global, Line};
use crate::when::Now;
use crate::{escape, root};

/// Whether these words are a command; nothing is run.
///
/// # Errors
/// What the person is told, as it is shown.
pub fn words(args: Vec<OsString>) -> Result<(), String> {
    let shown = |error: clap::Error| escape::block(&error.render().to_string());
    let matches = root::command(&[]).try_get_matches_from(args).map_err(shown)?;
    Global::from_arg_matches(&matches).map_err(shown)?;
    Line::from_arg_matches(&matches).map(drop).map_err(shown)
}

/// A moment as people write it, with what they are told if it is none.
///
/// # Errors
/// When it is none.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    Now { at: now, zone: TimeZone::UTC }.parse(text).map_err(|stop| stop.message)
}

/// How far away a moment is, and when exactly.
#[must_use]
pub fn told(at: Timestamp, now: Timestamp) -> String {
    Now { at: now, zone: TimeZone::UTC }.both(at)
}

/// Text as one line, as several, and inside JSON.
#[must_use]
pub fn shown(text: &str) -> [String; 3] {
    [escape::line(text), escape::block(text), escape::json(text)]
}
