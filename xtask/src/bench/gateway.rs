//! Sessions through the SSH gateway, beside plain OpenSSH to the same host and OpenSSH through a jump host.
//!
//! All three roads end at one sshd, with one certificate, one key exchange and one cipher. What the
//! gateway's own process uses is told apart from what the programs at both ends use.

mod crowd;
pub(super) mod roads;

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Figure;
use super::ground::{Ground, number};
use super::process::cpu_seconds;
use super::report::{Goal, Report, Row};
use super::sample::Sample;
use roads::{Recorded, Road, Roads};

/// The figure.
pub(crate) const FIGURE: Figure = Figure { name: "gateway", about: "SSH sessions through the gateway", measure };

const MIB: f64 = 1024.0 * 1024.0;

fn measure(ground: &Ground) -> Result<Report> {
    let mut report = Report::beside("OpenSSH");
    {
        let roads = Roads::build(ground, Recorded::All, crowd::most(ground))?;
        setting_up(ground, &roads, &mut report)?;
        typing(ground, &roads, &mut report)?;
        bulk(ground, &roads, Recorded::All, &mut report)?;
        crowd::measure(ground, &roads, &mut report)?;
    }
    bulk(ground, &Roads::build(ground, Recorded::None, 0)?, Recorded::None, &mut report)?;
    report.remark("curve25519-sha256 and aes256-gcm on every road; the jump host is a second sshd on this machine");
    report.remark("processor of the gateway: the whole server, with the records it writes of every session");
    report.remark("all sessions are recorded, but where it says otherwise");
    Ok(report)
}

/// Goal 10: `ssh host true`, one after the other.
fn setting_up(ground: &Ground, roads: &Roads, report: &mut Report) -> Result<()> {
    let times = ground.size(40, 3);
    let (mut took, mut cpu, mut rate) = (<[Sample; 3]>::default(), Sample::default(), Sample::default());
    for _ in 0..ground.rounds {
        roads.renew()?;
        let mut round = [const { Vec::new() }; 3];
        let mut used = 0.0;
        // In turn, each next to the others of its kind.
        for _ in 0..times {
            for (road, took) in Road::ALL.into_iter().zip(&mut round) {
                let (before, begun) = (cpu_seconds(roads.server())?, Instant::now());
                let status = roads.ssh(road, &["-T"], &["true"]).status()?;
                took.push(begun.elapsed().as_secs_f64() * 1e3);
                ensure!(status.success(), "`ssh {} true` failed with {status}", road.name());
                if road == Road::Gateway {
                    used += cpu_seconds(roads.server())? - before;
                }
            }
        }
        for (took, mut round) in took.iter_mut().zip(round) {
            round.sort_by(f64::total_cmp);
            took.push(*round.get(round.len() / 2).context("nothing was measured")?);
        }
        cpu.push(used * 1e3 / times as f64);
        rate.push(at_once(roads, Road::Gateway, times)? / at_once(roads, Road::Direct, times)?);
    }
    let [direct, jump, gateway] = took;
    let what = "`ssh host true`, half within";
    report.row(
        Row::new(format!("{what}, beside direct"), "ms", gateway.clone())
            .beside(direct.clone())
            .goal(Goal::RatioAtMost(1.2)),
    );
    report.row(Row::new(format!("{what}, beside the jump host"), "ms", gateway).beside(jump));
    report.row(Row::new("processor of the gateway for each", "ms", cpu).goal(Goal::AtMost(15.0)));
    report.row(Row::new("new sessions a second, eight at once, as a share of direct", "", rate));
    Ok(())
}

/// Sessions per second, eight clients at once.
fn at_once(roads: &Roads, road: Road, times: usize) -> Result<f64> {
    let begun = Instant::now();
    let mut running = Vec::new();
    for at in 0..times {
        if at >= 8 {
            let mut first: std::process::Child = running.remove(0);
            ensure!(first.wait()?.success(), "`ssh {} true` failed", road.name());
        }
        running.push(roads.ssh(road, &["-T"], &["true"]).spawn()?);
    }
    for mut child in running {
        ensure!(child.wait()?.success(), "`ssh {} true` failed", road.name());
    }
    Ok(times as f64 / begun.elapsed().as_secs_f64())
}

