//! PostgreSQL and nothing else: what it does itself when roles are made and dropped by as many clients,
//! and, watched from outside, when roles go and sessions end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::rank;

/// How a server is reached.
#[derive(Clone, Deserialize)]
struct At {
    port: u16,
    /// PEM file of the only authority that is believed.
    ca: PathBuf,
    user: String,
    password: String,
    database: String,
}

#[derive(Deserialize)]
struct Roles {
    at: At,
    clients: usize,
    times: usize,
    /// What makes one; `{}` stands for its name.
    make: String,
}

#[derive(Deserialize)]
struct Watch {
    at: At,
    /// Which names: a pattern of `LIKE`.
    like: String,
    seconds: f64,
    /// How many have to have gone before it is over.
    until_gone: usize,
    /// A file that is made once so many are seen to be there.
    #[serde(default)]
    all_seen: Option<PathBuf>,
    /// Accounts, each with a session that is held open until it is cut.
    #[serde(default)]
    sessions: Vec<(String, String)>,
}

/// Makes so many roles and drops them again, so many clients at once, each one statement at a time.
pub(crate) fn roles(plan: &str) -> Result<Value> {
    let plan: Roles = serde_json::from_str(plan).context("the plan is not understood")?;
    runtime()?.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..plan.clients {
            clients.push(connect(&plan.at).await?.0);
        }
        let names: Arc<Vec<String>> =
            Arc::new((0..plan.times).map(|n| format!("bare_{}_{n}", std::process::id())).collect());
        let make = |name: &str| plan.make.replace("{}", name);
        let (clients, made) = each(clients, &names, make).await?;
        let (_, dropped) = each(clients, &names, |name| format!("DROP ROLE {name}")).await?;
        let times = plan.times as f64;
        Ok(json!({ "made_per_second": times / made.as_secs_f64(), "dropped_per_second": times / dropped.as_secs_f64() }))
    })
}

/// One statement for each name, shared out among the clients; how long it took.
async fn each(
    clients: Vec<Client>,
    names: &[String],
    statement: impl Fn(&str) -> String,
) -> Result<(Vec<Client>, Duration)> {
    let statements: Arc<Vec<String>> = Arc::new(names.iter().map(|name| statement(name)).collect());
    let turn = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut working = JoinSet::new();
    for client in clients {
        let (statements, turn) = (Arc::clone(&statements), Arc::clone(&turn));
        working.spawn(async move {
            while let Some(sql) = statements.get(turn.fetch_add(1, Ordering::Relaxed)) {
                client.batch_execute(sql).await?;
            }
            anyhow::Ok(client)
        });
    }
    let mut back = Vec::new();
    while let Some(client) = working.join_next().await {
        back.push(client??);
    }
    Ok((back, begun.elapsed()))
}

/// Looks at the roles every few milliseconds: how long after its `VALID UNTIL` each was gone, how long
/// after it the sessions were cut, and how long all took from the first to the last.
pub(crate) fn watch(plan: &str) -> Result<Value> {
    let plan: Watch = serde_json::from_str(plan).context("the plan is not understood")?;
    runtime()?.block_on(async {
        let (client, _) = connect(&plan.at).await?;
        let mut held = JoinSet::new();
        let mut kept = Vec::new();
        for (user, password) in &plan.sessions {
            let at = At { user: user.clone(), password: password.clone(), ..plan.at.clone() };
            let (session, ended) = connect(&at).await?;
            kept.push(session);
            let user = user.clone();
            held.spawn(async move {
                // Its end, however it comes, is what is waited for.
                let _ = ended.await;
                (user, std::time::SystemTime::now())
            });
        }
        let sql = format!(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::int8, rolname, (extract(epoch FROM rolvaliduntil) * 1e6)::int8 \
             FROM (SELECT 1) one LEFT JOIN pg_roles ON rolname LIKE '{}' AND rolvaliduntil IS NOT NULL",
            plan.like
        );
        let begun = Instant::now();
        let mut there: BTreeMap<String, i64> = BTreeMap::new();
        let mut ends: BTreeMap<String, i64> = BTreeMap::new();
        let (mut late, mut gone_at) = (Vec::new(), Vec::new());
        let mut all_seen = plan.all_seen;
        while late.len() < plan.until_gone && begun.elapsed().as_secs_f64() < plan.seconds {
            // A server that is down is asked again.
            let Ok(answer) = client.simple_query(&sql).await else { break };
            let mut now = 0_i64;
            let mut seen = BTreeMap::new();
            for message in answer {
                let SimpleQueryMessage::Row(row) = message else { continue };
                now = row.get(0).and_then(|text| text.parse().ok()).unwrap_or(0);
                if let (Some(name), Some(until)) = (row.get(1), row.get(2).and_then(|text| text.parse().ok())) {
                    seen.insert(name.to_owned(), until);
                }
            }
            for (name, until) in &there {
                if !seen.contains_key(name) {
                    late.push((now - until) as f64 / 1e3);
                    gone_at.push(now);
                }
            }
            ends.extend(seen.iter().map(|(name, until)| (name.clone(), *until)));
            there = seen;
            if let Some(file) = all_seen.take_if(|_| there.len() >= plan.until_gone) {
                std::fs::write(file, "")?;
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        let mut cut = Vec::new();
        while let Ok(Some(Ok((user, at)))) = tokio::time::timeout(Duration::from_millis(500), held.join_next()).await {
            let at = at.duration_since(std::time::UNIX_EPOCH)?.as_micros() as f64;
            cut.push((at - ends.get(&user).copied().unwrap_or(0) as f64) / 1e3);
        }
        late.sort_by(f64::total_cmp);
        cut.sort_by(f64::total_cmp);
        let last = gone_at.iter().max().copied().unwrap_or(0);
        let due = ends.values().min().copied().unwrap_or(0);
        Ok(json!({
            "gone": late.len(),
            "left": there.len(),
            "p50_ms": rank::at(&late, 0.5),
            "p99_ms": rank::at(&late, 0.99),
            "max_ms": late.last(),
            "cut": cut.len(),
            "cut_p99_ms": rank::at(&cut, 0.99),
            "all_ms": (last - due) as f64 / 1e3,
            // Seconds since 1970, by the server's clock, which is this machine's.
            "gone_at": gone_at.iter().map(|at| *at as f64 / 1e6).collect::<Vec<_>>(),
        }))
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn connect(at: &At) -> Result<(Client, tokio::task::JoinHandle<()>)> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&at.ca)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = Config::new();
    config.host("localhost").port(at.port).user(&at.user).password(&at.password).dbname(&at.database);
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await?;
    let driven = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok((client, driven))
}
