//! Accepting connections: plain on loopback or behind a proxy, else TLS 1.3.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use wane_config::Settings;
use wane_http::Peer;
use wane_runtime::CancellationToken;

/// A peer that does not finish its handshake in this time is dropped.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// A peer that does not finish its request's head in this time is dropped.
const HEAD: Duration = Duration::from_secs(10);
/// Connections at once.
const MOST: usize = 4096;
/// How long open connections get to finish at shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("`{address}` cannot be listened on: {why}; set `server.listen` to a free address")]
    Bind { address: SocketAddr, why: std::io::Error },
    #[error("`{path}` is no PEM file of this sort: {why}")]
    Pem { path: PathBuf, why: String },
    #[error("certificate and key do not go together: {0}")]
    Tls(#[from] rustls::Error),
}

/// A bound address.
pub(crate) struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    address: SocketAddr,
    proxied: bool,
}

impl Listener {
    pub(crate) async fn bind(settings: &Settings) -> Result<Self, ServeError> {
        let wanted = settings.server.listen;
        let failed = |why| ServeError::Bind { address: wanted, why };
        let tls = match &settings.server.tls {
            Some(files) => Some(acceptor(&files.cert, &files.key)?),
            None => None,
        };
        let tcp = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Self { tcp, tls, address, proxied: settings.server.plaintext_behind_proxy })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop; one connection's trouble is its own.
    pub(crate) async fn serve(&self, router: Router, stop: CancellationToken) -> Result<(), ServeError> {
        let slots = Arc::new(Semaphore::new(MOST));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = self.tcp.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: others have to finish first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                tracing::warn!("too many connections; one was dropped");
                continue;
            };
            let (tls, stop) = (self.tls.clone(), stop.clone());
            let from = Whence { peer: peer.ip(), proxied: self.proxied };
            let router = router.clone();
            connections.spawn(async move {
                answer(stream, tls, (router, from), stop).await;
                drop(slot);
            });
        }
        let drained = tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            connections.shutdown().await;
        }
        Ok(())
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy)]
struct Whence {
    peer: IpAddr,
    /// Whether that is a proxy, which says for whom it speaks.
    proxied: bool,
}

impl Whence {
    /// Where a call came from: for a proxy, the last address it adds to `X-Forwarded-For`, which it saw itself.
    fn of(self, headers: &HeaderMap) -> Peer {
        let last = headers.get_all("x-forwarded-for").iter().next_back();
        let said = last.and_then(|v| v.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        Peer(if self.proxied { said.unwrap_or(self.peer) } else { self.peer })
    }
}

async fn answer(stream: TcpStream, tls: Option<TlsAcceptor>, to: (Router, Whence), stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => speak(stream, to, stop).await,
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, to, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (router, from): (Router, Whence),
    stop: CancellationToken,
) {
    let router = ServiceExt::<Request<Incoming>>::map_request(router, move |mut request: Request<Incoming>| {
        let peer = from.of(request.headers());
        request.extensions_mut().insert(peer);
        request
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 * 1024);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(64).max_header_list_size(32 * 1024);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let done = tokio::select! {
        done = connection.as_mut() => done,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = done {
        tracing::debug!(%error, "a connection ended early");
    }
}

pub(crate) fn acceptor(cert: &PathBuf, key: &PathBuf) -> Result<TlsAcceptor, ServeError> {
    acceptor_knowing(cert, key, WebPkiClientVerifier::no_client_auth())
}

/// One that asks clients for a certificate of these authorities, and takes those as well that have none.
pub(crate) fn acceptor_asking(cert: &PathBuf, key: &PathBuf, roots: &[Vec<u8>]) -> Result<TlsAcceptor, ServeError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(CertificateDer::from(root.clone()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider).allow_unauthenticated();
    let verifier = verifier.build().map_err(|e| rustls::Error::General(e.to_string()))?;
    acceptor_knowing(cert, key, verifier)
}

fn acceptor_knowing(
    cert: &PathBuf,
    key: &PathBuf,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<TlsAcceptor, ServeError> {
    let pem = |path: &PathBuf, why: String| ServeError::Pem { path: path.clone(), why };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| pem(cert, e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| pem(key, e.to_string()))?;
    let mut config = rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_is_believed_and_only_what_it_saw() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (proxied, said, from) in [
            (false, vec![], "192.0.2.1"),
            (false, vec!["198.51.100.1"], "192.0.2.1"),
            (true, vec![], "192.0.2.1"),
            (true, vec!["198.51.100.1"], "198.51.100.1"),
            (true, vec!["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (true, vec!["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
            (true, vec!["198.51.100.1, nonsense"], "192.0.2.1"),
            (true, vec!["2001:db8::7"], "2001:db8::7"),
        ] {
            let mut headers = HeaderMap::new();
            for value in &said {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            assert_eq!(Whence { peer: ip("192.0.2.1"), proxied }.of(&headers), Peer(ip(from)), "{proxied} {said:?}");
        }
    }
}
