//! Why a decision is as it is, and what may be asked for.

use wane_api::why::{AskableView, WhyView};

use super::{outcome, residual};
use crate::table::{Fields, Layout, Sheet, WRAPS};

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

pub(crate) fn one(w: &WhyView, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("person", &w.person)
        .put("what", format!("{}@{}", w.role, w.resource))
        .put("outcome", outcome(w.outcome))
        .each("because", &w.reasons);
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
    fields.put("policy set", &w.policy_digest);
    fields.render(layout)
}
