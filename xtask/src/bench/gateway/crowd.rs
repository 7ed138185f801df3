//! Many sessions at once: what they cost while nothing happens, and how soon they are gone when their time
//! is up.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use super::super::ground::{Ground, number};
use super::super::process::{cpu_seconds, resident_kib};
use super::super::report::{Goal, Report, Row};
use super::super::sample::Sample;
use super::roads::Roads;

/// How often it is looked who is still connected.
const LOOK: Duration = Duration::from_millis(5);

/// The most sessions at once.
pub(crate) fn most(ground: &Ground) -> usize {
    ground.size(1_000, 20)
}

/// Goals 13 and 6.
pub(crate) fn measure(ground: &Ground, roads: &Roads, report: &mut Report) -> Result<()> {
    let rate = idle(ground, roads, report)?;
    ending(ground, roads, report, rate)
}

/// Goal 13: sessions in which nothing happens. Tells how many a second were opened.
fn idle(ground: &Ground, roads: &Roads, report: &mut Report) -> Result<f64> {
    let many = ground.size(500, 20);
    let grants = roads.ask_crowd(many, "5h")?;
    let before = resident_kib(roads.server())?;
    let mut crowd = ground.begin("sessions", &roads.crowd(&grants, many)?)?;
    let opened = crowd.says()?;
    let seconds = number(&opened, "/seconds")?;
    thread::sleep(Duration::from_secs(ground.size(5, 1) as u64));
    let there = resident_kib(roads.server())?;
    let watched = ground.size(20, 2) as f64;
    let used = cpu_seconds(roads.server())?;
    thread::sleep(Duration::from_secs_f64(watched));
    let used = cpu_seconds(roads.server())? - used;
    crowd.release()?;
    let gone = wait(Duration::from_secs(60), || Ok(roads.connections()? == 0))?;
    ensure!(gone, "sessions that were let go of are still there");
    roads.revoke(&grants)?;
    thread::sleep(Duration::from_secs(ground.size(15, 1) as u64));
    let after = resident_kib(roads.server())?;
    let label = |what: &str| format!("{many} idle sessions: {what}");
    let each = Row::new(label("memory of the gateway for each"), "KiB", Sample::one((there - before) / many as f64));
    report.row(each.goal(Goal::AtMost(200.0)));
    let share = used / watched * 100.0 * 200.0 / many as f64;
    let row = Row::new(label("processor per 200, of a core"), "%", Sample::one(share));
    report.row(row.goal(Goal::AtMost(0.3)));
    let kept = (after - before) / (there - before) * 100.0;
    let row = Row::new(label("memory kept after they are gone"), "%", Sample::one(kept));
    report.row(row.goal(Goal::AtMost(20.0)));
    report.row(Row::new(label("opened, by one client, six at once"), "/s", Sample::one(many as f64 / seconds)));
    Ok(many as f64 / seconds)
}

/// Goal 6: a few of many end, then all of them in one instant.
fn ending(ground: &Ground, roads: &Roads, report: &mut Report, rate: f64) -> Result<()> {
    let (many, few) = (most(ground), ground.size(10, 2));
    let patience = (many as f64 / rate * 1.5) as u64 + 60;
    let all = roads.ask_crowd(many, &format!("{patience}s"))?;
    let mut crowd = ground.begin("sessions", &roads.crowd(&all, many)?)?;
    crowd.says()?;
    let some = roads.ask_few(&format!("{}s", ground.size(20, 8)))?;
    let mut others = ground.begin("sessions", &roads.crowd(&some, few)?)?;
    others.says()?;
    let last = watch(roads, roads.end(&some)?, many)?;
    others.finish()?;
    let row = Row::new(
        format!("{few} of {} sessions end: the last is cut off its host", many + few),
        "ms",
        Sample::one(last),
    );
    report.row(row.goal(Goal::AtMost(100.0)));
    let end = roads.end(&all)?;
    ensure!(now() < end, "the sessions took longer to open than they were to last");
    let last = watch(roads, end, 0)? / 1e3;
    let row =
        Row::new(format!("{many} sessions end within a second: the last is cut off its host"), "s", Sample::one(last));
    report.row(row.goal(Goal::AtMost(2.0)));
    let closed = crowd.finish()?;
    let of = |what: &str| -> Vec<f64> {
        let times = closed.get(what).and_then(serde_json::Value::as_array).into_iter().flatten();
        times.filter_map(serde_json::Value::as_f64).map(|at| at - end).collect()
    };
    let (told, closed) = (of("told"), of("closed"));
    ensure!(closed.len() == many, "{} of {many} sessions were closed", closed.len());
    let latest = |of: &[f64]| Sample::one(of.iter().copied().fold(f64::NAN, f64::max));
    report.row(Row::new(format!("{} of {many} people are told why: the last", told.len()), "s", latest(&told)));
    report.row(Row::new(format!("{many} people's connections are closed: the last"), "s", latest(&closed)));
    report.remark(format!(
        "goal 6 is about 10,000 sessions; {many} are what this machine holds with an sshd at the end of each"
    ));
    Ok(())
}

/// Waits until so few connections to the host are left; milliseconds after `end`.
fn watch(roads: &Roads, end: f64, left: usize) -> Result<f64> {
    let ahead = end - now();
    ensure!(ahead > 0.0, "it ended before it was watched");
    thread::sleep(Duration::from_secs_f64(ahead));
    let there = wait(Duration::from_secs(60), || Ok(roads.connections()? <= left))?;
    ensure!(there, "sessions are still there a minute after their end");
    Ok((now() - end) * 1e3)
}

fn wait(most: Duration, mut is: impl FnMut() -> Result<bool>) -> Result<bool> {
    let begun = Instant::now();
    while begun.elapsed() < most {
        if is()? {
            return Ok(true);
        }
        thread::sleep(LOOK);
    }
    Ok(false)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::NAN, |since| since.as_secs_f64())
}
