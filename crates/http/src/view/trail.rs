//! Records of the trail.

use serde_json::Value;
use wane_api::trail::RecordView;
use wane_app::listing::Sequenced;
use wane_audit::{Actor, Outcome, Record};
use wane_domain::time::Time;

use super::{Names, at};

pub(crate) fn record(names: Names<'_>, entry: Sequenced) -> RecordView {
    let Sequenced { seq, record } = entry;
    RecordView {
        seq,
        id: record.id.to_string(),
        at: at(record.at),
        who: actor(names, &record.actor),
        event: record.event,
        outcome: match record.outcome {
            Outcome::Done => "done",
            Outcome::Denied => "denied",
            Outcome::Failed => "failed",
        }
        .to_owned(),
        person: record.about.person.map(|id| names.person(id)),
        resource: record.about.resource.map(|id| names.resource(id)),
        request: record.about.request.map(|id| id.to_string()),
        grant: record.about.grant.map(|id| id.to_string()),
        lease: record.about.lease.map(|id| id.to_string()),
        ticket: record.about.ticket.map(|t| t.to_string()),
        detail: record.detail,
    }
}

pub(crate) fn actor(names: Names<'_>, actor: &Actor) -> String {
    match actor {
        Actor::Person(id) => names.person(*id),
        Actor::System => "wane".to_owned(),
        Actor::Host(id) => format!("host:{}", names.resource(*id)),
        Actor::Unknown => "unknown".to_owned(),
    }
}

/// What a record says, in a sentence.
pub(crate) fn sentence(names: Names<'_>, record: &Record) -> String {
    let who = actor(names, &record.actor);
    let what = words(&record.event);
    let mut text = format!("{who}: {what}");
    match record.outcome {
        Outcome::Done => {}
        Outcome::Denied => text.push_str(" (refused)"),
        Outcome::Failed => text.push_str(" (failed)"),
    }
    for (field, word) in [
        ("artifact", ""),
        ("end", "until "),
        ("word", ""),
        ("cause", "because "),
        ("reason", ""),
        ("proof", ""),
        ("met", "met "),
        ("quarantined", ""),
    ] {
        if let Some(said) = record.detail.get(field).and_then(|v| said(field, v)) {
            text.push_str(&format!(", {word}{said}"));
        }
    }
    text
}

/// An event's name as words: `grant.activated` as `grant activated`.
fn words(event: &str) -> String {
    event.replace(['.', '_'], " ")
}

fn said(field: &str, value: &Value) -> Option<String> {
    match (field, value) {
        ("end", Value::Number(micros)) => Some(Time::from_micros(micros.as_i64()?).to_string()),
        ("cause", Value::Object(cause)) => cause.get("cause").and_then(Value::as_str).map(words),
        (_, Value::String(text)) if !text.is_empty() => Some(text.clone()),
        (_, _) => None,
    }
}
