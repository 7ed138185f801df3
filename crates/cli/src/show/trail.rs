//! The trail and the stories told from it.

use wane_api::grant::StoryView;
use wane_api::trail::RecordView;

use super::grant::closure;
use crate::escape;
use crate::table::{Fields, Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

fn event(r: &RecordView) -> Text {
    Text::new(&r.event).tone(match r.outcome.as_str() {
        "done" => Tone::Plain,
        "denied" => Tone::Warn,
        _ => Tone::Bad,
    })
}

/// What a record is about.
fn about(r: &RecordView) -> String {
    let parts = [&r.person, &r.resource, &r.request, &r.grant, &r.lease];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(" ")
}

pub(crate) fn records(records: &[RecordView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("TIME", 0), ("WHO", 0), ("EVENT", 0), ("OUTCOME", 1), ("ABOUT", WRAPS), ("SEQ", 2)]);
    for r in records {
        sheet.row([
            now.stamp(r.at).into(),
            (&r.who).into(),
            event(r),
            (&r.outcome).into(),
            about(r).into(),
            r.seq.to_string().into(),
        ]);
    }
    sheet.render(layout, "no records")
}

/// One record on a line, as the trail is followed.
pub(crate) fn record(r: &RecordView, now: &Now) -> String {
    let line = format!("{}  {:<12}  {:<26}  {:<6}  {}", now.stamp(r.at), r.who, r.event, r.outcome, about(r));
    escape::line(line.trim_end())
}

pub(crate) fn story(s: &StoryView, now: &Now, layout: Layout) -> String {
    let g = &s.grant;
    let mut head = Fields::default();
    head.put("grant", format!("{}: {} as {} on {}, {}", g.id, g.holder, g.role, g.resource, g.state))
        .maybe("reason", s.request.reason.as_ref())
        .maybe("ticket", s.request.ticket.as_ref())
        .maybe("granted", s.granted_after.as_ref().map(|after| format!("after {}", after.text)))
        .maybe("usable", s.usable_after.as_ref().map(|after| format!("after {}", after.text)))
        .maybe("path", s.decision.path.as_ref())
        .put(
            "policy set",
            match s.decision.policy_version {
                Some(version) => format!("version {version}, {}", s.decision.policy_digest),
                None => s.decision.policy_digest.clone(),
            },
        );
    let mut lines = Sheet::new(&[("TIME", 0), ("WHAT HAPPENED", WRAPS), ("WHO", 1)]);
    for line in &s.lines {
        lines.row([now.stamp(line.at).into(), (&line.text).into(), (&line.who).into()]);
    }
    let mut text = format!("{}\n{}", head.render(layout), lines.render(layout, "nothing happened yet"));
    if let Some(c) = &s.closure {
        let mut end = Fields::default();
        closure(&mut end, c, now);
        text.push('\n');
        text.push_str(&end.render(layout));
    }
    text
}
