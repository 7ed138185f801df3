//! Grants and credentials.

use serde_json::Value;
use wane_api::grant::{ClosureView, CredentialView, GrantState, GrantView, LeaseState};

use super::residual;
use crate::table::{Fields, Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

fn state(grant: &GrantView) -> Text {
    Text::new(grant.state.name()).tone(match grant.state {
        GrantState::Scheduled => Tone::Plain,
        GrantState::Active => Tone::Good,
        GrantState::Ending => Tone::Warn,
        GrantState::Closed => Tone::Dim,
    })
}

pub(crate) fn list(grants: &[GrantView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("GRANT", 0),
        ("PERSON", 0),
        ("WHAT", WRAPS),
        ("STATE", 0),
        ("END", 0),
        ("AT", 1),
        ("ENDED BY", 1),
        ("CLOSED AS", 2),
        ("TICKET", 3),
    ]);
    for g in grants {
        let ended = g.ending.as_ref().map(|e| e.at);
        let (away, at) = match (g.state, ended.or(g.end)) {
            (GrantState::Scheduled, _) => ("not used yet".to_owned(), format!("use by {}", now.exact(g.activate_by))),
            (_, Some(end)) => (now.away(end), now.exact(end)),
            (_, None) => (String::new(), String::new()),
        };
        sheet.row([
            (&g.id).into(),
            (&g.holder).into(),
            what_of(g).into(),
            state(g),
            away.into(),
            at.into(),
            g.ending.as_ref().map_or("", |e| &e.cause).into(),
            g.closure.as_ref().map_or("", |c| &c.word).into(),
            g.ticket.as_deref().unwrap_or_default().into(),
        ]);
    }
    sheet.render(layout, "no grants")
}

fn what_of(g: &GrantView) -> String {
    let task = g.task.as_ref().map_or(String::new(), |task| format!(" for `{}`", task.text));
    format!("{}@{}{task}", g.role, g.resource)
}

pub(crate) fn one(g: &GrantView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("grant", &g.id)
        .put("person", &g.holder)
        .put("what", format!("{}@{} ({})", g.role, g.resource, g.kind))
        .put("state", state(g));
    if let Some(task) = &g.task {
        let spent = task.spent.map_or("not run yet".to_owned(), |at| format!("run {}", now.both(at)));
        fields.put("for this alone", format!("{} ({spent})", task.text)).put("its digest", &task.digest);
    }
    if g.state == GrantState::Scheduled {
        fields
            .put("opens", now.both(g.opens))
            .put("use before", now.both(g.activate_by))
            .put("lasts", &g.duration.text);
    }
    fields
        .maybe("since", g.since.map(|at| now.both(at)))
        .maybe("end", g.end.map(|at| now.both(at)))
        .each("approved by", g.approvals.iter().map(|a| &a.by))
        .maybe("path", g.path.as_ref())
        .put("request", &g.request)
        .maybe("ticket", g.ticket.as_ref());
    if let Some(end) = &g.ending {
        let by = end.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
        fields.put("ended", format!("{}{by} {}", end.cause, now.both(end.at)));
        fields.maybe("because", end.reason.as_ref());
        fields.maybe("not logged", g.unbooked.as_ref());
    }
    for l in &g.leases {
        let debt = match (&l.debt.quarantined, &l.debt.last) {
            _ if l.state != LeaseState::Revoking => String::new(),
            (Some(why), _) => format!("; needs a person: {why}"),
            (None, Some(last)) => format!("; tried {} times, last: {last}", l.debt.attempts),
            (None, None) => String::new(),
        };
        // "Gone" is said only of what the target said is not there: the basis has the word.
        let stands = l.basis.as_ref().map_or_else(|| l.state.to_string(), |b| b.word.clone());
        fields.put("made there", format!("{} {} {stands}{debt}", l.what, l.artifact));
        fields.each(
            "  issued",
            l.issued
                .iter()
                .map(|i| format!("serial {} {}, good until {}", i.serial, now.both(i.at), now.exact(i.not_after))),
        );
    }
    if let Some(left) = &g.residual
        && g.closure.is_none()
    {
        fields.each("at the end", residual(left));
    }
    if let Some(c) = &g.closure {
        closure(&mut fields, c, now);
    }
    fields.render(layout)
}

pub(super) fn closure(fields: &mut Fields, c: &ClosureView, now: &Now) {
    fields.put("closed as", format!("{} {}", c.word, now.both(c.at)));
    for l in &c.leases {
        let proof = l.basis.proof.as_ref().map_or(String::new(), |p| format!(": {p}"));
        fields.put("evidence", format!("{} {}{proof}", l.artifact, l.basis.word));
    }
}

pub(crate) fn credential(c: &CredentialView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    match &c.public {
        Value::Object(map) => {
            for (key, value) in map {
                let value = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                fields.put("public", format!("{key}: {value}"));
            }
        }
        Value::Null => {}
        other => {
            fields.put("public", other.to_string());
        }
    }
    fields.maybe("works until", c.not_after.map(|at| now.both(at))).put("access ends", now.both(c.grant_end));
    if let Some(secret) = &c.secret {
        fields.put("secret", secret.expose());
    }
    // What is copied must stay in one piece.
    fields.render(Layout { width: None, ..layout })
}
