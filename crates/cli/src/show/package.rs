//! Access packages.

use wane_api::package::PackageView;

use super::pairs;
use crate::table::{Fields, Layout, Sheet, WRAPS};
use crate::when::Now;

fn items(p: &PackageView) -> Vec<String> {
    p.items.iter().map(|item| format!("{}@{}", item.role, item.resource)).collect()
}

pub(crate) fn list(packages: &[PackageView], layout: Layout) -> String {
    let mut sheet =
        Sheet::new(&[("PACKAGE", 0), ("WHAT", WRAPS), ("GROUPS", 1), ("ATTRIBUTES", WRAPS | 2), ("PEOPLE", 1)]);
    for p in packages {
        sheet.row([
            (&p.name).into(),
            items(p).join(", ").into(),
            p.groups.join(", ").into(),
            pairs(&p.attributes).into(),
            p.people.len().to_string().into(),
        ]);
    }
    sheet.render(layout, "no packages")
}

pub(crate) fn one(p: &PackageView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields.put("package", &p.name);
    if !p.description.is_empty() {
        fields.put("for", &p.description);
    }
    fields
        .each("what", items(p))
        .each("whoever is in", &p.groups)
        .each("and has", p.attributes.iter().map(|(k, v)| format!("{k}={v}")))
        .maybe("at most", p.at_most.as_ref().map(|span| span.text.clone()))
        .put("since", now.both(p.since));
    if p.people.is_empty() {
        fields.put("who gets it", "nobody");
    }
    fields.each("who gets it", &p.people);
    fields.render(layout)
}
