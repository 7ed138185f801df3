//! Why a decision is as it is, and what may be asked for.

use wane_api::request::ApprovalView;
use wane_api::why::{AskableView, RecordedView, RequestWhyView, WhyView};

use super::{outcome, residual};
use crate::table::{Fields, Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

pub(crate) fn askable(askable: &[AskableView], layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("WHAT", 0),
        ("OUTCOME", 0),
        ("ASKS", WRAPS | 1),
        ("AT MOST", 2),
        ("DESCRIPTION", WRAPS | 3),
        ("KIND", 4),
    ]);
    for a in askable {
        sheet.row([
            format!("{}@{}", a.role, a.resource).into(),
            outcome(a.outcome),
            a.asks.join("; ").into(),
            a.max_ttl.as_ref().map_or("", |m| &m.text).into(),
            (&a.description).into(),
            (&a.kind).into(),
        ]);
    }
    sheet.render(layout, "there is nothing you may ask for")
}

pub(crate) fn one(w: &WhyView, now: &Now, layout: Layout) -> String {
    let mut text = String::new();
    if let Some(r) = &w.recorded {
        text = format!("What was decided then:\n\n{}\n{}:\n\n", recorded(r, now, layout), today(w));
    }
    let mut fields = Fields::default();
    fields.put("person", &w.person).put("what", format!("{}@{}", w.role, w.resource));
    sight(&mut fields, w);
    text + &fields.render(layout)
}

/// Over the answer of a policy set, where the recorded one stands before it.
fn today(w: &WhyView) -> String {
    match (&w.note, w.policy_version) {
        (Some(_), Some(version)) => format!("How version {version} of the policy set would see it today"),
        (_, _) => "How the policy set in force sees it now".to_owned(),
    }
}

/// What was recorded when a grant was decided.
fn recorded(r: &RecordedView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields.put("grant", &r.grant).put("request", &r.request);
    for d in &r.decisions {
        let by = match (&d.path, d.policy_version) {
            (Some(path), Some(version)) => format!(" by {path} of policy version {version}"),
            (Some(path), None) => format!(" by {path} of a policy set that is not kept"),
            (None, Some(version)) => format!(" under policy version {version}"),
            (None, None) => " under a policy set that is not kept".to_owned(),
        };
        fields.put("decision", format!("{} {}{by}", d.what, now.both(d.at)));
        fields.put("  policy set", &d.policy_digest);
    }
    fields.each("determined by", &r.determining).each("asked", &r.asks);
    fields.each("approved by", r.approvals.iter().map(|a| approval(a, now)));
    fields.render(layout)
}

fn approval(a: &ApprovalView, now: &Now) -> String {
    let stage = if a.stage == 0 { String::new() } else { format!(" at stage {}", a.stage.saturating_add(1)) };
    format!("{}{stage} {}", a.by, now.both(a.at))
}

/// Why the items of a request stand as they do.
pub(crate) fn request(w: &RequestWhyView, now: &Now, layout: Layout) -> String {
    let mut head = Fields::default();
    head.put("request", &w.request).put("asked by", &w.requester).put("asked", now.both(w.at));
    head.maybe("policy then", w.policy_version.map(|v| format!("version {v}")));
    let mut text = head.render(layout);
    for item in &w.items {
        let (r, mut fields) = (&item.recorded, Fields::default());
        fields.put("what", super::request::what_of(r)).put("state", super::request::state(r.state));
        fields.maybe("decided", r.decided.map(|at| now.both(at)));
        fields.maybe("denied by", r.denied_by.as_ref()).each("because", &r.reasons).maybe("path", r.path.as_ref());
        fields.each("approved by", r.approvals.iter().map(|a| approval(a, now)));
        fields.maybe("grant", r.grant.as_ref()).maybe("goes on as", r.child.as_ref());
        fields.maybe("covered by", r.already_covered_by.as_ref());
        fields.each("missing", &item.missing);
        if !item.who_could_approve.is_empty() {
            fields.put("who could", item.who_could_approve.join(", "));
        }
        text.push_str(&format!("\n{}", fields.render(layout)));
        if let Some(seen) = &item.now {
            let mut fields = Fields::default();
            sight(&mut fields, seen);
            text.push_str(&format!("\n{}:\n\n{}", today(seen), fields.render(layout)));
        }
    }
    text
}

/// How a policy set sees an ask.
fn sight(fields: &mut Fields, w: &WhyView) {
    fields.put("outcome", outcome(w.outcome)).each("because", &w.reasons);
    for f in &w.forbids {
        let why = f.reason.as_ref().map_or(String::new(), |why| format!(": {why}"));
        fields.put("forbidden by", format!("{}{why}", f.policy));
    }
    for p in &w.paths {
        let about = p.description.as_ref().map_or(String::new(), |d| format!(" ({d})"));
        let word = match (p.applies, p.unmet.is_empty()) {
            (false, _) => "does not apply",
            (true, true) => "open",
            (true, false) => "something is missing",
        };
        fields.put("path", format!("{}{about}: {word}", p.policy));
        fields.each("  missing", &p.unmet);
        if p.applies {
            fields.each("  asks", &p.asks);
        }
    }
    if !w.who_could_approve.is_empty() {
        fields.put("who could", w.who_could_approve.join(", "));
    }
    for n in &w.narrower {
        let asks = if n.asks.is_empty() { String::new() } else { format!(" ({})", n.asks.join("; ")) };
        fields.put("narrower", format!("{}@{}: {}{asks}", n.role, w.resource, n.outcome));
    }
    if let Some(left) = &w.residual {
        fields.each("at the end", residual(left));
    }
    let version = w.policy_version.map_or(String::new(), |version| format!("version {version}, "));
    fields.put("policy set", format!("{version}{}", w.policy_digest));
    fields.maybe("note", w.note.as_ref().map(|note| Text::new(note).tone(Tone::Warn)));
}
