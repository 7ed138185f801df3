//! Web applications through the gateway, beside nginx as a proxy over TLS to the same application.
//!
//! Programs show an API key; what is judged, recorded and signed for each call is part of what is measured. Recordings are
//! off where it does not say otherwise, since nginx keeps nothing.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wane_testkit::{Nginx, PersonSession, ServerCertificate, WaneServer, free_port};

use super::Figure;
use super::deployment::Deployment;
use super::ground::{Ground, Running, number, text, with};
use super::process::{cpu_seconds, resident_kib};
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure = Figure { name: "web", about: "web applications through the gateway", measure };

/// Where an application is opened that is reached here.
const HOST: &str = "app.localhost";
/// Streams of one session: as many as a connection may have.
const STREAMS: usize = 64;
/// Sessions under one grant: below what one may have.
const SESSIONS: usize = 60;

/// The application, and the two roads to it.
struct Roads {
    wane: Deployment,
    nginx: Nginx,
    port: u16,
    ca: String,
    _application: Running,
}

/// Whether what passes is recorded.
#[derive(Clone, Copy)]
enum Recorded {
    All,
    None,
}

impl Roads {
    fn build(ground: &Ground, recorded: Recorded, people: usize) -> Result<Self> {
        let mut application = ground.begin("web-backend", &json!({}))?;
        let upstream = number(&application.says()?, "/port")? as u16;
        let port = free_port()?;
        let sessions = match recorded {
            Recorded::All => "all",
            // Those whose terms ask for it, which none do.
            Recorded::None => "required",
        };
        let builder = WaneServer::builder().binary(ground.wane()).set("log.level", "warn");
        let builder = builder.set("gateway.http.listen", &format!("127.0.0.1:{port}"));
        let mut server = builder.set("recording.sessions", sessions).prepare()?;
        let folder = server.folder().join("tls");
        std::fs::create_dir(&folder)?;
        let own = ServerCertificate::generate_for(&folder, &[HOST])?;
        server.set("gateway.http.cert", &own.certificate_path().display().to_string());
        server.set("gateway.http.key", &own.key_path().display().to_string());
        let wane = Deployment::on(server, people)?;
        let settings =
            json!({ "origin": format!("https://{HOST}:{port}"), "upstream": format!("http://127.0.0.1:{upstream}") });
        let words = ["resource", "add", "app", "--kind", "http", "--label", "env=bench", "--settings"];
        wane.admin.json(&[&words[..], &[&settings.to_string()]].concat())?;
        let allow = r#"allow=[{"methods":["GET"],"paths":["/**"]}]"#;
        wane.admin.json(&["role", "add", "http/all", "--set", allow, "--set", "websocket=true"])?;
        let folder = wane.server.folder().join("nginx");
        std::fs::create_dir(&folder)?;
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let nginx = Nginx::proxy(&folder, (own.certificate_path(), own.key_path()), upstream, cores)?;
        let ca = own.ca_path().display().to_string();
        Ok(Self { wane, nginx, port, ca, _application: application })
    }

    fn person(&self, number: usize) -> Result<&PersonSession> {
        self.wane.people.get(number).context("there are too few people")
    }

    /// A key of somebody's, and the grant it is under.
    fn key(&self, number: usize, duration: &str) -> Result<(String, String)> {
        let words = ["key", "new", "app", "--role", "all", "--for", duration];
        let made = self.person(number)?.json(&words)?;
        Ok((text(&made, "/key")?.to_owned(), text(&made, "/grant")?.to_owned()))
    }

    fn ours(&self, path: &str, keys: &[String], connections: usize) -> Value {
        json!({
            "address": format!("127.0.0.1:{}", self.port), "host": format!("{HOST}:{}", self.port), "ca": self.ca,
            "path": path, "keys": keys, "connections": connections,
        })
    }

    fn theirs(&self, path: &str, connections: usize) -> Value {
        json!({
            "address": format!("127.0.0.1:{}", self.nginx.port()), "host": format!("{HOST}:{}", self.nginx.port()),
            "ca": self.ca, "path": path, "connections": connections,
        })
    }
}

/// One value per round of ours and of theirs.
#[derive(Default)]
struct Cell {
    ours: [Sample; 4],
    theirs: [Sample; 4],
    cpu: Sample,
}

const SEEN: [&str; 4] = ["/per_second", "/mib_per_second", "/p50_us", "/p99_us"];

