//! PostgreSQL accounts: made, ended, cut off all at once, and ended after the server was away, beside
//! OpenBao's database engine and beside what PostgreSQL itself does when as many clients do nothing else.
//!
//! Ours is the whole way: a request that policy grants and the account under it, two calls. OpenBao's
//! is its one call; its statement is the one everybody copies, and, apart, its best case: a membership.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wane_testkit::{Postgres, wait_until};

use super::Figure;
use super::deployment::Deployment;
use super::ground::{Ground, number, text, with};
use super::openbao::{self, OpenBao};
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure = Figure { name: "database", about: "PostgreSQL accounts made and ended", measure };

const CLIENTS: [usize; 3] = [1, 8, 32];
const CONNECTOR: &str = "the bench connector's own";
pub(crate) const OURS: &str = r"wane\_%";
const BARE: &str = "CREATE ROLE {} LOGIN PASSWORD 'SCRAM-SHA-256$4096:sMfxv0RPDKkLGLnD3nuGWg==$7TT9nRGvvLTBUbLbcrITdbHwlAXzClTuRMchpDCvRC8=:+hXQMkuSbkpIRZqnWw6Jy2oAb6XhRQ9n5gVIZoVkvoQ=' VALID UNTIL '2099-01-01' IN ROLE app_read";
const SETUP: &str = "CREATE TABLE orders (id int); CREATE ROLE app_read NOLOGIN; GRANT SELECT ON orders TO app_read; \
    CREATE ROLE wane LOGIN CREATEROLE; CREATE ROLE wane_left_behind NOLOGIN; \
    GRANT pg_signal_backend, wane_left_behind TO wane; GRANT app_read TO wane WITH ADMIN OPTION; \
    REVOKE CREATE, TEMPORARY ON DATABASE shop FROM PUBLIC; REVOKE CREATE, TEMPORARY ON DATABASE postgres FROM PUBLIC; \
    REVOKE CREATE, TEMPORARY ON DATABASE template1 FROM PUBLIC; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
    GRANT CONNECT ON DATABASE shop TO wane";

/// Everything that takes part.
struct Shop<'a> {
    ground: &'a Ground,
    postgres: Postgres,
    wane: Deployment,
    bao: OpenBao,
    bao_token: String,
    /// Each ask is for a moment longer than the last, so that no grant covers another.
    asked: u64,
}

fn measure(ground: &Ground) -> Result<Report> {
    let mut shop = Shop::open(ground)?;
    let mut report = Report::beside("peer");
    making(&mut shop, &mut report)?;
    many(&mut shop, &mut report)?;
    trickle(&mut shop, &mut report)?;
    bursts(&mut shop, &mut report)?;
    report.remark("ours is a request and the account under it, two calls; PostgreSQL's is one statement from a bare client that stays connected");
    report.remark(format!("OpenBao {}: raft, file audit, 32 connections to the database at most", openbao::VERSION));
    report.remark("PostgreSQL with its usual durability: fsync, synchronous_commit and full_page_writes on");
    Ok(report)
}

/// Goal 4: how fast accounts are made, and goal 9: how fast all of them are taken away at once.
fn making(shop: &mut Shop<'_>, report: &mut Report) -> Result<()> {
    let many = shop.ground.size(200, 10);
    for clients in CLIENTS {
        let (mut ours, mut bare, mut usual, mut best) = <(Sample, Sample, Sample, Sample)>::default();
        let (mut ended, mut bare_drop, mut bao_drop, mut failed) = <(Sample, Sample, Sample, Sample)>::default();
        shop.make(clients, many.min(20), "2h")?;
        shop.cut_all(many.min(20))?;
        for _ in 0..shop.ground.rounds {
            let alone = shop.bare(clients, many)?;
            bare.push(number(&alone, "/made_per_second")?);
            bare_drop.push(number(&alone, "/dropped_per_second")?);
            ours.push(many as f64 / shop.make(clients, many, "2h")?);
            ended.push(many as f64 / shop.cut_all(many)?.gone);
            let (rate, lost, _) = shop.bao(clients, many, "usual")?;
            usual.push(rate);
            failed.push(lost);
            let (rate, _, dropped) = shop.bao(clients, many, "best")?;
            best.push(rate);
            bao_drop.push(dropped);
        }
        let label = |what: &str| format!("{clients} clients: {what}");
        let held = if clients == 1 { Goal::Told } else { Goal::RatioAtLeast(0.7) };
        report
            .row(Row::new(label("made, beside PostgreSQL alone"), "/s", ours.clone()).beside(bare).goal(held.clone()));
        let thrice = if clients == 1 { Goal::Told } else { Goal::RatioAtLeast(3.0) };
        report.row(
            Row::new(label("made, beside OpenBao, usual statement"), "/s", ours.clone()).beside(usual).goal(thrice),
        );
        report.row(Row::new(label("OpenBao, usual statement: refused"), "calls", failed));
        report.row(Row::new(label("made, beside OpenBao, membership"), "/s", ours).beside(best));
        if clients > 1 {
            let row = Row::new(label("revoked at once and gone, beside PostgreSQL alone"), "/s", ended.clone());
            report.row(row.beside(bare_drop).goal(held));
            report.row(Row::new(label("revoked at once and gone, beside OpenBao"), "/s", ended).beside(bao_drop));
        }
    }
    Ok(())
}

