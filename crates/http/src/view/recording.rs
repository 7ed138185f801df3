//! Recordings on the wire.

use data_encoding::BASE64;
use wane_api::recording::{DamageView, EventLine, FoundView, PlaceView, RecordingView, SearchView, Verification};
use wane_app::listing::{Recording, RecordingState};
use wane_app::{Searched, Verified};
use wane_domain::time::Time;
use wane_recording::{Damage, Ending, Event, Exit, Piece, Program, ReadError, Side};

use super::{Names, at};

pub(crate) fn recording(names: Names<'_>, recording: &Recording) -> RecordingView {
    let end = recording.end.as_ref();
    let state = match (recording.deleted, end.map(|end| end.state)) {
        (Some(_), _) => "deleted",
        (None, None) => "recording",
        (None, Some(RecordingState::Whole)) => "whole",
        (None, Some(RecordingState::Cut)) => "cut",
        (None, Some(RecordingState::Lost)) => "lost",
    };
    RecordingView {
        session: recording.session.to_string(),
        grant: recording.grant.to_string(),
        person: names.person(recording.holder),
        resource: names.resource(recording.resource),
        role: names.role(recording.role),
        login: recording.login.clone(),
        began: at(recording.began),
        ended: end.map(|end| at(end.at)),
        state: state.to_owned(),
        why: end.and_then(|end| end.why.clone()),
        bytes: end.map_or(0, |end| end.bytes),
        root: end.and_then(|end| end.root).map(|root| root.to_string()),
        place: recording.lies.whereabouts().name().to_owned(),
        verdict: end.and_then(|end| end.facts.pointer("/verdict/word")?.as_str()).map(str::to_owned),
        facts: end.map(|end| end.facts.clone()).unwrap_or_default(),
    }
}

pub(crate) fn verified(verified: &Verified) -> Verification {
    Verification {
        place: verified.at.name().to_owned(),
        whole: verified.whole,
        expected: verified.expected.map(|root| root.to_string()),
        root: verified.root.map(|root| root.to_string()),
        chunks: verified.chunks,
        has_end: verified.has_end,
        damage: verified.damage.iter().map(|d| DamageView { from: d.from, to: d.to }).collect(),
        unreadable: verified.unreadable.clone(),
    }
}

pub(crate) fn searched(names: Names<'_>, searched: &Searched) -> SearchView {
    let place = |place: &wane_app::Place| PlaceView {
        at: at(place.at),
        what: place.what.to_owned(),
        channel: place.channel,
        text: place.text.clone(),
    };
    let found = |found: &wane_app::Found| FoundView {
        recording: recording(names, &found.recording),
        places: found.places.iter().map(place).collect(),
    };
    SearchView {
        found: searched.found.iter().map(found).collect(),
        read: u32::try_from(searched.read).unwrap_or(u32::MAX),
        unread: searched.unread.iter().map(ToString::to_string).collect(),
        more: searched.more,
    }
}

/// One line of JSON.
pub(crate) fn line(out: &mut Vec<u8>, line: &EventLine) {
    // What has no JSON form is left out; an event of ours always has one.
    if serde_json::to_writer(&mut *out, line).is_ok() {
        out.push(b'\n');
    }
}

const fn whose(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Target => "target",
        Side::TargetError => "target_error",
        Side::Wane => "wane",
    }
}