/// Goal 11: one byte out, the same byte back.
fn typing(ground: &Ground, roads: &Roads, report: &mut Report) -> Result<()> {
    let times = ground.size(2_000, 50);
    let (mut half, mut most) = <([Sample; 3], [Sample; 3])>::default();
    for _ in 0..ground.rounds {
        roads.renew()?;
        for ((road, half), most) in Road::ALL.into_iter().zip(&mut half).zip(&mut most) {
            let program = roads.words(road, &["-tt"], &["stty raw -echo; echo ready; exec cat"]);
            let found =
                ground.tool("keystrokes", &json!({ "program": program, "times": times, "warm": times / 10 }))?;
            half.push(number(&found, "/p50_us")?);
            most.push(number(&found, "/p99_us")?);
        }
    }
    let added = |of: &Sample, direct: &Sample| {
        let mut added = Sample::default();
        for (value, bare) in of.values().iter().zip(direct.values()) {
            added.push(value - bare);
        }
        added
    };
    let ([direct, jump, gateway], [direct_most, jump_most, gateway_most]) = (half, most);
    let row = Row::new("a keystroke and its echo: half within", "us", gateway.clone());
    report.row(row.beside(direct.clone()));
    let row = Row::new("a keystroke: added to direct, beside what the jump host adds", "us", added(&gateway, &direct));
    report.row(row.clone().beside(added(&jump, &direct)).goal(Goal::RatioAtMost(1.0)));
    report.row(row.goal(Goal::AtMost(250.0)));
    report
        .row(Row::new("a keystroke: 99 of 100 within, beside direct", "us", gateway_most.clone()).beside(direct_most));
    report.row(Row::new("a keystroke: 99 of 100 within, beside the jump host", "us", gateway_most).beside(jump_most));
    Ok(())
}

/// Goal 12: much, one way.
fn bulk(ground: &Ground, roads: &Roads, recorded: Recorded, report: &mut Report) -> Result<()> {
    let bytes = ground.size(512, 16) * 1024 * 1024;
    let (how, share, most) = match recorded {
        Recorded::All => ("recorded", 0.6, 2.2),
        Recorded::None => ("not recorded", 0.7, 1.8),
    };
    for (way, remote) in [("down", format!("head -c {bytes} /dev/zero")), ("up", "cat > /dev/null".to_owned())] {
        let (mut rates, mut cpu) = (<[Sample; 3]>::default(), Sample::default());
        for _ in 0..ground.rounds {
            roads.renew()?;
            for (road, rate) in Road::ALL.into_iter().zip(&mut rates) {
                let (before, begun) = (cpu_seconds(roads.server())?, Instant::now());
                let mut ssh = roads.ssh(road, &["-T"], &[&remote]);
                let mut source = None;
                if way == "up" {
                    let mut head = Command::new("head");
                    let mut head = head.args(["-c", &bytes.to_string(), "/dev/zero"]).stdout(Stdio::piped()).spawn()?;
                    ssh.stdin(head.stdout.take().context("`head` has no output")?);
                    source = Some(head);
                }
                let status = ssh.status()?;
                ensure!(status.success(), "`ssh {}` with {bytes} bytes {way} failed with {status}", road.name());
                if let Some(mut source) = source {
                    source.wait()?;
                }
                rate.push(bytes as f64 / MIB / begun.elapsed().as_secs_f64());
                if road == Road::Gateway {
                    cpu.push((cpu_seconds(roads.server())? - before) * 1024.0 / (bytes as f64 / MIB));
                }
            }
        }
        let [direct, jump, gateway] = rates;
        let what = format!("{} MiB {way}, {how}", bytes / 1024 / 1024);
        let row = |beside: &str| Row::new(format!("{what}, beside {beside}"), "MiB/s", gateway.clone());
        report.row(row("direct").beside(direct).goal(Goal::RatioAtLeast(share)));
        report.row(row("the jump host").beside(jump).goal(Goal::RatioAtLeast(1.0)));
        report.row(Row::new(format!("{what}: processor of the gateway"), "s/GiB", cpu).goal(Goal::AtMost(most)));
    }
    Ok(())
}
