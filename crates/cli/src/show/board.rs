//! The boards of live access and of debts; locks; what was revoked.

use wane_api::board::{DebtView, LiveSession, LiveView};
use wane_api::lock::{LockView, Revoked};

use crate::escape;
use crate::table::{Layout, Sheet, Text, Tone, WRAPS};
use crate::when::{Now, span};

pub(crate) fn live(live: &[LiveView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("PERSON", 0),
        ("WHAT", 0),
        ("SINCE", 1),
        ("END", 0),
        ("ENDED BY", WRAPS),
        ("SESSIONS", 3),
        ("ACCESS", 5),
        ("GRANT", 4),
    ]);
    for l in live {
        let end = if l.left_secs == 0 {
            Text::new("ending").tone(Tone::Warn)
        } else {
            let tone = if l.left_secs < 300 { Tone::Warn } else { Tone::Plain };
            Text::new(now.both(l.end)).tone(tone)
        };
        sheet.row([
            (&l.person).into(),
            format!("{}@{}", l.role, l.resource).into(),
            now.away(l.since).into(),
            end,
            (&l.ends_by).into(),
            if l.sessions_cut { "cut" } else { "not cut" }.into(),
            l.access.name().into(),
            (&l.grant).into(),
        ]);
    }
    sheet.render(layout, "nobody has access to anything")
}

pub(crate) fn sessions(sessions: &[LiveSession], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("PERSON", 0),
        ("WHAT", 0),
        ("LOGIN", 1),
        ("SINCE", 1),
        ("END", 0),
        ("FROM", 2),
        ("TO IT", 4),
        ("FROM IT", 4),
        ("VERDICT", 1),
        ("SESSION", 0),
        ("GRANT", 5),
    ]);
    for l in sessions {
        let end = match l.end {
            Some(_) if l.prove_by.is_some_and(|by| by <= now.at) => {
                Text::new("paused: identity is to be proved again").tone(Tone::Warn)
            }
            Some(end) => Text::new(now.both(end)),
            None => Text::new("being cut").tone(Tone::Warn),
        };
        sheet.row([
            (&l.person).into(),
            format!("{}@{}", l.role, l.resource).into(),
            (&l.login).into(),
            now.away(l.since).into(),
            end,
            (&l.peer).into(),
            l.bytes_up.to_string().into(),
            l.bytes_down.to_string().into(),
            super::recording::verdict(&l.verdict, l.findings),
            (&l.id).into(),
            (&l.grant).into(),
        ]);
    }
    sheet.render(layout, "no session goes through the gateway")
}

pub(crate) fn debts(debts: &[DebtView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("RESOURCE", 0),
        ("ARTIFACT", 0),
        ("OWED FOR", 0),
        ("TRIED", 1),
        ("NEXT", 2),
        ("LAST", WRAPS),
        ("OWNER", 3),
        ("GRANT", 4),
    ]);
    for d in debts {
        let last = match (&d.quarantined, d.unrecallable_until) {
            (Some(why), _) => Text::new(format!("needs a person: {why}")).tone(Tone::Bad),
            (None, Some(until)) => Text::new(format!("runs out {}", now.both(until))).tone(Tone::Warn),
            (None, None) => d.last.as_deref().unwrap_or_default().into(),
        };
        sheet.row([
            (&d.resource).into(),
            (&d.artifact).into(),
            span(d.age_secs).into(),
            d.attempts.to_string().into(),
            d.next.map(|at| now.away(at)).unwrap_or_default().into(),
            last,
            d.owner.as_deref().unwrap_or_default().into(),
            (&d.grant).into(),
        ]);
    }
    sheet.render(layout, "nothing is owed: everything that should be over is proven to be")
}

pub(crate) fn locks(locks: &[LockView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("LOCK", 0), ("COVERS", 0), ("REASON", WRAPS), ("BY", 1), ("SINCE", 2)]);
    for l in locks {
        let mut covers = Vec::new();
        covers.extend(l.person.iter().map(|p| format!("person {p}")));
        covers.extend(l.resource.iter().map(|r| format!("resource {r}")));
        covers.extend(l.role.iter().map(|r| format!("role {}/{}", r.kind, r.name)));
        covers.extend(l.grant.iter().map(|g| format!("grant {g}")));
        sheet.row([
            (&l.id).into(),
            covers.join(", ").into(),
            (&l.reason).into(),
            (&l.by).into(),
            now.both(l.at).into(),
        ]);
    }
    let mut text = sheet.render(layout, "no locks");
    for unbooked in locks.iter().filter_map(|l| l.unbooked.as_ref()) {
        text.push_str(&format!("{}\n", escape::line(unbooked)));
    }
    text
}

pub(crate) fn revoked(revoked: &Revoked) -> String {
    if revoked.ended.is_empty() {
        return "there was nothing to end\n".to_owned();
    }
    let mut text = String::new();
    for grant in &revoked.ended {
        text.push_str(&format!("{} is ending\n", escape::line(grant)));
    }
    if let Some(unbooked) = &revoked.unbooked {
        text.push_str(&format!("{}\n", escape::line(unbooked)));
    }
    text
}