impl Cell {
    fn measure(
        &mut self,
        ground: &Ground,
        tool: &str,
        roads: &Roads,
        (ours, theirs): (Value, Value),
        turn: usize,
    ) -> Result<()> {
        let seconds = json!(ground.cell().as_secs_f64());
        let mut run = |mine: bool| -> Result<()> {
            let plan = with(if mine { ours.clone() } else { theirs.clone() }, "seconds", seconds.clone());
            let before = cpu_seconds(roads.wane.server.pid()?)?;
            let found = ground.tool(tool, &plan)?;
            let of = if mine { &mut self.ours } else { &mut self.theirs };
            for (sample, pointer) in of.iter_mut().zip(SEEN) {
                sample.push(number(&found, pointer)?);
            }
            if mine {
                let used = cpu_seconds(roads.wane.server.pid()?)? - before;
                self.cpu.push(used * 1e3 / number(&found, "/done")?);
            }
            Ok(())
        };
        // Who goes first takes turns.
        let first = turn.is_multiple_of(2);
        run(first)?;
        run(!first)
    }
}

fn measure(ground: &Ground) -> Result<Report> {
    let mut report = Report::beside("nginx");
    {
        let roads = Roads::build(ground, Recorded::None, people(ground))?;
        calls(ground, &roads, Recorded::None, &mut report)?;
        sockets(ground, &roads, &mut report)?;
        idle(ground, &roads, &mut report)?;
        ending(ground, &roads, &mut report)?;
    }
    calls(ground, &Roads::build(ground, Recorded::All, 1)?, Recorded::All, &mut report)?;
    report.remark("TLS 1.3 on both roads, one application behind both, HTTP/1.1 on connections that stay open");
    report.remark("each call shows an API key, is judged by its role, and is passed on with a signed word on who asks");
    report.remark("nothing is recorded where it does not say so; nginx keeps no log of the calls either");
    Ok(report)
}

/// Goal 15: small answers and large ones; key checks a second are the small ones.
fn calls(ground: &Ground, roads: &Roads, recorded: Recorded, report: &mut Report) -> Result<()> {
    let (key, _) = roads.key(0, "5h")?;
    let keys = [key];
    let (how, sizes): (&str, &[(&str, &str, usize, f64)]) = match recorded {
        Recorded::None => {
            ("", &[("/small", "128 bytes", 1, 0.5), ("/small", "128 bytes", 32, 0.5), ("/big", "1 MiB", 8, 0.8)])
        }
        Recorded::All => (", recorded", &[("/small", "128 bytes", 32, 0.5)]),
    };
    for (path, size, connections, share) in sizes {
        let mut cell = Cell::default();
        for round in 0..ground.rounds {
            let plans = (roads.ours(path, &keys, *connections), roads.theirs(path, *connections));
            cell.measure(ground, "web-calls", roads, plans, round)?;
        }
        let Cell { ours: [rate, much, half, most], theirs: [their_rate, their_much, their_half, their_most], cpu } =
            cell;
        let of = |what: &str| format!("{size}, {connections} connections{how}: {what}");
        let goal = if matches!(recorded, Recorded::None) { Goal::RatioAtLeast(*share) } else { Goal::Told };
        if *path == "/big" {
            report.row(Row::new(of("passed"), "MiB/s", much).beside(their_much).goal(goal));
        } else {
            report.row(Row::new(of("calls"), "/s", rate).beside(their_rate).goal(goal));
            report.row(Row::new(of("half within"), "us", half).beside(their_half));
            let tail = if *connections == 32 { Goal::RatioAtMost(3.0) } else { Goal::Told };
            report.row(Row::new(of("99 of 100 within"), "us", most).beside(their_most).goal(tail));
        }
        report.row(Row::new(of("processor of the gateway each"), "ms", cpu));
    }
    Ok(())
}

fn sockets(ground: &Ground, roads: &Roads, report: &mut Report) -> Result<()> {
    let (key, _) = roads.key(0, "5h")?;
    let keys = [key];
    for connections in [1, 32] {
        let mut cell = Cell::default();
        for round in 0..ground.rounds {
            let plans = (roads.ours("/socket", &keys, connections), roads.theirs("/socket", connections));
            cell.measure(ground, "web-socket", roads, plans, round)?;
        }
        let Cell { ours: [rate, _, half, most], theirs: [their_rate, _, their_half, their_most], .. } = cell;
        let of = |what: &str| format!("WebSocket, {connections} connections: {what}");
        report.row(Row::new(of("messages there and back"), "/s", rate).beside(their_rate));
        report.row(Row::new(of("half within"), "us", half).beside(their_half));
        report.row(Row::new(of("99 of 100 within"), "us", most).beside(their_most));
    }
    Ok(())
}

