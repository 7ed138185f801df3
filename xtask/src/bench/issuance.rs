//! SSH certificates issued per second, with the record of each on disk before the answer leaves, beside
//! OpenBao's `ssh/sign` and beside what Ed25519 and the disk alone allow.
//!
//! Issued is what people's clients have issued again and again under live grants, every call under an
//! idempotency key of its own. The grants are many, so that callers rarely meet on one: of two who do,
//! one decides again.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wane_testkit::wait_until;

use super::Figure;
use super::deployment::{Deployment, public_key};
use super::ground::{Ground, number, text, with};
use super::openbao::{self, OpenBao};
use super::process::cpu_seconds;
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure =
    Figure { name: "issuance", about: "SSH certificates, recorded on disk before the answer", measure };

pub(super) const CLIENTS: [usize; 3] = [1, 8, 32];
/// Twice as many as clients, so that callers who take turns do not meet on one.
pub(super) const GRANTS: usize = 64;

/// What is seen of one server under one number of clients, one value per round.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) rate: Sample,
    pub(super) p50: Sample,
    pub(super) p99: Sample,
    pub(super) cpu: Sample,
}

impl Cell {
    pub(super) fn measure(&mut self, ground: &Ground, pid: u32, plan: &Value) -> Result<()> {
        let before = cpu_seconds(pid)?;
        let found = loaded(ground, plan)?;
        let used = cpu_seconds(pid)? - before;
        self.rate.push(number(&found, "/per_second")?);
        self.p50.push(number(&found, "/p50_us")? / 1e3);
        self.p99.push(number(&found, "/p99_us")? / 1e3);
        self.cpu.push(used * 1e3 / number(&found, "/done")?);
        Ok(())
    }
}

fn measure(ground: &Ground) -> Result<Report> {
    let wane = Deployment::start(ground, ground.size(8, 2))?;
    let key = public_key(wane.server.folder(), "bench-key")?;
    let mut many = Vec::new();
    for person in wane.people.iter().cycle().take(GRANTS) {
        many.push(wane.certificate_call(person, &wane.grant(person)?, &key)?);
    }
    let bao = OpenBao::start()?;
    let sign = bao_call(&bao, &key)?;
    let (ours, theirs) = (wane.server.pid()?, bao.pid());
    let seconds = ground.cell().as_secs_f64();
    let for_a_while = |plan: Value| with(plan, "seconds", json!(seconds));
    let bao_plan = |clients: usize| json!({ "address": bao.address(), "clients": clients, "calls": [sign] });
    for plan in [wane.plan(8, many.clone()), bao_plan(8)] {
        loaded(ground, &for_a_while(plan))?;
    }

    let mut cells: Vec<(Cell, Cell)> = CLIENTS.map(|_| Default::default()).into();
    let (mut bare, mut disk, mut over_disk) = (Sample::default(), Sample::default(), Sample::default());
    for round in 0..ground.rounds {
        for (clients, (a, b)) in CLIENTS.iter().zip(&mut cells) {
            let synced = ground.tool("disk", &json!({ "folder": wane.server.folder(), "times": 200 }))?;
            // Who goes first takes turns.
            if round % 2 == 0 {
                a.measure(ground, ours, &for_a_while(wane.plan(*clients, many.clone())))?;
                b.measure(ground, theirs, &for_a_while(bao_plan(*clients)))?;
            } else {
                b.measure(ground, theirs, &for_a_while(bao_plan(*clients)))?;
                a.measure(ground, ours, &for_a_while(wane.plan(*clients, many.clone())))?;
            }
            if *clients == 1 {
                let synced = number(&synced, "/p50_ms")?;
                disk.push(synced);
                over_disk.push(a.p50.values().last().copied().unwrap_or(f64::NAN) - synced);
            }
        }
        let raw = ground.tool("ed25519", &json!({ "times": 100_000 }))?;
        bare.push(number(&raw, "/per_second")?);
    }

    let mut report = Report::beside(format!("OpenBao {}", openbao::VERSION));
    for (clients, (a, b)) in CLIENTS.iter().zip(cells) {
        let (rate, cpu) = match clients {
            32 => (Goal::RatioAtLeast(3.0), Goal::RatioAtMost(0.25)),
            _ => (Goal::Told, Goal::Told),
        };
        let of = |what: &str| format!("{clients} clients: {what}");
        report.row(Row::new(of("certificates"), "/s", a.rate.clone()).beside(b.rate).goal(rate));
        report.row(Row::new(of("half within"), "ms", a.p50).beside(b.p50));
        report.row(Row::new(of("99 of 100 within"), "ms", a.p99).beside(b.p99));
        report.row(Row::new(of("processor each"), "ms", a.cpu.clone()).beside(b.cpu).goal(cpu));
        if *clients == 32 {
            report.row(Row::new(of("processor each"), "ms", a.cpu).goal(Goal::AtMost(0.15)));
            report
                .row(Row::new(of("certificates, beside bare Ed25519 on one core"), "/s", a.rate).beside(bare.clone()));
        }
    }
    report.row(Row::new("1 client: half within, over one fdatasync", "ms", over_disk).goal(Goal::AtMost(0.5)));
    report.row(Row::new("one fdatasync of 4 KiB: half within", "ms", disk));
    syncs(ground, &wane, ours, &many, &mut report)?;
    report.remark("over plain HTTP on loopback on both sides, one load generator on the same cores for both");
    report.remark("OpenBao answers before its audit record is on disk: it waits for no sync at all");
    report.remark("issued again under a live grant; the first certificate of a new grant is in `memory`");
    Ok(report)
}