/// Goal 5: many live accounts make the next no dearer. Goal 9: new access is denied at once.
fn many(shop: &mut Shop<'_>, report: &mut Report) -> Result<()> {
    let (live, probe) = (shop.ground.size(5_000, 60), shop.ground.size(200, 10));
    let (mut few, mut full) = (Sample::default(), Sample::default());
    for _ in 0..shop.ground.rounds {
        few.push(shop.make(8, probe, "2h")? * 1e3 / probe as f64);
        shop.cut_all(probe)?;
    }
    let one = |bare: &Value| Ok::<_, anyhow::Error>(Sample::one(1e3 / number(bare, "/made_per_second")?));
    let beside_none = one(&shop.bare(8, probe)?)?;
    let mut there = 0;
    while there < live {
        let next = (live - there).min(500);
        shop.make(8, next, "2h")?;
        there += next;
    }
    for _ in 0..shop.ground.rounds {
        full.push(shop.make(8, probe, "2h")? * 1e3 / probe as f64);
        there += probe;
    }
    report.row(
        Row::new(format!("one more beside {live} live accounts, beside none"), "ms", full)
            .beside(few)
            .goal(Goal::RatioAtMost(1.3)),
    );
    let alone = shop.bare(8, probe)?;
    report.row(
        Row::new(format!("the same by PostgreSQL alone, beside {live} of ours and beside none"), "ms", one(&alone)?)
            .beside(beside_none),
    );
    let cut = shop.cut_all(there)?;
    report.row(
        Row::new(format!("{there} live: locked, new access denied"), "s", Sample::one(cut.denied))
            .goal(Goal::AtMost(1.0)),
    );
    report.row(Row::new(format!("{there} live: locked, and said of each that it ends"), "s", Sample::one(cut.said)));
    let rate = Row::new(format!("{there} live: locked and gone"), "/s", Sample::one(there as f64 / cut.gone));
    let peer = Sample::one(number(&alone, "/dropped_per_second")?);
    report.row(rate.beside(peer).goal(Goal::RatioAtLeast(0.7)));
    Ok(())
}

/// Goal 7: ends that come one by one, each with an open session.
fn trickle(shop: &mut Shop<'_>, report: &mut Report) -> Result<()> {
    let times = shop.ground.size(30, 4);
    let (mut gone, mut cut) = (Sample::default(), Sample::default());
    for _ in 0..shop.ground.rounds {
        let mut sessions = Vec::new();
        for at in 0..times {
            let person = shop.wane.people.first().context("there are no people")?;
            let span = format!("{}s", times / 2 + 8 + at);
            let asked = person.json(&["request", "readonly@shop", "--for", &span])?;
            let grant = text(&asked, "/items/0/grant").context("policy did not grant at once")?;
            let made = person.json(&["credential", grant])?;
            sessions.push(json!([text(&made, "/public/user")?, text(&made, "/secret")?]));
        }
        let found = shop.watch(times, (times * 3 + 60) as f64, &sessions)?;
        ensure!(number(&found, "/gone")? as usize == times, "not all ended: {found}");
        ensure!(number(&found, "/cut")? as usize == times, "not all sessions were cut: {found}");
        gone.push(number(&found, "/p99_ms")?);
        cut.push(number(&found, "/cut_p99_ms")?);
    }
    let label = |what: &str| format!("{times} ends one by one, each with a session: {what}, p99 after the deadline");
    report.row(Row::new(label("session cut"), "ms", cut).goal(Goal::AtMost(250.0)));
    report.row(Row::new(label("account gone"), "ms", gone).goal(Goal::AtMost(250.0)));
    Ok(())
}

