//! Calls that follow from one another, as one person makes them: each chain from its first call to the answer of
//! its last, one chain after the other over one connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_TYPE, HOST};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::load::connect;
use crate::rank;

#[derive(Deserialize)]
struct Plan {
    /// Where the server listens.
    address: SocketAddr,
    chains: Vec<Vec<Step>>,
}

#[derive(Deserialize)]
struct Step {
    method: String,
    /// `{name}` in it stands for what an earlier step of the chain kept under that name.
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<Value>,
    /// What is kept of the answer: under which name, and a JSON pointer to it.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

/// Does a plan.
pub(crate) fn run(plan: &str) -> Result<Value> {
    let plan: Plan = serde_json::from_str(plan).context("the plan is not understood")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut connection = connect(plan.address).await?;
        let mut took = Vec::new();
        for chain in &plan.chains {
            let begun = Instant::now();
            follow(&plan, &mut connection, chain).await?;
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        Ok(json!({ "done": took.len(), "p50_ms": rank::at(&took, 0.5), "p99_ms": rank::at(&took, 0.99) }))
    })
}

async fn follow(plan: &Plan, connection: &mut SendRequest<Full<Bytes>>, chain: &[Step]) -> Result<()> {
    let mut kept: BTreeMap<&str, String> = BTreeMap::new();
    for step in chain {
        let path = kept.iter().fold(step.path.clone(), |path, (name, text)| path.replace(&format!("{{{name}}}"), text));
        let body = step.body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut request = Request::builder().method(step.method.as_str()).uri(&path);
        request = request.header(HOST, plan.address.to_string()).header(CONTENT_TYPE, "application/json");
        for (name, value) in &step.headers {
            request = request.header(name, value);
        }
        connection.ready().await?;
        let answer = connection.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let (status, body) = (answer.status(), answer.into_body().collect().await?.to_bytes());
        ensure!(status.is_success(), "{} {path}: {status}: {}", step.method, String::from_utf8_lossy(&body));
        for (name, pointer) in &step.keep {
            let answer: Value = serde_json::from_slice(&body)?;
            let text = answer.pointer(pointer).and_then(Value::as_str);
            kept.insert(name, text.with_context(|| format!("no `{pointer}` in {answer}"))?.to_owned());
        }
    }
    Ok(())
}
