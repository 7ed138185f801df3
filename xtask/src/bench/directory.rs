//! People and groups: a directory of a large company pushed whole, decisions over it, how soon somebody who was
//! disabled there is out everywhere, how many sign in, and how long somebody waits for access.

mod corp;
mod ends;
mod sync;
mod waits;

use anyhow::Result;
use serde_json::json;

use super::Figure;
use super::ground::{Ground, number};
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure = Figure {
    name: "directory",
    about: "a pushed directory, decisions over it, its ends, sign-ins, and time to access",
    measure,
};

fn measure(ground: &Ground) -> Result<Report> {
    let mut report = Report::default();
    sync::measure(ground, &mut report)?;
    deciding(ground, &mut report)?;
    ends::measure(ground, &mut report)?;
    waits::measure(ground, &mut report)?;
    Ok(report)
}

/// Decisions with many people in many groups, in a process of their own.
fn deciding(ground: &Ground, report: &mut Report) -> Result<()> {
    let (people, groups) = (10_000, 1_000);
    let (mut half, mut most) = (Sample::default(), Sample::default());
    for _ in 0..ground.rounds {
        let times = ground.size(20_000, 2_000);
        let found =
            ground.tool("decide", &json!({ "policies": groups, "people": people, "times": times, "whole": 0 }))?;
        half.push(number(&found, "/told/p50_us")?);
        most.push(number(&found, "/told/p99_us")?);
    }
    let label = |what: &str| format!("{people} people in {groups} groups: decided and explained, {what}");
    report.row(Row::new(label("half within"), "µs", half));
    report.row(Row::new(label("99 of 100 within"), "µs", most).goal(Goal::AtMost(200.0)));
    report.remark("decided over as many policies as groups, each person in five groups; the look-up is included");
    Ok(())
}
