//! From the start of the process to its first answer, and what it holds in memory when idle.

use std::time::Instant;

use anyhow::Result;
use wane_testkit::WaneServer;

use super::Figure;
use super::ground::Ground;
use super::openbao::{self, OpenBao};
use super::process::resident_kib;
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure = Figure { name: "start", about: "start to ready, and memory when idle", measure };

fn measure(ground: &Ground) -> Result<Report> {
    let (mut ready, mut idle, mut peer_idle) = (Sample::default(), Sample::default(), Sample::default());
    let (mut server, admin) = WaneServer::builder().binary(ground.wane()).start()?;
    for _ in 0..ground.rounds {
        server.stop()?;
        let begun = Instant::now();
        server.start()?;
        ready.push(begun.elapsed().as_secs_f64());
        // Answered once, so that everything an idle server keeps is there.
        admin.json(&["live"])?;
        idle.push(resident_kib(server.pid()?)? / 1024.0);
        peer_idle.push(resident_kib(OpenBao::start()?.pid())? / 1024.0);
    }
    let mut report = Report::beside(format!("OpenBao {}", openbao::VERSION));
    report.row(Row::new("empty: start to ready", "s", ready).goal(Goal::AtMost(0.2)));
    report.row(Row::new("idle: resident memory", "MiB", idle).beside(peer_idle).goal(Goal::AtMost(40.0)));
    report.remark("ready is the first answer to `GET /v1/health`, asked for every 10 ms");
    Ok(report)
}