fn syncs(ground: &Ground, wane: &Deployment, pid: u32, calls: &[Value], report: &mut Report) -> Result<()> {
    let goal = |clients| if clients == 1 { Goal::AtMost(1.0) } else { Goal::Told };
    for clients in [1, 32] {
        let each = Sample::one(syncs_of(ground, wane, pid, (clients, calls))?);
        let what = format!("{clients} clients: syncs of the disk per certificate");
        report.row(Row::new(what, "", each).goal(goal(clients)));
    }
    Ok(())
}

/// Counts the syncs of a fixed number of issues. Apart from all timing: counting slows the server down.
pub(super) fn syncs_of(
    ground: &Ground,
    wane: &Deployment,
    pid: u32,
    (clients, calls): (usize, &[Value]),
) -> Result<f64> {
    let times = ground.size(clients * 100, clients * 20);
    let counted = wane.server.folder().join("syncs");
    let out = counted.display().to_string();
    let words = ["-f", "-c", "-e", "trace=fsync,fdatasync", "-o", &out, "-p", &pid.to_string()];
    let mut strace = Command::new("strace")
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("syncs are counted by `strace`; install it")?;
    let attached = wait_until("strace to attach", std::time::Duration::from_secs(10), || is_traced(pid));
    let all: Vec<Value> = calls.iter().cycle().take(times).cloned().collect();
    let found = attached.and_then(|()| loaded(ground, &wane.plan(clients, all)));
    // Detaches, and writes what it counted.
    let interrupted = crate::command::output("kill", &["-INT", &strace.id().to_string()]);
    strace.wait()?;
    found?;
    interrupted?;
    Ok(counted_syncs(&counted)? / times as f64)
}

fn is_traced(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
}

/// The calls that `strace -c` counted, out of its table.
fn counted_syncs(path: &Path) -> Result<f64> {
    let table = std::fs::read_to_string(path)?;
    let mut sum = 0.0;
    for line in table.lines().filter(|line| line.ends_with("sync")) {
        let calls = line.split_whitespace().nth(3).with_context(|| format!("strace printed `{line}`"))?;
        sum += calls.parse::<f64>()?;
    }
    Ok(sum)
}

fn bao_call(bao: &OpenBao, key: &str) -> Result<Value> {
    bao.bao(&["secrets", "enable", "ssh"])?;
    bao.bao(&["write", "ssh/config/ca", "generate_signing_key=true", "key_type=ed25519"])?;
    let role = ["write", "ssh/roles/deploy", "key_type=ca", "allow_user_certificates=true"];
    bao.bao(&[&role[..], &["allowed_users=deploy", "default_user=deploy", "ttl=15m"]].concat())?;
    let token = bao.token_for(r#"path "ssh/sign/deploy" { capabilities = ["update"] }"#)?;
    Ok(json!({
        "method": "POST",
        "path": "/v1/ssh/sign/deploy",
        "headers": [["x-vault-token", token]],
        "body": { "public_key": key, "valid_principals": "deploy" },
    }))
}

/// Loads a server; a call that fails is no figure.
pub(super) fn loaded(ground: &Ground, plan: &Value) -> Result<Value> {
    let found = ground.tool("load", plan)?;
    let failed = number(&found, "/failed")?;
    ensure!(failed == 0.0, "{failed} calls failed, the first: {}", text(&found, "/failure").unwrap_or("?"));
    ensure!(number(&found, "/done")? > 0.0, "nothing was done");
    Ok(found)
}
