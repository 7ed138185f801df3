//! What stands for an API: an HTTP server of ours that answers as the API's public documentation says. A simulator, and not
//! the real thing.
//!
//! It keeps what was made, and can be told to be in a mood: down, slow, wrong, lying.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use wane_connector::conformance::{Live, Used};

use crate::stage::Use;

/// Something that was made.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) revoked: bool,
    pub(crate) more: Value,
}

/// How it answers instead of as it should.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mood {
    Well,
    /// This status to calls of this method, whatever they are for; nothing is done.
    Status(&'static str, u16),
    /// The same, and it is done all the same: the answer is lost.
    Lost(&'static str),
    /// So long before each answer.
    Slow(Duration),
    /// Never an answer.
    Silent,
    /// This body and media type instead of its own, to calls of this method, which it does.
    Says(&'static str, &'static str, String),
    /// Says it did, and does nothing.
    Lies(&'static str),
    /// This status and a page, from somebody in front of it; nothing is done.
    Page(u16),
    /// Leads elsewhere.
    Elsewhere(String),
}

/// A request as a handler sees it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path's segments, decoded.
    pub(crate) path: Vec<String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    /// The document, or the form as one.
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

/// An answer: a status and a document, or none.
pub(crate) type Said = (u16, Option<Value>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) things: Vec<Thing>,
    next: u64,
    /// Every call it got: `METHOD /path`.
    pub(crate) calls: Vec<String>,
}

impl State {
    pub(crate) fn make(&mut self, name: &str, secret: Option<&str>, more: Value) -> Thing {
        self.next += 1;
        let made = format!("secret-{}-{name}", self.next * 7919);
        let secret = secret.map_or(made, str::to_owned);
        let thing = Thing { id: 1000 + self.next, name: name.to_owned(), secret, revoked: false, more };
        self.things.push(thing.clone());
        thing
    }

    pub(crate) fn by_id(&mut self, id: &str) -> Option<&mut Thing> {
        self.things.iter_mut().find(|thing| thing.id.to_string() == id)
    }

    pub(crate) fn by_name(&mut self, name: &str) -> Option<&mut Thing> {
        self.things.iter_mut().find(|thing| thing.name == name)
    }

    pub(crate) fn remove(&mut self, is_it: impl Fn(&Thing) -> bool) -> bool {
        let before = self.things.len();
        self.things.retain(|thing| !is_it(thing));
        self.things.len() < before
    }
}

pub(crate) type Handler = fn(&mut State, &Asked) -> Said;

/// A running simulator. It ends with this value.
#[derive(Debug)]
pub(crate) struct Sim {
    pub(crate) state: Arc<Mutex<State>>,
    mood: Arc<Mutex<Mood>>,
    pub(crate) port: u16,
    serving: JoinSet<()>,
}

impl Sim {
    pub(crate) async fn start(handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, mood) = (Arc::new(Mutex::new(State::default())), Arc::new(Mutex::new(Mood::Well)));
        let mut serving = JoinSet::new();
        let (all, now) = (Arc::clone(&state), Arc::clone(&mood));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (state, mood) = (Arc::clone(&all), Arc::clone(&now));
                connections.spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        answer(handler, Arc::clone(&state), Arc::clone(&mood), request)
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { state, mood, port, serving }
    }

    pub(crate) fn mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    pub(crate) fn things(&self) -> Vec<Thing> {
        self.state.lock().unwrap().things.clone()
    }

    /// Nobody listens any more.
    pub(crate) async fn stop(&mut self) {
        self.serving.shutdown().await;
    }
}

async fn answer(
    handler: Handler,
    state: Arc<Mutex<State>>,
    mood: Arc<Mutex<Mood>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = read(request).await;
    state.lock().unwrap().calls.push(format!("{} /{}", asked.method, asked.path.join("/")));
    let mood = mood.lock().unwrap().clone();
    let its = |method: &str| method == asked.method || method == "*";
    let json = |(status, document): Said| match document {
        Some(document) => respond(status, "application/json", document.to_string()),
        None => respond(status, "", String::new()),
    };
    let handle = || handler(&mut state.lock().unwrap(), &asked);
    Ok(match mood {
        Mood::Status(method, status) if its(method) => respond(status, "application/json", "{}".to_owned()),
        Mood::Lost(method) if its(method) => {
            handle();
            respond(502, "text/html", "<html>bad gateway</html>".to_owned())
        }
        Mood::Slow(time) => {
            tokio::time::sleep(time).await;
            json(handle())
        }
        Mood::Silent => std::future::pending().await,
        Mood::Says(method, media, body) if its(method) => {
            let (status, _) = handle();
            respond(status, media, body)
        }
        Mood::Lies(method) if its(method) => {
            let before = state.lock().unwrap().things.clone();
            let said = handle();
            state.lock().unwrap().things = before;
            json(said)
        }
        Mood::Page(status) => respond(status, "text/html", "<html>nothing here</html>".to_owned()),
        Mood::Elsewhere(to) => Response::builder().status(302).header("location", to).body(Full::default()).unwrap(),
        Mood::Well | Mood::Status(..) | Mood::Lost(_) | Mood::Says(..) | Mood::Lies(_) => json(handle()),
    })
}

fn respond(status: u16, media: &str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    if !media.is_empty() {
        response = response.header("content-type", media);
    }
    response.body(Full::new(Bytes::from(body))).unwrap()
}

async fn read(request: Request<Incoming>) -> Asked {
    let (head, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    let url = url::Url::parse(&format!("http://sim{}", head.uri)).unwrap();
    let decoded = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8().unwrap().into_owned();
    let headers: BTreeMap<String, String> =
        head.headers.iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap_or_default().to_owned())).collect();
    let form = || -> serde_json::Map<String, Value> {
        url::form_urlencoded::parse(&bytes).map(|(k, v)| (k.into_owned(), json!(v))).collect()
    };
    let body = match headers.get("content-type").map(String::as_str) {
        Some("application/json") => serde_json::from_slice(&bytes).unwrap_or_default(),
        Some("application/x-www-form-urlencoded") => Value::Object(form()),
        _ => Value::Null,
    };
    Asked {
        method: head.method.to_string(),
        path: url.path().split('/').skip(1).map(decoded).collect(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body,
        bytes,
    }
}

/// Uses what a simulator keeps: a secret is good while what it is of is there.
pub(crate) struct ByState(pub(crate) Arc<Mutex<State>>);

struct Held(Arc<Mutex<State>>, String);

#[async_trait]
impl Live for Held {
    async fn works(&mut self) -> Result<bool, String> {
        Ok(self.0.lock().unwrap().things.iter().any(|thing| thing.secret == self.1 && !thing.revoked))
    }
}

#[async_trait]
impl Use for ByState {
    async fn use_it(&self, name: &str, secret: &str) -> Result<Used, String> {
        let state = self.0.lock().unwrap();
        let there = state.things.iter().any(|t| t.name == name && t.secret == secret && !t.revoked);
        Ok(if there {
            Used::Accepted
        } else {
            Used::Refused { why: format!("nothing called `{name}` has this secret") }
        })
    }

    async fn open(&self, _name: &str, secret: &str) -> Result<Box<dyn Live>, String> {
        Ok(Box::new(Held(Arc::clone(&self.0), secret.to_owned())))
    }
}
