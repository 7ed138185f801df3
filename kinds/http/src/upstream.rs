//! The way to an application: TLS to the one authority it was registered with, and connections that are used again.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wane_connector::broker::{Line, Pipe};
use wane_connector::{ConnectError, Target};
use wane_domain::secret::Secret;

use crate::settings::{Inject, Settings, Upstream};

/// How long a handshake with an application may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The longest head of an answer that is read: an application is not trusted with our memory.
const MOST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 128;

/// What goes wrong on the way, in words.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;
/// A body on its way to an application.
pub(crate) type Out = UnsyncBoxBody<Bytes, Fault>;

/// A connection to an application, with what drives it. Nothing moves on it but while it is polled by whoever uses it.
pub(crate) struct Connection {
    send: Sender,
    drive: Drive,
}

enum Sender {
    One(http1::SendRequest<Out>),
    Two(http2::SendRequest<Out>),
}

/// What drives a connection, until it is over.
type Drive = Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>;

impl Connection {
    /// Connects, over the line of a session.
    pub(crate) async fn open(
        line: &dyn Line,
        settings: &Settings,
        tls: Option<&Arc<ClientConfig>>,
        http2: bool,
    ) -> Result<Self, Fault> {
        let upstream = &settings.upstream;
        let pipe = line.dial(&upstream.host, upstream.port).await?;
        let pipe = match tls {
            None => pipe,
            Some(config) => {
                let mut config = ClientConfig::clone(config);
                config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
                let name = ServerName::try_from(upstream.host.clone())?;
                let shake = TlsConnector::from(Arc::new(config)).connect(name, pipe);
                let stream = tokio::time::timeout(HANDSHAKE, shake).await.map_err(|_| "TLS takes too long")??;
                Box::new(stream) as Pipe
            }
        };
        let io = TokioIo::new(pipe);
        if http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.max_header_list_size(u32::try_from(MOST_HEAD).unwrap_or(u32::MAX));
            let (send, drive) = builder.handshake(io).await?;
            return Ok(Self { send: Sender::Two(send), drive: Some(Box::pin(drive)) });
        }
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MOST_HEAD).max_headers(MOST_HEADERS);
        let (send, drive) = builder.handshake(io).await?;
        Ok(Self { send: Sender::One(send), drive: Some(Box::pin(drive.with_upgrades())) })
    }

    /// Lets it move; ready once it is over.
    pub(crate) fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        drive(&mut self.drive, cx)
    }

    /// Whether another request can be sent on it now.
    pub(crate) fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        if self.poll_drive(cx).is_ready() {
            return false;
        }
        match &mut self.send {
            Sender::One(send) => matches!(send.poll_ready(cx), Poll::Ready(Ok(()))),
            Sender::Two(send) => matches!(send.poll_ready(cx), Poll::Ready(Ok(()))),
        }
    }

    /// Sends a request and waits for the head of its answer. What was never sent comes back.
    pub(crate) async fn send(&mut self, request: Request<Out>) -> Result<Response<Incoming>, Unsent> {
        let mut answer: Pin<Box<dyn Future<Output = Result<Response<Incoming>, Unsent>> + Send>> = match &mut self.send
        {
            Sender::One(send) => {
                let sent = send.try_send_request(request);
                Box::pin(async move { sent.await.map_err(|mut e| Unsent(e.take_message(), e.into_error())) })
            }
            Sender::Two(send) => {
                let sent = send.try_send_request(request);
                Box::pin(async move { sent.await.map_err(|mut e| Unsent(e.take_message(), e.into_error())) })
            }
        };
        let driven = &mut self.drive;
        std::future::poll_fn(move |cx| {
            // What was read before it broke off may be the answer.
            let _ = drive(driven, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }
}

fn drive(driven: &mut Drive, cx: &mut Context<'_>) -> Poll<()> {
    let Some(drive) = driven else { return Poll::Ready(()) };
    std::task::ready!(drive.as_mut().poll(cx)).unwrap_or_else(|error| {
        tracing::debug!(%error, "a connection to an application ended early");
    });
    *driven = None;
    Poll::Ready(())
}

/// No answer came, and why; with the request, if nothing of it was sent.
pub(crate) struct Unsent(pub(crate) Option<Request<Out>>, pub(crate) hyper::Error);

/// The authorities in a PEM text.
pub(crate) fn roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(roots) }
}

/// A client's certificate and its key, in one PEM text.
pub(crate) fn client_pair(pem: &[u8]) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let wrong = "the credential is no client certificate with its key, in PEM";
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| wrong.to_owned())?;
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| wrong.to_owned())?;
    if chain.is_empty() { Err(wrong.to_owned()) } else { Ok((chain, key)) }
}

/// How TLS is spoken to an application; none where it is not.
pub(crate) fn tls(settings: &Settings, secret: Option<&Secret>) -> Result<Option<Arc<ClientConfig>>, String> {
    let Upstream { ca: Some(ca), .. } = &settings.upstream else { return Ok(None) };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots(ca)?);
    let config = match (&settings.inject, secret) {
        (Some(Inject::ClientCertificate), Some(secret)) => {
            let (chain, key) = client_pair(secret.expose())?;
            builder.with_client_auth_cert(chain, key).map_err(|e| e.to_string())?
        }
        (_, _) => builder.with_no_client_auth(),
    };
    Ok(Some(Arc::new(config)))
}

/// Whether the application answers and shows the identity it is registered with.
pub(crate) async fn reach(target: &Target<'_>, settings: &Settings) -> Result<(), ConnectError> {
    let name = target.resource.name.to_string();
    let unreachable = |why: String| ConnectError::Unreachable { target: name.clone(), why };
    let upstream = &settings.upstream;
    let connect = TcpStream::connect((upstream.host.as_str(), upstream.port));
    let late = |_| unreachable("no answer in time".to_owned());
    let stream =
        tokio::time::timeout(HANDSHAKE, connect).await.map_err(late)?.map_err(|e| unreachable(e.to_string()))?;
    let distrust = |why: String| ConnectError::Trust { target: name.clone(), why };
    let Some(config) = tls(settings, target.credential).map_err(distrust)? else { return Ok(()) };
    let server = ServerName::try_from(upstream.host.clone()).map_err(|e| distrust(e.to_string()))?;
    let shake = tokio::time::timeout(HANDSHAKE, TlsConnector::from(config).connect(server, stream)).await;
    shake.map_err(late)?.map(drop).map_err(|e| distrust(e.to_string()))
}
