//! Resources and roles, and what stands at a resource.

use serde_json::Value;
use wane_api::resource::{Inventory, Probe, ResourceView};
use wane_api::role::RoleView;

use super::{pairs, residual};
use crate::table::{Fields, Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

pub(crate) fn resources(resources: &[ResourceView], layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("RESOURCE", 0), ("KIND", 0), ("LABELS", WRAPS | 1), ("OWNER", 2)]);
    for r in resources {
        sheet.row([
            (&r.name).into(),
            (&r.kind).into(),
            pairs(&r.labels).into(),
            r.owner.as_ref().map(ToString::to_string).unwrap_or_default().into(),
        ]);
    }
    sheet.render(layout, "no resources")
}

pub(crate) fn resource(r: &ResourceView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("resource", &r.name)
        .put("kind", &r.kind)
        .each("labels", r.labels.iter().map(|(k, v)| format!("{k}={v}")))
        .maybe("owner", r.owner.as_ref().map(ToString::to_string))
        .put("since", now.both(r.since))
        .each("settings", settings(&r.settings));
    if let Some(left) = &r.residual {
        fields.put("hands out", &left.hands_out).each("at the end", residual(left));
    }
    fields.render(layout)
}

/// The top of a JSON object, a line each.
fn settings(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key}: {text}"),
                other => format!("{key}: {other}"),
            })
            .collect(),
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

pub(crate) fn roles(roles: &[RoleView], layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("ROLE", 0), ("DESCRIPTION", WRAPS)]);
    for r in roles {
        sheet.row([format!("{}/{}", r.kind, r.name).into(), (&r.description).into()]);
    }
    sheet.render(layout, "no roles")
}

pub(crate) fn role(r: &RoleView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("role", format!("{}/{}", r.kind, r.name))
        .put("for", &r.description)
        .each("definition", settings(&r.definition))
        .put("digest", &r.digest)
        .put("since", now.both(r.since));
    fields.render(layout)
}

pub(crate) fn probe(probe: &Probe, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("ROLE", 0), ("", 0), ("PROBLEM", WRAPS)]);
    for r in &probe.roles {
        let (word, tone) = match &r.problem {
            None => ("ok", Tone::Good),
            Some(_) => ("fail", Tone::Bad),
        };
        sheet.row([(&r.role).into(), Text::new(word).tone(tone), r.problem.as_deref().unwrap_or_default().into()]);
    }
    sheet.render(layout, "its kind has no roles")
}

pub(crate) fn inventory(found: &Inventory, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("WHAT", 0), ("NAME", 0), ("OBJECT", 1), ("DETAIL", WRAPS)]);
    let orphan = |name: &str| found.orphans.iter().any(|o| o.name == name);
    for a in found.marked.iter().filter(|a| !orphan(&a.name)) {
        sheet.row([
            "ours".into(),
            (&a.name).into(),
            a.object.as_deref().unwrap_or_default().into(),
            (&a.detail).into(),
        ]);
    }
    for a in &found.orphans {
        let what = Text::new("orphan").tone(Tone::Bad);
        sheet.row([what, (&a.name).into(), a.object.as_deref().unwrap_or_default().into(), (&a.detail).into()]);
    }
    for right in &found.standing {
        let what = Text::new("standing").tone(Tone::Warn);
        sheet.row([what, (&right.principal).into(), "".into(), (&right.right).into()]);
    }
    for finding in &found.findings {
        sheet.row([Text::new("finding").tone(Tone::Warn), "".into(), "".into(), finding.into()]);
    }
    sheet.render(layout, "nothing of ours, and no standing rights")
}
