//! Workloads, who is believed about their jobs, and the jobs.

use wane_api::workload::{IssuerView, JobView, WorkloadView};

use crate::table::{Fields, Layout, Sheet};
use crate::when::Now;

pub(crate) fn workloads(all: &[WorkloadView], layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("WORKLOAD", 0), ("SPONSOR", 0), ("ISSUER", 0), ("JOBS WITH", 1), ("", 0)]);
    for one in all {
        sheet.row([
            (&one.name).into(),
            one.sponsor.clone().unwrap_or_default().into(),
            (&one.rule.issuer).into(),
            claims(one).join(", ").into(),
            if one.active { "" } else { "disabled" }.into(),
        ]);
    }
    sheet.render(layout, "there are no workloads")
}

pub(crate) fn workload(one: &WorkloadView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("workload", &one.name)
        .put("display", &one.display)
        .maybe("sponsor", one.sponsor.as_ref())
        .put("issuer", &one.rule.issuer)
        .each("jobs with", claims(one))
        .maybe("longest", one.rule.longest.as_ref())
        .maybe("silence", one.rule.silence.as_ref())
        .put("since", now.both(one.since));
    fields.render(layout)
}

fn claims(one: &WorkloadView) -> Vec<String> {
    one.rule.claims.iter().map(|(claim, pattern)| format!("{claim}={pattern}")).collect()
}

pub(crate) fn issuers(all: &[IssuerView], layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("ISSUER", 0), ("SORT", 0), ("URL", 1), ("AUDIENCE", 1), ("SIGNED BY", 0)]);
    for one in all {
        sheet.row([
            (&one.name).into(),
            (&one.sort).into(),
            (&one.issuer).into(),
            (&one.audience).into(),
            one.algorithms.join(", ").into(),
        ]);
    }
    sheet.render(layout, "nobody is believed about jobs")
}

pub(crate) fn issuer(one: &IssuerView, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("issuer", &one.name)
        .put("sort", &one.sort)
        .put("url", &one.issuer)
        .put("audience", &one.audience)
        .put("signed by", one.algorithms.join(", "))
        .put("keys", if one.keys_entered { "as entered" } else { "fetched from it" })
        .put("since", now.both(one.since));
    fields.render(layout)
}

pub(crate) fn jobs(all: &[JobView], now: &Now, layout: Layout) -> String {
    let mut sheet =
        Sheet::new(&[("JOB", 0), ("WORKLOAD", 0), ("IS", 1), ("SINCE", 0), ("HEARD", 0), ("AT MOST UNTIL", 0)]);
    for one in all {
        sheet.row([
            (&one.job).into(),
            (&one.workload).into(),
            (&one.subject).into(),
            now.both(one.since).into(),
            now.both(one.heard).into(),
            now.both(one.until).into(),
        ]);
    }
    sheet.render(layout, "no job goes on")
}
