//! The report of somebody's leaving, to be read and kept.

use wane_api::grant::{GrantState, GrantView, LeaseState, LeaseView};
use wane_api::leaving::LeavingView;

use crate::table::{Fields, Layout, Text, Tone};
use crate::when::Now;

pub(crate) fn report(r: &LeavingView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    let by = r.by.as_ref().map_or(String::new(), |by| format!(", sent away by {by}"));
    fields.put("person", &r.person).put("left", format!("{}{by}", now.both(r.left))).put("because", &r.why).put(
        "is over",
        if r.complete {
            Text::new("everything they held, with evidence").tone(Tone::Good)
        } else {
            Text::new(format!("not everything: {} ends are owed", r.owed)).tone(Tone::Bad)
        },
    );
    for held in &r.held {
        grant(&mut fields, held, now);
    }
    if r.held.is_empty() {
        fields.put("held", "nothing");
    }
    let password = if r.password { ", a password" } else { "" };
    fields.put("taken away", format!("{} sessions, {} one-time codes{password}", r.sessions, r.codes));
    fields.each("taken away", r.passkeys.iter().map(|name| format!("passkey {name}")));
    fields.each(
        "lets nobody in",
        r.identities.iter().map(|id| format!("{} at {}: still known as theirs", id.subject, id.provider)),
    );
    fields.each("withdrawn", &r.requests).each("out of group", &r.groups);
    fields.each(
        "still in group",
        r.kept.iter().map(|k| format!("{}: {} says who is in it; take them out there", k.group, k.kept_by)),
    );
    if let Some(accounts) = &r.accounts {
        fields.each(
            "not made here",
            accounts.found.iter().map(|a| format!("{} at {}: {}; not touched", a.principal, a.resource, a.right)),
        );
        fields.each("not seen", accounts.unseen.iter().map(|u| format!("{}: {}", u.resource, u.why)));
        if accounts.found.is_empty() && accounts.unseen.is_empty() {
            fields.put("not made here", "nothing of their name, as far as targets list accounts");
        }
    }
    fields.render(layout)
}

fn grant(fields: &mut Fields, g: &GrantView, now: &Now) {
    let when = g.closure.as_ref().map(|c| format!("{} {}", c.word, now.both(c.at)));
    let stands = match g.state {
        GrantState::Closed => when.unwrap_or_else(|| g.state.name().to_owned()),
        GrantState::Scheduled | GrantState::Active | GrantState::Ending => g.state.name().to_owned(),
    };
    fields.put("held", format!("{}@{} {}: {stands}", g.role, g.resource, g.id));
    for lease in &g.leases {
        fields.put("  made there", made(lease, now));
    }
}

fn made(l: &LeaseView, now: &Now) -> String {
    let begun = format!("{} {}", l.what, l.artifact);
    if let Some(basis) = &l.basis {
        let proof = basis.proof.as_ref().map_or(String::new(), |proof| format!(": {proof}"));
        return format!("{begun} {} {}{proof}", basis.word, now.both(basis.at));
    }
    let owed = match l.state {
        LeaseState::Revoking => "owed",
        LeaseState::Intended | LeaseState::Live | LeaseState::Gone => "not ended yet",
    };
    let why = l.debt.quarantined.as_ref().or(l.debt.last.as_ref());
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    let next = l.debt.next.map_or(String::new(), |at| format!("; next try {}", now.both(at)));
    format!("{begun} {owed} after {} tries{why}{next}", l.debt.attempts)
}
