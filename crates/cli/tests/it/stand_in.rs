//! A stand-in for a server: gives fixed answers, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use serde_json::Value;

/// What it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `GET /v1/me`, with the query.
    pub(crate) line: String,
    pub(crate) bearer: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) body: Value,
}

/// What it answers.
pub(crate) enum Answer {
    Json(Value),
    Nothing,
    Problem(u16, &'static str, &'static str),
    /// Records as events; the stream stays open.
    Events(Vec<Value>),
}

pub(crate) struct StandIn {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl StandIn {
    /// Answers each call by `answer`, which is also told how often the same line was asked before.
    pub(crate) fn new(answer: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::<Call>::new()));
        let (seen, answer) = (Arc::clone(&calls), Arc::new(answer));
        let handle = move |request: Request| {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            async move {
                let (head, body) = request.into_parts();
                let header = |name: &str| head.headers.get(name).map(|v| v.to_str().unwrap().to_owned());
                let body = to_bytes(body, 1 << 20).await.unwrap();
                let call = Call {
                    line: format!("{} {}", head.method, head.uri),
                    bearer: header("authorization"),
                    key: header("idempotency-key"),
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                let before = {
                    let mut seen = seen.lock().unwrap();
                    let before = seen.iter().filter(|c| c.line == call.line).count();
                    seen.push(call.clone());
                    before
                };
                respond(answer(&call, before))
            }
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, axum::Router::new().fallback(handle)).await.unwrap();
            });
        });
        Self { url, calls }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.calls().into_iter().map(|c| c.line).collect()
    }
}

fn respond(answer: Answer) -> Response<Body> {
    let build = |status: u16, kind: &str, body: Body| {
        Response::builder()
            .status(StatusCode::from_u16(status).unwrap())
            .header("content-type", kind)
            .header("date", "Sat, 21 Nov 2026 12:04:00 GMT")
            .body(body)
            .unwrap()
    };
    match answer {
        Answer::Json(json) => build(200, "application/json", Body::from(json.to_string())),
        Answer::Nothing => build(204, "application/json", Body::empty()),
        Answer::Problem(status, code, detail) => {
            let json = wane_api::Problem::with_status(status, code, detail);
            build(status, "application/problem+json", Body::from(serde_json::to_string(&json).unwrap()))
        }
        Answer::Events(records) => {
            use futures::StreamExt as _;
            let text: String = records.iter().map(|r| format!("id: {}\ndata: {r}\n\n", r["seq"])).collect();
            let first = futures::stream::iter([Ok::<_, std::io::Error>(text)]);
            build(200, "text/event-stream", Body::from_stream(first.chain(futures::stream::pending())))
        }
    }
}
