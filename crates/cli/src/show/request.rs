//! Requests.

use wane_api::approval::ApproverKeyView;
use wane_api::request::{ApprovalView, ItemState, ItemView, ParentView, RequestView};

use super::residual;
use crate::access::next_stage;
use crate::table::{Fields, Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

pub(super) fn state(state: ItemState) -> Text {
    Text::new(state.name()).tone(match state {
        ItemState::Waiting | ItemState::Narrowed => Tone::Warn,
        ItemState::Approved => Tone::Good,
        ItemState::Denied => Tone::Bad,
        ItemState::Withdrawn | ItemState::Lapsed => Tone::Dim,
    })
}

pub(crate) fn list(requests: &[RequestView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("REQUEST", 0),
        ("PERSON", 0),
        ("WHAT", WRAPS),
        ("STATE", 0),
        ("FOR", 2),
        ("ASKED", 2),
        ("WAITS FOR", WRAPS | 1),
        ("REASON", WRAPS | 3),
        ("TICKET", 4),
    ]);
    for r in requests {
        let what: Vec<String> = r.items.iter().map(what_of).collect();
        let stage = r.items.iter().filter(|i| i.state == ItemState::Waiting).find_map(next_stage);
        let tone = match r.state.as_str() {
            "waiting" | "narrowed" | "mixed" => Tone::Warn,
            "approved" => Tone::Good,
            "denied" => Tone::Bad,
            _ => Tone::Dim,
        };
        sheet.row([
            (&r.id).into(),
            (&r.beneficiary).into(),
            what.join(", ").into(),
            Text::new(&r.state).tone(tone),
            (&r.duration.text).into(),
            now.away(r.at).into(),
            stage.unwrap_or_default().into(),
            r.reason.as_deref().unwrap_or_default().into(),
            r.ticket.as_deref().unwrap_or_default().into(),
        ]);
    }
    sheet.render(layout, "no requests")
}

pub(crate) fn what_of(i: &ItemView) -> String {
    let task = i.task.as_ref().map_or(String::new(), |task| format!(" for `{task}`"));
    format!("{}@{}{task}", i.role, i.resource)
}

pub(crate) fn one(r: &RequestView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields.put("request", &r.id).put("for", &r.beneficiary);
    if r.requester != r.beneficiary {
        fields.put("asked by", &r.requester);
    }
    fields.put("duration", &r.duration.text).maybe("from", r.start.map(|at| now.both(at)));
    fields.put("asked", now.both(r.at)).maybe("reason", r.reason.as_ref()).maybe("ticket", r.ticket.as_ref());
    fields.maybe("package", r.package.as_ref());
    match &r.parent {
        None => {}
        Some(ParentView::Narrows { request, .. }) => {
            fields.put("narrows", request);
        }
        Some(ParentView::Extends { grant, .. }) => {
            fields.put("extends", grant);
        }
    }
    if r.items.iter().any(|i| i.state == ItemState::Waiting) {
        fields.put("lapses", now.both(r.lapses));
    }
    for (n, i) in r.items.iter().enumerate() {
        item(&mut fields, n, i, r.items.len() > 1, now);
    }
    fields.render(layout)
}

pub(crate) fn keys(keys: &[ApproverKeyView], now: &Now, layout: Layout) -> String {
    let mut sheet =
        Sheet::new(&[("KEY", 0), ("SORT", 0), ("NAME", 1), ("FINGERPRINT", WRAPS | 2), ("SINCE", 3), ("REMOVED", 0)]);
    for key in keys {
        sheet.row([
            (&key.id).into(),
            (&key.sort).into(),
            (&key.name).into(),
            (&key.fingerprint).into(),
            now.both(key.since).into(),
            key.removed.map(|at| now.both(at)).unwrap_or_default().into(),
        ]);
    }
    sheet.render(layout, "none")
}

fn item(fields: &mut Fields, n: usize, i: &ItemView, numbered: bool, now: &Now) {
    let number = if numbered { format!("{n}: ") } else { String::new() };
    fields.put("item", format!("{number}{}@{}", i.role, i.resource));
    fields.maybe("for this alone", i.task.as_ref());
    fields.put("state", state(i.state));
    let by = |a: &ApprovalView| {
        let instead = a.instead_of.as_ref().map(|whom| format!(" in the place of {whom}")).unwrap_or_default();
        let signed = if a.signed.is_some() { " (signed)" } else { "" };
        format!("{}{instead}{signed}", a.by)
    };
    fields.each("approved by", i.approvals.iter().map(by));
    if i.needs_signatures {
        fields.put("asks for", "a signature with each approval");
    }
    if i.state == ItemState::Waiting {
        fields.maybe("waits for", next_stage(i));
        fields.each("asked more", i.escalated.iter().map(|e| format!("{}, after {}", now.both(e.at), e.after.text)));
        fields.maybe("asks more", i.escalates.map(|at| now.both(at)));
        fields.each("at the end", i.residual.iter().flat_map(residual));
    }
    fields.maybe("denied by", i.denied_by.as_ref());
    fields.each("because", &i.reasons);
    fields.maybe("path", i.path.as_ref());
    fields.maybe("grant", i.grant.as_ref());
    fields.maybe("goes on as", i.child.as_ref());
    fields.maybe("covered by", i.already_covered_by.as_ref());
}
