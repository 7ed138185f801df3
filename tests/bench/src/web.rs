//! Web applications as browsers and programs use them, over TLS: calls one after the other on connections that stay open,
//! bytes there and back through a WebSocket, streams that never end, connections on which nothing happens. And an
//! application for all of that.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Waits, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Either, Empty, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{CONNECTION, HOST, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::rank;

/// How long one call, or one connection, may take before everything is given up.
const LONGEST: Duration = Duration::from_secs(60);
/// How often an answer that never ends says something.
const TICK: Duration = Duration::from_millis(200);

/// Where it is asked, as whom, and how much.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    /// Where the server listens.
    address: SocketAddr,
    /// The host it is asked for, with its port.
    host: String,
    /// Who vouches for it.
    ca: PathBuf,
    path: String,
    /// What is shown, a connection each in turn; nothing if there is none.
    #[serde(default)]
    keys: Vec<String>,
    connections: usize,
    /// For how long, where something is done again and again.
    #[serde(default)]
    seconds: f64,
    /// Streams on each connection.
    #[serde(default)]
    streams: usize,
}

impl Plan {
    fn read(plan: &str) -> Result<Self> {
        serde_json::from_str(plan).context("the plan is not understood")
    }

    fn key(&self, number: usize) -> Option<&str> {
        let at = number.checked_rem(self.keys.len())?;
        self.keys.get(at).map(String::as_str)
    }

    async fn connect(&self, protocol: &[u8]) -> Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&self.ca)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = self.host.split(':').next().unwrap_or_default().to_owned();
        let shake = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name)?, stream);
        Ok(tokio::time::timeout(LONGEST, shake).await.context("TLS takes too long")??)
    }

    async fn one(&self) -> Result<http1::SendRequest<Empty<Bytes>>> {
        let stream = self.connect(b"http/1.1").await?;
        let (send, drive) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(drive.with_upgrades());
        Ok(send)
    }

    fn request(&self, number: usize) -> Result<Request<Empty<Bytes>>> {
        let mut request = Request::builder().uri(&self.path).header(HOST, &self.host);
        if let Some(key) = self.key(number) {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        Ok(request.body(Empty::new())?)
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::NAN, |since| since.as_secs_f64())
}

/// Waits until whoever runs this lets go.
async fn released() {
    let waits = tokio::task::spawn_blocking(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
    });
    let _ = waits.await;
}

