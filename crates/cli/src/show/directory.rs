//! People and groups.

use wane_api::directory::{GroupView, Hears, LdapView, PersonView, Standing};
use wane_api::ways_in::WayInView;

use super::{or_dash, pairs};
use crate::table::{Fields, Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

fn standing(standing: Standing) -> Text {
    Text::new(standing.name()).tone(match standing {
        Standing::Active => Tone::Plain,
        Standing::Disabled => Tone::Bad,
    })
}

/// When they left, or when their time is over.
fn stay(p: &PersonView, now: &Now) -> String {
    match (p.left, p.until) {
        (Some(left), _) => format!("left {}", now.exact(left)),
        (None, Some(until)) => now.exact(until),
        (None, None) => String::new(),
    }
}

fn sponsor(p: &PersonView) -> Text {
    let name = p.sponsor.as_deref().unwrap_or_default();
    if p.unsponsored { Text::new(format!("{name} (has left)")).tone(Tone::Bad) } else { Text::new(name) }
}

pub(crate) fn people(people: &[PersonView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("PERSON", 0),
        ("NAME", 1),
        ("STANDING", 0),
        ("GROUPS", WRAPS | 2),
        ("UNTIL", 1),
        ("SPONSOR", 3),
        ("MANAGER", 3),
        ("ATTRIBUTES", WRAPS | 4),
    ]);
    for p in people {
        sheet.row([
            (&p.name).into(),
            (&p.display).into(),
            standing(p.standing),
            p.groups.join(", ").into(),
            stay(p, now).into(),
            sponsor(p),
            p.manager.as_deref().unwrap_or_default().into(),
            pairs(&p.attributes).into(),
        ]);
    }
    sheet.render(layout, "nobody")
}

pub(crate) fn person(p: &PersonView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("person", &p.name)
        .put("name", &p.display)
        .put("standing", standing(p.standing))
        .put("groups", or_dash((!p.groups.is_empty()).then(|| p.groups.join(", ")).as_deref()))
        .maybe("manager", p.manager.as_ref())
        .each("attributes", p.attributes.iter().map(|(k, v)| format!("{k}={v}")))
        .maybe("kept by", p.kept_by.as_ref())
        .put("since", now.both(p.since))
        .maybe("until", p.until.map(|until| now.both(until)))
        .maybe("left", p.left.map(|left| now.both(left)));
    if p.sponsor.is_some() {
        fields.put("sponsor", sponsor(p));
    }
    fields.render(layout)
}

pub(crate) fn ways_in(ways: &[WayInView], now: &Now, layout: Layout) -> String {
    let mut sheet =
        Sheet::new(&[("WAY", 0), ("KIND", 0), ("NAME", 1), ("SUBJECT", WRAPS | 2), ("SINCE", 3), ("USED", 0)]);
    for way in ways {
        sheet.row([
            (&way.id).into(),
            way.kind.name().into(),
            (&way.name).into(),
            way.subject.as_deref().unwrap_or_default().into(),
            now.both(way.since).into(),
            way.used.map(|used| now.both(used)).unwrap_or_else(|| "never".to_owned()).into(),
        ]);
    }
    sheet.render(layout, "none")
}

pub(crate) fn pulled(all: &[LdapView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("DIRECTORY", 0),
        ("PEOPLE", 1),
        ("READ", 0),
        ("HEARD", 1),
        ("STANDS", WRAPS),
        ("NOT TAKEN", WRAPS),
    ]);
    for d in all {
        let mut stands = match (&d.held_back, &d.silent) {
            (Some(why), _) => format!("held back: {why}"),
            (None, Some(why)) => format!("silent: {why}"),
            (None, None) => "ok".to_owned(),
        };
        if d.stale {
            stands.push_str("; nothing new begins for its people");
        }
        let tone = if stands == "ok" { Tone::Plain } else { Tone::Bad };
        sheet.row([
            (&d.name).into(),
            d.people.to_string().into(),
            d.read.map_or_else(|| "never".to_owned(), |at| now.both(at)).into(),
            match d.hears {
                Some(Hears::AtOnce) => "at once",
                Some(Hears::AtIntervals) => "at its interval",
                None => "not now",
            }
            .into(),
            Text::new(stands).tone(tone),
            d.refused.join("; ").into(),
        ]);
    }
    sheet.render(layout, "people and groups come from no directory")
}

pub(crate) fn groups(groups: &[GroupView], layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("GROUP", 0), ("DESCRIPTION", WRAPS | 1), ("MEMBERS", WRAPS)]);
    for g in groups {
        sheet.row([(&g.name).into(), (&g.description).into(), g.members.join(", ").into()]);
    }
    sheet.render(layout, "no groups")
}

pub(crate) fn group(g: &GroupView, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields.put("group", &g.name);
    if !g.description.is_empty() {
        fields.put("for", &g.description);
    }
    fields.maybe("kept by", g.kept_by.as_ref());
    if g.members.is_empty() {
        fields.put("members", "nobody");
    }
    fields.each("members", &g.members);
    fields.render(layout)
}
