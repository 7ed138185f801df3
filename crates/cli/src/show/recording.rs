//! Recordings of sessions.

use wane_api::recording::{EventLine, RecordingView, SearchView, Verification};

use crate::escape;
use crate::table::{Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

pub(crate) fn list(recordings: &[RecordingView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("SESSION", 0),
        ("PERSON", 0),
        ("WHAT", 0),
        ("LOGIN", 2),
        ("BEGAN", 0),
        ("ENDED", 1),
        ("RECORDING", WRAPS),
        ("VERDICT", 1),
        ("BYTES", 3),
    ]);
    for r in recordings {
        let tone = match r.state.as_str() {
            "cut" | "lost" => Tone::Bad,
            "recording" => Tone::Warn,
            _ => Tone::Plain,
        };
        let state = match &r.why {
            Some(why) => format!("{}: {why}", r.state),
            None => r.state.clone(),
        };
        sheet.row([
            (&r.session).into(),
            (&r.person).into(),
            format!("{}@{}", r.role, r.resource).into(),
            (&r.login).into(),
            now.both(r.began).into(),
            r.ended.map(|at| now.both(at)).unwrap_or_default().into(),
            Text::new(state).tone(tone),
            verdict(r.verdict.as_deref().unwrap_or_default(), 0),
            r.bytes.to_string().into(),
        ]);
    }
    sheet.render(layout, "nothing was recorded")
}

/// A verdict, and how often rules found something.
pub(crate) fn verdict(word: &str, findings: u32) -> Text {
    let tone = if word == "outside" { Tone::Bad } else { Tone::Plain };
    let findings = if findings == 0 { String::new() } else { format!(" ({findings} found)") };
    Text::new(format!("{word}{findings}")).tone(tone)
}

/// One command, with how sure it is that it was one, and its status once that is known.
pub(crate) fn command(line: &EventLine, status: Option<&str>, now: &Now) -> String {
    let at = line.at.map(|at| now.stamp(at)).unwrap_or_default();
    let sure = if line.what == "command" { "sent" } else { line.from.as_deref().unwrap_or_default() };
    let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
    escape::line(&format!("{at} {sure:<6} {}{status}", line.text.as_deref().unwrap_or_default()))
}

pub(crate) fn found(search: &SearchView, now: &Now) -> String {
    let mut text = String::new();
    for found in &search.found {
        let r = &found.recording;
        text.push_str(&escape::line(&format!("{} {} {}@{}", r.session, r.person, r.role, r.resource)));
        text.push('\n');
        for place in &found.places {
            let said = escape::line(&place.text);
            let since = place.at.duration_since(r.began).as_secs().max(0);
            let at = now.stamp(place.at);
            text.push_str(&format!("  {at} (--at {since}s) {}: {said}\n", escape::line(&place.what)));
        }
    }
    let more = if search.more { "; there are more, ask for less time" } else { "" };
    text.push_str(&format!("found in {} of {} recordings{more}\n", search.found.len(), search.read));
    if !search.unread.is_empty() {
        text.push_str(
            "could not be read whole, so that it may stand there; `wane recording verify SESSION` says why:\n",
        );
        search.unread.iter().for_each(|session| text.push_str(&format!("  {}\n", escape::line(session))));
    }
    text
}

pub(crate) fn verification(v: &Verification) -> String {
    let mut text = String::new();
    match (v.whole, v.expected.is_some()) {
        (true, true) => text.push_str("it is what was recorded, to the bit\n"),
        (true, false) => text.push_str("what is there is as it was written; its session has no end in the log yet\n"),
        (false, _) => text.push_str("it is NOT what was recorded\n"),
    }
    if v.place == "store" {
        text.push_str("it lies in the object store\n");
    }
    for damage in &v.damage {
        text.push_str(&format!("bytes {} to {} are not as they were written\n", damage.from, damage.to));
    }
    if let Some(why) = &v.unreadable {
        text.push_str(&format!("it cannot be read: {}\n", escape::line(why)));
    }
    text.push_str(&format!("{} chunks, {}\n", v.chunks, if v.has_end { "with its end" } else { "without its end" }));
    let none = || "none".to_owned();
    text.push_str(&format!("root         {}\n", escape::line(&v.root.clone().unwrap_or_else(none))));
    text.push_str(&format!("in the log   {}\n", escape::line(&v.expected.clone().unwrap_or_else(none))));
    text
}

/// One event on one line; data by how much it is.
pub(crate) fn event(line: &EventLine, now: &Now) -> String {
    let mut text = line.at.map(|at| now.stamp(at)).unwrap_or_default();
    if let Some(channel) = line.channel {
        text.push_str(&format!(" {channel}"));
    }
    text.push(' ');
    text.push_str(&line.what);
    for part in [&line.from, &line.text, &line.more].into_iter().flatten() {
        text.push(' ');
        text.push_str(part);
    }
    if let Some((columns, rows)) = line.size {
        text.push_str(&format!(" {columns}x{rows}"));
    }
    if let Some(bytes) = &line.base64 {
        text.push_str(&format!(" (no text) {bytes}"));
    }
    if let Some((from, to)) = line.bytes {
        text.push_str(&format!(" bytes {from} to {to}"));
    }
    escape::line(text.trim_start())
}