pub(crate) fn event(when: Time, event: &Event<'_>) -> EventLine {
    let text = |text: &str| Some(text.to_owned());
    let base = |what: &str| EventLine {
        at: Some(at(when)),
        what: what.to_owned(),
        channel: event.channel(),
        ..EventLine::default()
    };
    match event {
        Event::Opened { kind, about, .. } => EventLine { text: text(kind), more: text(about), ..base("opened") },
        Event::Refused { what, .. } => EventLine { text: text(what), ..base("refused") },
        Event::Allowed { what, .. } => EventLine { text: text(what), ..base("allowed") },
        Event::Terminal { size, name, .. } => {
            EventLine { text: text(name), size: Some((size.columns, size.rows)), ..base("terminal") }
        }
        Event::Resized { size, .. } => EventLine { size: Some((size.columns, size.rows)), ..base("resized") },
        Event::Environment { name, value, .. } => {
            EventLine { text: text(name), more: text(value), ..base("environment") }
        }
        Event::Started { program, .. } => match program {
            Program::Shell => base("shell"),
            Program::Command(line) => EventLine { text: text(line), ..base("command") },
            Program::Subsystem(name) => EventLine { text: text(name), ..base("subsystem") },
        },
        Event::Data { from, bytes, .. } => {
            let line = EventLine { from: text(whose(*from)), ..base("data") };
            match std::str::from_utf8(bytes) {
                Ok(said) => EventLine { text: text(said), ..line },
                Err(_) => EventLine { base64: Some(BASE64.encode(bytes)), ..line },
            }
        }
        Event::Eof { from, .. } => EventLine { from: text(whose(*from)), ..base("eof") },
        Event::Signal { name, .. } => EventLine { text: text(name), ..base("signal") },
        Event::Exited { exit, .. } => match exit {
            Exit::Status(status) => EventLine { more: Some(status.to_string()), ..base("exited") },
            Exit::Signal(name) => EventLine { text: text(name), ..base("exited") },
        },
        Event::File { deed: done, path, to, .. } => EventLine {
            from: text(done.name()),
            text: text(path),
            more: to.as_deref().map(str::to_owned),
            ..base("file")
        },
        Event::Closed { .. } => base("closed"),
        Event::Gap { bytes, why, .. } => EventLine { text: text(why), more: Some(bytes.to_string()), ..base("gap") },
        Event::Typed { who, bytes, .. } => {
            EventLine { from: text(who), more: Some(bytes.to_string()), ..base("typed") }
        }
        Event::Request { method, target, .. } => {
            EventLine { from: text(method), text: text(target), ..base("request") }
        }
        Event::Answer { status, .. } => EventLine { more: Some(status.to_string()), ..base("answer") },
        Event::Over { why } => EventLine { text: text(why), ..base("over") },
        Event::Command { text: said, confidence, .. } => {
            EventLine { text: text(said), from: text(confidence.name()), ..base("typed") }
        }
        Event::Done { status, .. } => EventLine { more: status.map(|status| status.to_string()), ..base("done") },
        Event::Transferred { path, read, written, .. } => {
            EventLine { text: text(path), more: Some(format!("{read} read, {written} written")), ..base("transferred") }
        }
        Event::Tried { deed, path, .. } => EventLine { from: text(deed.name()), text: text(path), ..base("tried") },
        Event::Unclear { why, .. } => EventLine { text: text(why), ..base("unclear") },
        Event::Finding { rule, what, then, .. } => {
            EventLine { from: text(rule), text: text(what), more: text(then.name()), ..base("finding") }
        }
        Event::Withheld { from, bytes, .. } => {
            EventLine { from: text(whose(*from)), more: Some(bytes.to_string()), ..base("withheld") }
        }
    }
}

pub(crate) fn began(when: Time) -> EventLine {
    EventLine { at: Some(at(when)), what: "began".to_owned(), ..EventLine::default() }
}

pub(crate) fn damaged(damage: &Damage) -> EventLine {
    EventLine { what: "damaged".to_owned(), bytes: Some((damage.from, damage.to)), ..EventLine::default() }
}

pub(crate) fn ended(ended: &Result<Piece, ReadError>) -> EventLine {
    let text = match ended {
        Ok(Piece::End(Ending::Whole)) => "whole",
        Ok(Piece::End(Ending::Cut { .. }) | Piece::Chunk | Piece::Waiting | Piece::Damaged(_)) => "cut",
        Err(_) => "unreadable",
    };
    EventLine { what: "end".to_owned(), text: Some(text.to_owned()), ..EventLine::default() }
}
