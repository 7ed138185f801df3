//! A directory pushed whole, person by person and group by group; what it costs in memory, and whether a push costs
//! more the more there are.

use anyhow::Result;
use wane_testkit::WaneServer;

use super::super::deployment::Deployment;
use super::super::ground::{Ground, number};
use super::super::process::{cpu_seconds, resident_kib};
use super::super::report::{Goal, Report, Row};
use super::super::sample::Sample;
use super::corp::{Corp, group, user};

/// It is pushed in so many parts, so that the last can be held against the first.
const PARTS: usize = 5;
/// People of whom one word more is said once all are there.
const CHANGED: usize = 200;

pub(super) fn measure(ground: &Ground, report: &mut Report) -> Result<()> {
    let (people, groups) = (ground.size(50_000, 500), ground.size(1_000, 10));
    let wane = Deployment::bare(WaneServer::builder(), ground)?;
    let (corp, pid) = (Corp::added(&wane)?, wane.server.pid()?);
    let idle = resident_kib(pid)? / 1024.0;
    let (mut ids, mut each, mut cpu, mut seconds, mut put_off) = (Vec::new(), Vec::new(), Sample::default(), 0.0, 0.0);
    for part in 0..PARTS {
        let names = (0..people / PARTS).map(|n| format!("person-{part}-{n}"));
        let bodies: Vec<_> = names.map(|name| user(&name)).collect();
        let before = cpu_seconds(pid)?;
        let (found, some) = corp.push(ground, "Users", &bodies)?;
        cpu.push((cpu_seconds(pid)? - before) * 1e3 / bodies.len() as f64);
        each.push(number(&found, "/p50_us")? / 1e3);
        seconds += number(&found, "/seconds")?;
        put_off += number(&found, "/put_off")?;
        ids.extend(some);
    }
    let bodies: Vec<_> = ids
        .chunks(people.div_ceil(groups))
        .enumerate()
        .map(|(n, members)| group(&format!("team-{n}"), members))
        .collect();
    let (grouped, _) = corp.push(ground, "Groups", &bodies)?;
    let full = resident_kib(pid)? / 1024.0;
    let changed = corp.disable(ground, ids.get(..CHANGED.min(ids.len())).unwrap_or_default())?;

    let label = |what: &str| format!("{people} people pushed: {what}");
    report.row(Row::new(label("all there"), "s", Sample::one(seconds)));
    report.row(Row::new(label("people"), "/s", Sample::one(people as f64 / seconds)));
    let (first, last) = (each.first().copied().unwrap_or(f64::NAN), each.last().copied().unwrap_or(f64::NAN));
    let row = Row::new(label("a push of the last fifth, beside one of the first"), "ms", Sample::one(last));
    report.row(row.beside(Sample::one(first)).goal(Goal::RatioAtMost(1.5)));
    report.row(Row::new(label("processor each"), "ms", cpu));
    let what = format!("{} groups of {} pushed", bodies.len(), people.div_ceil(groups));
    report.row(Row::new(format!("{what}: all there"), "s", Sample::one(number(&grouped, "/seconds")?)));
    report.row(Row::new(format!("{what}: a push, half within"), "ms", Sample::one(number(&grouped, "/p50_us")? / 1e3)));
    let what = format!("one of {people} disabled by a push: answered, half within");
    report.row(Row::new(what, "ms", Sample::one(number(&changed, "/p50_us")? / 1e3)));
    report.row(Row::new("resident memory before", "MiB", Sample::one(idle)));
    let what = format!("resident memory with {people} people and {} groups", bodies.len());
    report.row(Row::new(what, "MiB", Sample::one(full)));
    report.remark(format!(
        "a directory is pushed once, in {PARTS} parts, whatever the number of rounds; {put_off} calls were told to come back later, for its pace, and came"
    ));
    Ok(())
}
