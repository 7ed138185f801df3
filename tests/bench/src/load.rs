//! Calls over HTTP/1.1 on connections that stay open, as fast as they are answered: one call at a time
//! per client, all clients on one thread, so that the load costs the servers' cores as little as it can
//! and costs every server the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::rank;

/// How long one call may take before everything is given up.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Deserialize)]
struct Plan {
    /// Where the server listens.
    address: SocketAddr,
    /// How many connections, each with one call under way.
    clients: usize,
    /// For how long, going round the calls again and again; if left out, each call is made once.
    #[serde(default)]
    seconds: Option<f64>,
    /// What every call carries.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// A header that carries something new in each call: the name of an idempotency key.
    #[serde(default)]
    fresh: Option<String>,
    /// The calls; client n begins with the n-th, and all share one turn.
    calls: Vec<Call>,
    /// A JSON pointer into each answer, whose text is returned in the order of the calls.
    #[serde(default)]
    keep: Option<String>,
    /// Whether a call that is told to come back later does, as a directory that pushes has to.
    #[serde(default)]
    patient: bool,
}

#[derive(Clone, Deserialize)]
struct Call {
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<Value>,
}

/// A call ready to be sent.
struct Ready {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// What all clients share.
struct Shared {
    address: SocketAddr,
    until: Option<Instant>,
    calls: Vec<Ready>,
    turn: AtomicUsize,
    fresh: Option<HeaderName>,
    key: AtomicU64,
    keep: Option<String>,
    patient: bool,
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    micros: Vec<u32>,
    kept: Vec<(usize, String)>,
    failed: u64,
    failure: Option<String>,
    put_off: u64,
}

/// Does a plan.
pub(crate) fn run(plan: &str) -> Result<Value> {
    let plan: Plan = serde_json::from_str(plan).context("the plan is not understood")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(load(plan))
}

async fn load(plan: Plan) -> Result<Value> {
    let clients = plan.clients;
    if plan.calls.is_empty() || clients == 0 {
        bail!("a plan needs calls and clients");
    }
    let mut ready = Vec::with_capacity(plan.calls.len());
    for call in &plan.calls {
        ready.push(prepared(&plan, call)?);
    }
    let mut connections = Vec::with_capacity(clients);
    for _ in 0..clients {
        connections.push(connect(plan.address).await?);
    }
    let (begun, began) = (Instant::now(), wall_clock());
    let shared = Arc::new(Shared {
        address: plan.address,
        until: plan.seconds.map(|seconds| begun + Duration::from_secs_f64(seconds)),
        calls: ready,
        turn: AtomicUsize::new(0),
        fresh: plan.fresh.as_deref().map(str::parse).transpose()?,
        // No two runs against one server share a key.
        key: AtomicU64::new(u64::from(std::process::id()) << 40),
        keep: plan.keep,
        patient: plan.patient,
    });
    let mut clients = JoinSet::new();
    for connection in connections {
        clients.spawn(client(Arc::clone(&shared), connection));
    }
    let mut all = Seen::default();
    while let Some(seen) = clients.join_next().await {
        let seen = seen??;
        all.micros.extend(seen.micros);
        all.kept.extend(seen.kept);
        all.failed += seen.failed;
        all.failure = all.failure.or(seen.failure);
        all.put_off += seen.put_off;
    }
    let seconds = begun.elapsed().as_secs_f64();
    all.micros.sort_unstable();
    all.kept.sort();
    let at = |share: f64| rank::at(&all.micros, share);
    Ok(json!({
        "done": all.micros.len(),
        "failed": all.failed,
        "failure": all.failure,
        "put_off": all.put_off,
        "began": began,
        "seconds": seconds,
        "per_second": all.micros.len() as f64 / seconds,
        "p50_us": at(0.5),
        "p99_us": at(0.99),
        "p999_us": at(0.999),
        "max_us": all.micros.last(),
        "kept": all.kept.into_iter().map(|(_, text)| text).collect::<Vec<_>>(),
    }))
}

/// One client: the next call as soon as the last was answered.
async fn client(shared: Arc<Shared>, mut connection: SendRequest<Full<Bytes>>) -> Result<Seen> {
    let mut seen = Seen::default();
    loop {
        let turn = shared.turn.fetch_add(1, Ordering::Relaxed);
        let at = match shared.until {
            Some(until) if Instant::now() >= until => break,
            Some(_) => turn % shared.calls.len(),
            None => turn,
        };
        let Some(call) = shared.calls.get(at) else { break };
        if !connection.is_ready() && connection.ready().await.is_err() {
            connection = connect(shared.address).await?;
        }
        let begun = Instant::now();
        let (status, body) = loop {
            let sent = tokio::time::timeout(LONGEST_CALL, send(&shared, &mut connection, call));
            let (status, headers, body) = sent.await.context("a call was not answered in time")??;
            match headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok()) {
                Some(wait) if shared.patient && status == StatusCode::TOO_MANY_REQUESTS => {
                    seen.put_off += 1;
                    tokio::time::sleep(Duration::from_secs(wait)).await;
                }
                _ => break (status, body),
            }
        };
        let micros = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        if !status.is_success() {
            seen.failed += 1;
            seen.failure.get_or_insert_with(|| format!("{status}: {}", String::from_utf8_lossy(&body)));
            continue;
        }
        seen.micros.push(micros);
        if let Some(pointer) = &shared.keep {
            let answer: Value = serde_json::from_slice(&body)?;
            let text = answer.pointer(pointer).and_then(Value::as_str);
            seen.kept.push((at, text.with_context(|| format!("no `{pointer}` in {answer}"))?.to_owned()));
        }
    }
    Ok(seen)
}

async fn send(
    shared: &Shared,
    connection: &mut SendRequest<Full<Bytes>>,
    call: &Ready,
) -> Result<(StatusCode, HeaderMap, Bytes)> {
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.uri.clone();
    for (name, value) in &call.headers {
        request.headers_mut().insert(name.clone(), value.clone());
    }
    if let Some(name) = &shared.fresh {
        let key = shared.key.fetch_add(1, Ordering::Relaxed);
        request.headers_mut().insert(name.clone(), HeaderValue::from_str(&format!("bench-{key:x}"))?);
    }
    let answer = connection.send_request(request).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    Ok((status, headers, answer.into_body().collect().await?.to_bytes()))
}

/// Seconds since 1970, to be held against what another tool saw.
fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::NAN, |since| since.as_secs_f64())
}

pub(crate) async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("nobody listens at {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn prepared(plan: &Plan, call: &Call) -> Result<Ready> {
    let mut headers = vec![(HOST, HeaderValue::from_str(&plan.address.to_string())?)];
    if call.body.is_some() {
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    }
    for (name, value) in plan.headers.iter().chain(&call.headers) {
        headers.push((name.parse()?, HeaderValue::from_str(value)?));
    }
    let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
    Ok(Ready { method: call.method.parse()?, uri: call.path.parse()?, headers, body: Bytes::from(body) })
}