/// Goal 7: many ends in one instant. Goal 8: the same while the server is away.
fn bursts(shop: &mut Shop<'_>, report: &mut Report) -> Result<()> {
    let times = shop.ground.size(300, 10);
    let (mut over, mut back) = (Sample::default(), Sample::default());
    for _ in 0..shop.ground.rounds {
        let rate = number(&shop.bare(8, times)?, "/dropped_per_second")?;
        shop.make_until_one_instant(times)?;
        let found = shop.watch(times, 300.0, &[])?;
        ensure!(number(&found, "/gone")? as usize == times, "not all ended: {found}");
        over.push(number(&found, "/all_ms")? / 1e3 - times as f64 / (0.7 * rate));
        let due = shop.make_until_one_instant(times)?;
        shop.postgres.stop()?;
        thread::sleep(
            due.saturating_duration_since(Instant::now()) + Duration::from_secs(shop.ground.size(20, 5) as u64),
        );
        shop.postgres.start()?;
        let begun = Instant::now();
        wait_until("all to be gone", Duration::from_secs(300), || shop.there().is_ok_and(|there| there == 0))?;
        back.push(begun.elapsed().as_secs_f64());
    }
    let what = format!("{times} ends in one instant: the last, beyond {times}/(0.7 × PostgreSQL's drop rate)");
    report.row(Row::new(what, "s", over).goal(Goal::AtMost(0.5)));
    let what = format!("{times} ends while the server was away: the last after it was back, none left");
    report.row(Row::new(what, "s", back).goal(Goal::AtMost(60.0)));
    Ok(())
}

/// How long it took until nobody got access any more, to say of all that they end, and until all had.
struct Cut {
    denied: f64,
    said: f64,
    gone: f64,
}

impl<'a> Shop<'a> {
    fn open(ground: &'a Ground) -> Result<Self> {
        let postgres = shop()?;
        // More people than clients: a shorter ask that overtook a longer one of the same person would be given what that
        // one gave, and no account of its own.
        let wane = Deployment::start(ground, ground.size(40, 2))?;
        registered(&wane, &postgres)?;
        let bao = OpenBao::start()?;
        let bao_token = engine(&bao, &postgres)?;
        Ok(Self { ground, postgres, wane, bao, bao_token, asked: 0 })
    }

    /// What PostgreSQL does by itself.
    fn bare(&self, clients: usize, times: usize) -> Result<Value> {
        self.ground
            .tool("roles", &json!({ "at": at(&self.postgres), "clients": clients, "times": times, "make": BARE }))
    }

    /// Asks for so many accounts and has them made; how many seconds both took together.
    fn make(&mut self, clients: usize, times: usize, least: &str) -> Result<f64> {
        let (asked, used) = self.made(clients, times, least, None)?;
        Ok(asked + used)
    }

    fn made(&mut self, clients: usize, times: usize, least: &str, start: Option<&str>) -> Result<(f64, f64)> {
        let turns: Vec<_> = self.wane.people.iter().cycle().take(times).collect();
        let mut asks = Vec::new();
        for person in &turns {
            self.asked += 1;
            let duration = if start.is_some() { least.to_owned() } else { format!("{least} {}s", self.asked) };
            let mut body = json!({ "items": [{ "resource": "shop", "role": "readonly" }], "duration": duration });
            if let Some(start) = start {
                body = with(body, "start", json!(start));
            }
            asks.push(call("/v1/requests", &person.token()?, &body));
        }
        let plan = with(self.wane.plan(clients, asks), "keep", json!("/items/0/grant"));
        let asked = all_done(&self.ground.tool("load", &plan)?)?;
        if let Some(start) = start {
            let start: jiff::Timestamp = start.parse()?;
            let wait = start.duration_since(jiff::Timestamp::now());
            thread::sleep(Duration::try_from(wait).unwrap_or_default() + Duration::from_millis(50));
        }
        let grants = asked.get("kept").and_then(Value::as_array).context("no grants were kept")?;
        let uses = turns.iter().zip(grants).map(|(person, grant)| {
            let path = format!("/v1/grants/{}/credential", grant.as_str().unwrap_or_default());
            Ok(call(&path, &person.token()?, &json!({})))
        });
        let used = all_done(&self.ground.tool("load", &self.wane.plan(clients, uses.collect::<Result<_>>()?))?)?;
        Ok((number(&asked, "/seconds")?, number(&used, "/seconds")?))
    }

