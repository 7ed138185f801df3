//! The web UI: what the server spends on it and sends for it, how many times a second it can be looked at with many
//! grants, and when somebody sees something and is answered, in Chromium.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wane_testkit::PersonSession;

use super::Figure;
use super::deployment::Deployment;
use super::ground::{Ground, number, text, with};
use super::process::cpu_seconds;
use super::report::{Goal, Report, Row};
use super::sample::Sample;
use crate::command;

/// The figure.
pub(crate) const FIGURE: Figure =
    Figure { name: "pages", about: "the web UI: bytes, server time, and what Chromium shows when", measure };

const CLIENTS: usize = 8;
/// What the home page asks for, each time it is looked at anew and whenever something happened.
const HOME: [(&str, &str); 4] = [
    ("what is held", "/v1/grants?mine=true&state=scheduled,active,ending"),
    ("what was held before", "/v1/grants?mine=true&state=closed&limit=5"),
    ("one's own requests", "/v1/requests?mine=true&waiting=true"),
    ("what waits for one", "/v1/requests?waiting_for_me=true"),
];
/// What a page loads first, at most, compressed.
const MOST_KIB: f64 = 100.0;
/// When the largest thing on a page is to be there: on this machine, and on a phone that is slow and far away, for which
/// 2.5 s is held to be good (Core Web Vitals).
const SOON_MS: f64 = 1_000.0;
const GOOD_MS: f64 = 2_500.0;
/// How soon what is pressed is to be answered; 200 ms is held to be good.
const ANSWERED_MS: f64 = 100.0;
const GOOD_ANSWER_MS: f64 = 200.0;

fn measure(ground: &Ground) -> Result<Report> {
    let wane = Deployment::start(ground, ground.size(16, 2))?;
    let many = ground.size(10_000, 200);
    let asks = wane.people.iter().cycle().take(many).map(|person| wane.ask_call(person)).collect::<Result<Vec<_>>>()?;
    done(&ground.tool("load", &wane.plan(CLIENTS, asks))?)?;
    let pid = wane.server.pid()?;
    let first = crate::web::loaded_first()?;
    let files = first.iter().map(|file| served(file)).collect::<Result<Vec<_>>>()?;
    let person = wane.people.first().context("nobody is there")?;

    let mut report = Report::default();
    let mut of_files = Sample::default();
    let (mut rate, mut p50, mut p99, mut cpu) = <(Sample, Sample, Sample, Sample)>::default();
    let mut parts = HOME.map(|_| Sample::default());
    let mut chromium: [Sample; 4] = Default::default();
    let (mut bytes, mut count) = (0.0, 0.0);
    for _ in 0..ground.rounds {
        let calls = files.iter().map(|path| file_call(path)).collect();
        let loads = loaded(ground, &wane, 1, calls)?;
        of_files.push(number(&loads, "/p50_us")? * files.len() as f64 / 1e3);
        for ((_, path), part) in HOME.iter().zip(&mut parts) {
            part.push(number(&loaded(ground, &wane, 1, vec![get(person, path)?])?, "/p50_us")? / 1e3);
        }
        let turns = wane.people.iter().flat_map(|person| HOME.iter().map(move |(_, path)| get(person, path)));
        let before = cpu_seconds(pid)?;
        let home = loaded(ground, &wane, CLIENTS, turns.collect::<Result<_>>()?)?;
        let pages = number(&home, "/done")? / HOME.len() as f64;
        cpu.push((cpu_seconds(pid)? - before) * 1e3 / pages);
        rate.push(number(&home, "/per_second")? / HOME.len() as f64);
        p50.push(number(&home, "/p50_us")? / 1e3);
        p99.push(number(&home, "/p99_us")? / 1e3);
        let seen = browser(&wane, person, ground.size(3, 1))?;
        for (name, sample) in
            ["lcp_ms", "phone_lcp_ms", "interaction_ms", "phone_interaction_ms"].iter().zip(&mut chromium)
        {
            sample.push(middle(&seen, name)?);
        }
        (bytes, count) = (number(&seen, "/bytes")?, number(&seen, "/files")?);
    }
    let [lcp, phone_lcp, interaction, phone_interaction] = chromium;
    report.row(Row::new("first load, in the browser", "KiB", Sample::one(bytes / 1024.0)).goal(Goal::AtMost(MOST_KIB)));
    report.row(Row::new("first load: files", "", Sample::one(count)));
    report.row(Row::new("first load: server time for all of its files", "ms", of_files));
    for ((what, _), part) in HOME.iter().zip(parts) {
        report.row(Row::new(format!("home with {many} grants, 1 client: {what}, half within"), "ms", part));
    }
    let label = |what: &str| format!("home with {many} grants, {CLIENTS} clients: {what}");
    report.row(Row::new(label("home pages"), "/s", rate));
    report.row(Row::new(label("a call of it, half within"), "ms", p50));
    report.row(Row::new(label("a call of it, 99 of 100 within"), "ms", p99));
    report.row(Row::new(label("processor for one home page"), "ms", cpu));
    report.row(Row::new("largest paint", "ms", lcp).goal(Goal::AtMost(SOON_MS)));
    report.row(Row::new("what is pressed is answered, the slowest", "ms", interaction).goal(Goal::AtMost(ANSWERED_MS)));
    report.row(Row::new("slow phone: largest paint", "ms", phone_lcp).goal(Goal::AtMost(GOOD_MS)));
    report.row(
        Row::new("slow phone: what is pressed is answered, the slowest", "ms", phone_interaction)
            .goal(Goal::AtMost(GOOD_ANSWER_MS)),
    );
    report.remark(format!(
        "a home page is {} calls; each of {} people has a share of the grants",
        HOME.len(),
        wane.people.len()
    ));
    report.remark("a browser that was never here: nothing is cached; files come compressed as they were built");
    report.remark("the slow phone is a fourth of a processor, 1.6 Mbit/s and 150 ms away, as Chromium makes believe");
    report.remark(
        "pressed are *connect*, Escape, *ask* and ten letters; the browser tells in steps of 8 ms, 16 at least",
    );
    Ok(report)
}