/// What a connection costs on which nothing happens.
fn idle(ground: &Ground, roads: &Roads, report: &mut Report) -> Result<()> {
    let many = ground.size(1_000, 50);
    let (key, _) = roads.key(0, "5h")?;
    let plan = roads.ours("/small", &[key], many);
    let pid = roads.wane.server.pid()?;
    let before = resident_kib(pid)?;
    let mut held = ground.begin("web-idle", &plan)?;
    held.says()?;
    thread::sleep(Duration::from_secs(ground.size(5, 1) as u64));
    let each = (resident_kib(pid)? - before) / many as f64;
    held.release()?;
    let their_before = resident_of_workers(roads)?;
    let mut held = ground.begin("web-idle", &roads.theirs("/small", many))?;
    held.says()?;
    thread::sleep(Duration::from_secs(ground.size(5, 1) as u64));
    let theirs = (resident_of_workers(roads)? - their_before) / many as f64;
    held.release()?;
    let row = Row::new(format!("{many} idle connections: memory for each"), "KiB", Sample::one(each));
    report.row(row.beside(Sample::one(theirs)));
    Ok(())
}

fn resident_of_workers(roads: &Roads) -> Result<f64> {
    let master = roads.nginx.pid();
    let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"))?;
    let all = children.split_whitespace().map(|pid| resident_kib(pid.parse().unwrap_or_default()));
    Ok(all.collect::<Result<Vec<_>>>()?.into_iter().sum())
}

/// So many streams are open at once.
fn streams(ground: &Ground) -> usize {
    ground.size(10_000, 256)
}

/// Connections, each a session of its own, for so many streams.
fn connections(ground: &Ground) -> usize {
    streams(ground).div_ceil(STREAMS)
}

/// People, each with a grant of their own, for so many sessions.
fn people(ground: &Ground) -> usize {
    1 + connections(ground).div_ceil(SESSIONS)
}

/// From the deadline to the last byte, with many open streams.
fn ending(ground: &Ground, roads: &Roads, report: &mut Report) -> Result<()> {
    let (many, sessions) = (streams(ground), connections(ground));
    let duration = format!("{}s", ground.size(240, 40));
    let (mut keys, mut ends) = (Vec::new(), Vec::new());
    for number in 1..people(ground) {
        let (key, grant) = roads.key(number, &duration)?;
        let seen = roads.wane.admin.json(&["grant", &grant])?;
        let end = text(&seen, "/end")?.parse::<jiff::Timestamp>()?.as_microsecond() as f64 / 1e6;
        // One key is one session: so each connection has one that is narrowed to something of its own.
        for own in 0..SESSIONS.min(sessions - keys.len()) {
            let until = format!("2099-01-01T00:{:02}:{:02}Z", own / 60, own % 60);
            let said = roads.person(number)?.run_with(&["--json", "key", "narrow", "--until", &until], &key)?;
            let said: Value = serde_json::from_str(&said.into_stdout()?)?;
            keys.push(text(&said, "/key")?.to_owned());
            ends.push(end);
        }
    }
    ensure!(keys.len() == sessions, "there are {} keys for {sessions} connections", keys.len());
    let plan = with(roads.ours("/stream", &keys, sessions), "streams", json!(STREAMS));
    let mut held = ground.begin("web-streams", &plan)?;
    let opened = held.says()?;
    let first = ends.iter().copied().fold(f64::NAN, f64::min);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    ensure!(now < first, "the streams took longer to open than they were to last");
    let ended = held.finish()?;
    let last: Vec<f64> =
        ended.pointer("/last").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64).collect();
    ensure!(last.len() == sessions, "{} of {sessions} connections were cut", last.len());
    let after = last.iter().zip(&ends).map(|(last, end)| (last - end) * 1e3).fold(f64::NEG_INFINITY, f64::max);
    let row =
        Row::new(format!("{many} open streams: from the deadline to the last byte"), "ms", Sample::one(after.max(0.0)));
    report.row(row.goal(Goal::AtMost(1_000.0)));
    let opening = Sample::one(many as f64 / number(&opened, "/seconds")?);
    report.row(Row::new(format!("{many} streams over {sessions} connections: opened"), "/s", opening));
    Ok(())
}