    /// Accounts that all end in the same instant; when that is.
    fn make_until_one_instant(&mut self, times: usize) -> Result<Instant> {
        let lead = self.ground.size(6, 3) as u64;
        let life = self.ground.size(20, 8) as u64;
        let start = jiff::Timestamp::now() + Duration::from_secs(lead);
        let due = Instant::now() + Duration::from_secs(lead + life);
        self.made(8, times, &format!("{life}s"), Some(&start.to_string()))?;
        ensure!(Instant::now() < due, "making {times} accounts took longer than they live");
        Ok(due)
    }

    /// Locks the database, which ends all there is on it, and waits until all is gone.
    fn cut_all(&self, times: usize) -> Result<Cut> {
        let there = self.there()?;
        ensure!(there == times, "{there} accounts are there, and {times} were asked for");
        let folder = tempfile::tempdir()?;
        let seen = folder.path().join("seen");
        let (lock, cut) = thread::scope(|scope| -> Result<_> {
            let watching = scope.spawn(|| self.watch_from(times, 600.0, &[], Some(&seen)));
            // Only who was seen to be there can be seen to go.
            while !seen.exists() && !watching.is_finished() {
                thread::sleep(Duration::from_millis(5));
            }
            let begun = Instant::now();
            let asking = scope.spawn(move || self.denied(begun));
            let lock = self.wane.admin.json(&["lock", "add", "--resource", "shop", "-m", "all at once"]);
            let said = begun.elapsed().as_secs_f64();
            let watched = watching.join().map_err(|_| anyhow::anyhow!("the watch died"))??;
            let gone = begun.elapsed().as_secs_f64();
            let denied = asking.join().map_err(|_| anyhow::anyhow!("whoever asks died"))??;
            ensure!(number(&watched, "/gone")? as usize >= times, "not all ended: {watched}");
            Ok((lock?, Cut { denied, said, gone }))
        })?;
        let id = text(&lock, "/id").or_else(|_| text(&lock, "/lock/id"))?;
        self.wane.admin.json(&["lock", "lift", id])?;
        Ok(cut)
    }

    /// How long it took until somebody who asks would be denied.
    fn denied(&self, since: Instant) -> Result<f64> {
        let person = self.wane.people.first().context("there are no people")?;
        wait_until("whoever asks to be denied", Duration::from_secs(60), || {
            let why = person.json(&["why", "readonly@shop"]);
            why.is_ok_and(|why| text(&why, "/outcome").is_ok_and(|outcome| outcome == "denied"))
        })?;
        Ok(since.elapsed().as_secs_f64())
    }

    /// Watches until so many accounts have gone.
    fn watch(&self, times: usize, seconds: f64, sessions: &[Value]) -> Result<Value> {
        self.watch_from(times, seconds, sessions, None)
    }

    /// The same; the file is made once so many were seen to be there.
    fn watch_from(&self, times: usize, seconds: f64, sessions: &[Value], seen: Option<&Path>) -> Result<Value> {
        // The quarantine role is named like one of ours and stays.
        let plan = json!({
            "at": at(&self.postgres), "like": OURS, "seconds": seconds, "until_gone": times, "sessions": sessions, "all_seen": seen,
        });
        self.ground.tool("watch", &plan)
    }

    /// How many accounts there are.
    fn there(&self) -> Result<usize> {
        let sql =
            format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE '{OURS}' AND rolname <> 'wane_left_behind'");
        Ok(self.postgres.psql("shop", &sql)?.trim().parse()?)
    }

