//! Answers of the server as text for people. One module per area; all text from elsewhere goes
//! through [`crate::table`] or [`crate::escape`].

pub(crate) mod board;
pub(crate) mod catalogue;
pub(crate) mod delegation;
pub(crate) mod directories;
pub(crate) mod directory;
pub(crate) mod figures;
pub(crate) mod grant;
pub(crate) mod identity;
pub(crate) mod leaving;
pub(crate) mod notices;
pub(crate) mod package;
pub(crate) mod policy;
pub(crate) mod recording;
pub(crate) mod request;
pub(crate) mod trail;
pub(crate) mod why;
pub(crate) mod workload;

use std::collections::BTreeMap;

use wane_api::resource::Residual;
use wane_api::why::Outcome;

use crate::table::{Text, Tone};
use crate::when::span;

fn or_dash(text: Option<&str>) -> &str {
    text.unwrap_or("-")
}

/// `env=prod tier=1`.
fn pairs(map: &BTreeMap<String, String>) -> String {
    let all: Vec<String> = map.iter().map(|(k, v)| format!("{k}={v}")).collect();
    all.join(" ")
}

fn outcome(outcome: Outcome) -> Text {
    let tone = match outcome {
        Outcome::Granted => Tone::Good,
        Outcome::Approval => Tone::Warn,
        Outcome::Denied => Tone::Bad,
    };
    Text::new(outcome.name()).tone(tone)
}

/// What can and cannot be ended, a sentence each.
fn residual(residual: &Residual) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(if residual.revokes_logins {
        let secs = residual.residual_logins_secs;
        format!("new logins are refused within {} of the end", span(secs))
    } else {
        "a credential works until it runs out by itself".to_owned()
    });
    lines.push(match (residual.kills_sessions, residual.residual_sessions_secs) {
        (true, Some(secs)) => format!("open sessions are cut within {}", span(secs)),
        (true, None) => "open sessions are cut".to_owned(),
        (false, _) => "open sessions are NOT cut".to_owned(),
    });
    if !residual.survives.is_empty() {
        lines.push(format!("survives: {}", residual.survives));
    }
    lines
}