fn get(person: &PersonSession, path: &str) -> Result<Value> {
    let bearer = format!("Bearer {}", person.token()?);
    Ok(json!({ "method": "GET", "path": path, "headers": [["authorization", bearer]] }))
}

fn file_call(path: &str) -> Value {
    json!({ "method": "GET", "path": path, "headers": [["accept-encoding", "br"]] })
}

/// Where a file of the UI is served.
fn served(file: &std::path::Path) -> Result<String> {
    let name = file.strip_prefix(crate::web::BUILT)?.to_string_lossy().into_owned();
    Ok(if name == "index.html" { "/ui/".to_owned() } else { format!("/ui/{name}") })
}

/// Makes the calls round and round for one cell.
fn loaded(ground: &Ground, wane: &Deployment, clients: usize, calls: Vec<Value>) -> Result<Value> {
    let plan = json!({ "address": wane.address(), "clients": clients, "calls": calls });
    let found = ground.tool("load", &with(plan, "seconds", json!(ground.cell().as_secs_f64())))?;
    done(&found)?;
    Ok(found)
}

fn done(found: &Value) -> Result<()> {
    let failed = number(found, "/failed")?;
    ensure!(failed == 0.0, "{failed} calls failed, the first: {}", text(found, "/failure").unwrap_or("?"));
    Ok(())
}

/// What a browser sees.
fn browser(wane: &Deployment, person: &PersonSession, times: usize) -> Result<Value> {
    let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(command::find);
    let program = program.context("there is no browser: run `cargo xtask deps`")?;
    let root = command::root();
    let mut child = Command::new("node")
        .arg(root.join("xtask/src/bench/pages.mjs"))
        .arg(root.join("target/node/node_modules"))
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run `node`")?;
    let plan = json!({ "url": wane.server.url(), "token": person.token()?, "times": times });
    writeln!(child.stdin.take().context("the browser takes no plan")?, "{plan}")?;
    let said = child.wait_with_output()?;
    ensure!(said.status.success(), "`pages.mjs` failed with {}", said.status);
    serde_json::from_slice(&said.stdout).context("the browser said nothing")
}

/// The middle one of some numbers.
fn middle(seen: &Value, name: &str) -> Result<f64> {
    let all = seen.get(name).and_then(Value::as_array).with_context(|| format!("no `{name}` in {seen}"))?;
    let values: Sample = all.iter().filter_map(Value::as_f64).collect();
    ensure!(!values.values().is_empty() && values.median() > 0.0, "nothing was seen: `{name}` in {seen}");
    Ok(values.median())
}