    /// OpenBao: made a second, refused, and ended a second.
    fn bao(&self, clients: usize, times: usize, role: &str) -> Result<(f64, f64, f64)> {
        let path = format!("/v1/database/creds/{role}");
        let one = json!({ "method": "GET", "path": path, "headers": [["x-vault-token", self.bao_token]] });
        let plan = json!({ "address": self.bao.address(), "clients": clients, "calls": vec![one; times] });
        let found = self.ground.tool("load", &plan)?;
        let begun = Instant::now();
        self.bao.bao(&["lease", "revoke", "-sync", "-prefix", &format!("database/creds/{role}")])?;
        let dropped = number(&found, "/done")? / begun.elapsed().as_secs_f64();
        Ok((number(&found, "/per_second")?, number(&found, "/failed")?, dropped))
    }
}

/// A server as it is kept durable, with the database `shop` and a connector's role.
pub(crate) fn shop() -> Result<Postgres> {
    let durable = [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")];
    let quiet = [("log_statement", "none"), ("log_connections", "off"), ("log_disconnections", "off")];
    let roomy = [("shared_buffers", "128MB"), ("max_connections", "200")];
    let settings = durable.into_iter().chain(quiet).chain(roomy);
    let postgres = settings.fold(Postgres::builder(), |built, (name, value)| built.setting(name, value)).start()?;
    postgres.create_database("shop")?;
    postgres.psql("shop", SETUP)?;
    postgres.psql("shop", &format!("ALTER ROLE wane PASSWORD '{}'", CONNECTOR.replace('\'', "''")))?;
    Ok(postgres)
}

/// How its tools reach a server, as the one who may do everything.
pub(crate) fn at(postgres: &Postgres) -> Value {
    json!({
        "port": postgres.port(), "ca": postgres.ca_path(), "database": "shop",
        "user": postgres.superuser(), "password": postgres.superuser_password(),
    })
}

/// Registers `shop` and the role `readonly` in it.
pub(crate) fn registered(wane: &Deployment, postgres: &Postgres) -> Result<()> {
    let password = wane.server.folder().join("connector-password");
    std::fs::write(&password, CONNECTOR)?;
    let settings = json!({
        "address": format!("localhost:{}", postgres.port()),
        "user": "wane",
        "databases": ["shop"],
        "tls": { "ca_pem": postgres.ca_pem()? },
    });
    let (settings, password) = (settings.to_string(), password.display().to_string());
    let words = ["resource", "add", "shop", "--kind", "postgres", "--label", "env=bench"];
    wane.admin.json(&[&words[..], &["--settings", &settings, "--credential-file", &password]].concat())?;
    wane.admin.json(&["role", "add", "postgres/readonly", "--set", r#"member_of=["app_read"]"#])?;
    Ok(())
}

/// OpenBao's database engine over the server; a token that may use it.
fn engine(bao: &OpenBao, postgres: &Postgres) -> Result<String> {
    bao.bao(&["secrets", "enable", "database"])?;
    let url = format!(
        "connection_url=postgresql://{{{{username}}}}:{{{{password}}}}@localhost:{}/shop?sslmode=verify-ca&sslrootcert={}",
        postgres.port(),
        postgres.ca_path().display()
    );
    let (user, password) =
        (format!("username={}", postgres.superuser()), format!("password={}", postgres.superuser_password()));
    let pool = ["max_open_connections=32", "max_idle_connections=32", "allowed_roles=*"];
    let words = ["write", "database/config/shop", "plugin_name=postgresql-database-plugin", &url, &user, &password];
    bao.bao(&[&words[..], &pool[..]].concat())?;
    let login = r#"CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"#;
    for (role, statement) in [
        ("usual", format!(r#"{login}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{{{name}}}}";"#)),
        ("best", format!("{login} IN ROLE app_read;")),
    ] {
        let statement = format!("creation_statements={statement}");
        bao.bao(&[
            "write",
            &format!("database/roles/{role}"),
            "db_name=shop",
            &statement,
            "default_ttl=2h",
            "max_ttl=4h",
        ])?;
    }
    bao.token_for(r#"path "database/creds/*" { capabilities = ["read"] }"#)
}

fn call(path: &str, token: &str, body: &Value) -> Value {
    json!({ "method": "POST", "path": path, "headers": [["authorization", format!("Bearer {token}")]], "body": body })
}

/// What was found, if nothing was refused: zero errors is part of the goal.
fn all_done(found: &Value) -> Result<Value> {
    let failed = number(found, "/failed")?;
    ensure!(failed == 0.0, "{failed} calls failed, the first: {}", text(found, "/failure").unwrap_or("?"));
    Ok(found.clone())
}