/// Calls, one at a time on each connection.
pub(crate) fn calls(plan: &str) -> Result<Value> {
    let plan = Arc::new(Plan::read(plan)?);
    runtime()?.block_on(async {
        let mut ready = Vec::new();
        for number in 0..plan.connections {
            let mut send = plan.one().await?;
            call(&plan, &mut send, number).await?;
            ready.push((number, send));
        }
        let begun = Instant::now();
        let until = begun + Duration::from_secs_f64(plan.seconds);
        let mut clients = JoinSet::new();
        for (number, mut send) in ready {
            let plan = Arc::clone(&plan);
            clients.spawn(async move {
                let (mut micros, mut bytes) = (Vec::new(), 0);
                while Instant::now() < until {
                    let begun = Instant::now();
                    bytes += call(&plan, &mut send, number).await?;
                    micros.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Ok::<_, anyhow::Error>((micros, bytes))
            });
        }
        told(clients, begun).await
    })
}

async fn call(plan: &Plan, send: &mut http1::SendRequest<Empty<Bytes>>, number: usize) -> Result<usize> {
    send.ready().await?;
    let asked = send.send_request(plan.request(number)?);
    let answer = tokio::time::timeout(LONGEST, asked).await.context("a call was not answered in time")??;
    let status = answer.status();
    let mut body = answer.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    ensure!(status == StatusCode::OK, "a call was answered with {status}");
    Ok(bytes)
}

async fn told(mut clients: JoinSet<Result<(Vec<u32>, usize)>>, begun: Instant) -> Result<Value> {
    let (mut micros, mut bytes) = (Vec::new(), 0);
    while let Some(seen) = clients.join_next().await {
        let (theirs, more) = seen??;
        micros.extend(theirs);
        bytes += more;
    }
    let seconds = begun.elapsed().as_secs_f64();
    micros.sort_unstable();
    Ok(json!({
        "done": micros.len(),
        "seconds": seconds,
        "per_second": micros.len() as f64 / seconds,
        "mib_per_second": bytes as f64 / 1_048_576.0 / seconds,
        "p50_us": rank::at(&micros, 0.5),
        "p99_us": rank::at(&micros, 0.99),
    }))
}

/// Bytes there and back, after a WebSocket was opened.
pub(crate) fn socket(plan: &str) -> Result<Value> {
    let plan = Arc::new(Plan::read(plan)?);
    runtime()?.block_on(async {
        let mut ready = Vec::new();
        for number in 0..plan.connections {
            let mut send = plan.one().await?;
            let mut request = plan.request(number)?;
            let headers = request.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            // RFC 6455 section 1.3.
            headers.insert("sec-websocket-key", HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
            headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
            let answer = send.send_request(request).await?;
            ensure!(answer.status() == StatusCode::SWITCHING_PROTOCOLS, "no WebSocket but {}", answer.status());
            ready.push(TokioIo::new(hyper::upgrade::on(answer).await?));
        }
        let begun = Instant::now();
        let until = begun + Duration::from_secs_f64(plan.seconds);
        let mut clients = JoinSet::new();
        for mut socket in ready {
            clients.spawn(async move {
                let (mut micros, mut bytes, mut message) = (Vec::new(), 0, [b'w'; 64]);
                while Instant::now() < until {
                    let begun = Instant::now();
                    socket.write_all(&message).await?;
                    socket.flush().await?;
                    socket.read_exact(&mut message).await?;
                    micros.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                    bytes += message.len();
                }
                Ok::<_, anyhow::Error>((micros, bytes))
            });
        }
        told(clients, begun).await
    })
}

/// Connections on which one call was made and nothing happens any more, until it is let go.
pub(crate) fn idle(plan: &str) -> Result<Value> {
    let plan = Plan::read(plan)?;
    let runtime = runtime()?;
    let found = runtime.block_on(async {
        let mut held = Vec::new();
        for number in 0..plan.connections {
            let mut send = plan.one().await?;
            call(&plan, &mut send, number).await?;
            held.push(send);
        }
        println!("{}", json!({ "open": held.len() }));
        released().await;
        Ok(json!({ "open": held.len() }))
    });
    runtime.shutdown_background();
    found
}

/// Streams that never end by themselves, several on each connection; when the last byte of each connection came.
pub(crate) fn streams(plan: &str) -> Result<Value> {
    let plan = Arc::new(Plan::read(plan)?);
    let runtime = runtime()?;
    let found = runtime.block_on(async {
        let begun = Instant::now();
        let opening = futures::stream::iter(0..plan.connections)
            .map(|number| {
                let plan = Arc::clone(&plan);
                async move { open(&plan, number).await }
            })
            .buffered(8);
        let opened: Vec<Result<JoinSet<f64>>> = opening.collect().await;
        let opened = opened.into_iter().collect::<Result<Vec<_>>>()?;
        println!("{}", json!({ "open": plan.connections * plan.streams, "seconds": begun.elapsed().as_secs_f64() }));
        let ends = async {
            let mut last = Vec::new();
            for mut streams in opened {
                let mut latest = f64::NAN;
                while let Some(at) = streams.join_next().await {
                    latest = latest.max(at?);
                }
                last.push(latest);
            }
            Ok(json!({ "last": last }))
        };
        tokio::select! {
            ended = ends => ended,
            () = released() => Ok(json!({ "last": [] })),
        }
    });
    runtime.shutdown_background();
    found
}

/// One connection with its streams, each of which has begun.
async fn open(plan: &Plan, number: usize) -> Result<JoinSet<f64>> {
    let stream = plan.connect(b"h2").await?;
    let (mut send, drive) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(drive);
    let mut streams = JoinSet::new();
    for _ in 0..plan.streams {
        let mut request = Request::builder().uri(format!("https://{}{}", plan.host, plan.path));
        if let Some(key) = plan.key(number) {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        send.ready().await?;
        let answer = send.send_request(request.body(Empty::<Bytes>::new())?).await?;
        ensure!(answer.status() == StatusCode::OK, "a stream was answered with {}", answer.status());
        let mut body = answer.into_body();
        body.frame().await.context("a stream said nothing")??;
        let held = send.clone();
        streams.spawn(async move {
            let _held = held;
            let mut last = now();
            while let Some(Ok(_)) = body.frame().await {
                last = now();
            }
            last
        });
    }
    Ok(streams)
}

/// An application: `/small`, `/big` (1 MiB), `/stream` without end, and a WebSocket that says back what it hears. Says where
/// it listens, and ends with its input.
pub(crate) fn backend(_plan: &str) -> Result<Value> {
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", json!({ "port": listener.local_addr()?.port() }));
        let serves = async {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    let serving = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer))
                        .with_upgrades();
                    let _ = serving.await;
                });
            }
        };
        tokio::select! {
            () = serves => {}
            () = released() => {}
        }
        Ok(json!({}))
    });
    runtime.shutdown_background();
    done
}

type Said = Response<Either<Full<Bytes>, Ticks>>;

async fn answer(mut request: Request<Incoming>) -> Result<Said, Infallible> {
    let whole = |bytes: Bytes| Response::new(Either::Left(Full::new(bytes)));
    Ok(match request.uri().path() {
        "/stream" => Response::new(Either::Right(Ticks(tokio::time::interval(TICK)))),
        "/big" => {
            static BIG: [u8; 1 << 20] = [b'b'; 1 << 20];
            whole(Bytes::from_static(&BIG))
        }
        "/socket" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                if let Ok(socket) = upgrade.await {
                    let (mut from, mut to) = tokio::io::split(TokioIo::new(socket));
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                }
            });
            let mut switches = whole(Bytes::new());
            *switches.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = switches.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            // The answer to that one key, by RFC 6455 section 1.3.
            headers.insert("sec-websocket-accept", HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
            switches
        }
        _ => whole(Bytes::from_static(&[b's'; 128])),
    })
}

/// One byte now and then, without end.
struct Ticks(tokio::time::Interval);

impl Body for Ticks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Waits<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.get_mut().0.poll_tick(cx).map(|_| Some(Ok(Frame::data(Bytes::from_static(b".")))))
    }
}
