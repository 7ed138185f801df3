//! Many live grants: how fast they are made over the API by many people at once, and the memory each costs.
//!
//! A live grant here is one that was asked for, given by policy, and used: it has a certificate.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Figure;
use super::deployment::{Deployment, public_key};
use super::ground::{Ground, number, text, with};
use super::process::{cpu_seconds, resident_kib};
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure = Figure { name: "memory", about: "many live grants made over the API", measure };

const CLIENTS: usize = 32;

fn measure(ground: &Ground) -> Result<Report> {
    let wane = Deployment::start(ground, ground.size(16, 2))?;
    let key = public_key(wane.server.folder(), "bench-key")?;
    let many = ground.size(100_000, 1_000);
    let pid = wane.server.pid()?;
    let idle = resident_kib(pid)?;

    let turns = wane.people.iter().cycle().take(many);
    let asks = turns.map(|person| wane.ask_call(person)).collect::<Result<Vec<_>>>()?;
    let plan = with(wane.plan(CLIENTS, asks), "keep", json!("/items/0/grant"));
    let (asked, ask_cpu) = once(ground, pid, &plan)?;
    let kept = asked.get("kept").and_then(Value::as_array).context("no grants were kept")?;
    let grants: Vec<&str> = kept.iter().filter_map(Value::as_str).collect();
    ensure!(grants.len() == many, "{} grants were made of {many}", grants.len());
    let uses = wane.people.iter().cycle().zip(&grants);
    let uses = uses.map(|(person, grant)| wane.certificate_call(person, grant, &key)).collect::<Result<Vec<_>>>()?;
    let (used, use_cpu) = once(ground, pid, &wane.plan(CLIENTS, uses))?;
    let full = resident_kib(pid)?;

    // Its own word for it: the last that was made is live.
    let last = grants.last().context("no grants were made")?;
    let told = wane.admin.json(&["grant", last])?;
    ensure!(text(&told, "/state")? == "active", "the grant is {told}");

    let mut report = Report::default();
    let label = |what: &str| format!("{many} grants, {CLIENTS} clients: {what}");
    report.row(Row::new(label("asked for and given"), "/s", Sample::one(number(&asked, "/per_second")?)));
    report.row(Row::new(label("asked for and given, processor each"), "ms", Sample::one(ask_cpu)));
    report.row(Row::new(label("first certificate"), "/s", Sample::one(number(&used, "/per_second")?)));
    report.row(Row::new(label("first certificate, processor each"), "ms", Sample::one(use_cpu)));
    report.row(Row::new("resident memory before", "MiB", Sample::one(idle / 1024.0)));
    report.row(Row::new(format!("resident memory with {many} live grants"), "MiB", Sample::one(full / 1024.0)));
    let each = (full - idle) * 1024.0 / many as f64;
    report.row(Row::new("memory for each live grant", "B", Sample::one(each)).goal(Goal::AtMost(200.0)));
    report.remark("measured once, whatever the number of rounds: the load itself is long");
    Ok(report)
}

/// Makes every call of a plan once; what was found, and the processor time of each in milliseconds.
fn once(ground: &Ground, pid: u32, plan: &Value) -> Result<(Value, f64)> {
    let before = cpu_seconds(pid)?;
    let found = ground.tool("load", plan)?;
    let used = cpu_seconds(pid)? - before;
    let failed = number(&found, "/failed")?;
    ensure!(failed == 0.0, "{failed} calls failed, the first: {}", text(&found, "/failure").unwrap_or("?"));
    let done = number(&found, "/done")?;
    Ok((found, used * 1e3 / done))
}
