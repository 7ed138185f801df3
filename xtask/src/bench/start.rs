//! From the start of the process to its first answer, with nothing to do and with very many ends to
//! come; and what it holds in memory then.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use wane_testkit::WaneServer;

use super::Figure;
use super::deployment::{Deployment, public_key};
use super::ground::Ground;
use super::openbao::{self, OpenBao};
use super::process::resident_kib;
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure =
    Figure { name: "start", about: "start to ready, and memory when idle, empty and with many ends to come", measure };

fn measure(ground: &Ground) -> Result<Report> {
    let (mut ready, mut idle, mut peer_idle) = (Sample::default(), Sample::default(), Sample::default());
    let (mut server, admin) = WaneServer::builder().binary(ground.wane()).start()?;
    for _ in 0..ground.rounds {
        ready.push(started(&mut server)?);
        // Answered once, so that everything an idle server keeps is there.
        admin.json(&["live"])?;
        idle.push(resident_kib(server.pid()?)? / 1024.0);
        peer_idle.push(resident_kib(OpenBao::start()?.pid())? / 1024.0);
    }
    server.stop()?;

    let many = ground.size(1_000_000, 10_000);
    let mut full = with_many(ground, many)?;
    let (mut many_ready, mut many_idle) = (Sample::default(), Sample::default());
    for _ in 0..ground.rounds {
        many_ready.push(started(&mut full.server)?);
        full.admin.json(&["debts"])?;
        many_idle.push(resident_kib(full.server.pid()?)? / 1024.0);
    }

    let mut report = Report::beside(format!("OpenBao {}", openbao::VERSION));
    report.row(Row::new("empty: start to ready", "s", ready).goal(Goal::AtMost(0.2)));
    report.row(Row::new("idle: resident memory", "MiB", idle).beside(peer_idle).goal(Goal::AtMost(40.0)));
    report.row(Row::new(format!("{many} ends to come: start to ready"), "s", many_ready).goal(Goal::AtMost(5.0)));
    report.row(Row::new(format!("{many} ends to come: resident memory"), "MiB", many_idle).goal(Goal::AtMost(200.0)));
    report.remark("ready is the first answer to `GET /v1/health`, asked for every 10 ms");
    report.remark("the ends to come are copies, made in the data file, of one grant that was made over the API");
    Ok(report)
}

/// Stops it if it runs, starts it; how many seconds until it answered.
fn started(server: &mut WaneServer) -> Result<f64> {
    server.stop()?;
    let begun = Instant::now();
    server.start()?;
    Ok(begun.elapsed().as_secs_f64())
}

fn with_many(ground: &Ground, many: usize) -> Result<Deployment> {
    let mut wane = Deployment::start(ground, 1)?;
    let key = public_key(wane.server.folder(), "bench-key")?;
    let person = wane.people.first().context("there are no people")?;
    let grant = wane.grant(person)?;
    person.json(&["credential", &grant, "--input", &json!({ "public_key": key }).to_string()])?;
    wane.server.stop()?;
    let file = wane.server.data().join("wane.db");
    let copied = ground.tool("pending", &json!({ "file": file, "grant": grant, "copies": many }))?;
    ensure!(copied == json!({ "copied": [many, many] }), "the copies are {copied}");
    Ok(wane)
}
