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

/// It is made in so many parts: the first fills what does not grow with the number of grants (caches of the
/// data file, what the allocator keeps), and what each of the others adds is what a grant costs.
const PARTS: usize = 5;

fn measure(ground: &Ground) -> Result<Report> {
    let wane = Deployment::start(ground, ground.size(16, 2))?;
    let key = public_key(wane.server.folder(), "bench-key")?;
    let part = ground.size(50_000, 1_000) / PARTS;
    let many = part * PARTS;
    let pid = wane.server.pid()?;
    let idle = resident_kib(pid)?;

    let (mut ask_rate, mut use_rate, mut ask_cpu, mut use_cpu) = <(Sample, Sample, Sample, Sample)>::default();
    let mut resident = Vec::new();
    let mut last = String::new();
    for _ in 0..PARTS {
        let turns = wane.people.iter().cycle().take(part);
        let asks = turns.map(|person| wane.ask_call(person)).collect::<Result<Vec<_>>>()?;
        let plan = with(wane.plan(CLIENTS, asks), "keep", json!("/items/0/grant"));
        let (asked, cpu) = once(ground, pid, &plan)?;
        ask_rate.push(number(&asked, "/per_second")?);
        ask_cpu.push(cpu);
        let kept = asked.get("kept").and_then(Value::as_array).context("no grants were kept")?;
        let grants: Vec<&str> = kept.iter().filter_map(Value::as_str).collect();
        ensure!(grants.len() == part, "{} grants were made of {part}", grants.len());
        let uses = wane.people.iter().cycle().zip(&grants);
        let uses =
            uses.map(|(person, grant)| wane.certificate_call(person, grant, &key)).collect::<Result<Vec<_>>>()?;
        let (used, cpu) = once(ground, pid, &wane.plan(CLIENTS, uses))?;
        use_rate.push(number(&used, "/per_second")?);
        use_cpu.push(cpu);
        resident.push(resident_kib(pid)?);
        last = grants.last().context("no grants were made")?.to_string();
    }

    // Its own word for it: the last that was made is live.
    let told = wane.admin.json(&["grant", &last])?;
    ensure!(text(&told, "/state")? == "active", "the grant is {told}");

    let mut report = Report::default();
    let label = |what: &str| format!("{many} grants, {CLIENTS} clients: {what}");
    report.row(Row::new(label("asked for and given"), "/s", ask_rate));
    report.row(Row::new(label("asked for and given, processor each"), "ms", ask_cpu));
    report.row(Row::new(label("first certificate"), "/s", use_rate));
    report.row(Row::new(label("first certificate, processor each"), "ms", use_cpu));
    report.row(Row::new("resident memory before", "MiB", Sample::one(idle / 1024.0)));
    let (first, full) = (resident.first().copied().unwrap_or(idle), resident.last().copied().unwrap_or(idle));
    report.row(Row::new(format!("resident memory with the first {part}"), "MiB", Sample::one(first / 1024.0)));
    report.row(Row::new(format!("resident memory with {many} live grants"), "MiB", Sample::one(full / 1024.0)));
    let each = (full - first) * 1024.0 / (many - part) as f64;
    let what = format!("memory for each live grant after the first {part}");
    report.row(Row::new(what, "B", Sample::one(each)).goal(Goal::AtMost(200.0)));
    report.remark(format!("made once, in {PARTS} parts, whatever the number of rounds: the load itself is long"));
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
