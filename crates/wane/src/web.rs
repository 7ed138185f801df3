//! Sessions to web applications that go through this server, each at its own address and over TLS.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wane_app::App;
use wane_config::{GatewayWeb, Tls};
use wane_connector::broker::Pipe;
use wane_connector::web::{Porch, Site};
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_gateway::{Hall, Limits};
use wane_runtime::Supervisor;

use crate::gateway::GatewayError;
use crate::kinds;
use crate::serve::{HANDSHAKE, ServeError, acceptor, acceptor_asking};

/// A browser opens several connections at once, and people share an address.
const STRANGERS_PER_ADDRESS: usize = 128;

/// A bound address.
pub(crate) struct Bound {
    tcp: TcpListener,
    settings: GatewayWeb,
}

impl Bound {
    pub(crate) async fn bind(settings: &GatewayWeb) -> Result<Self, GatewayError> {
        // Read again once it is known whose certificates are asked for; what cannot be used is said now.
        acceptor(&settings.tls.cert, &settings.tls.key).map_err(GatewayError::Tls)?;
        let tcp = TcpListener::bind(settings.listen).await;
        let tcp = tcp.map_err(|why| GatewayError::BindWeb { address: settings.listen, why })?;
        Ok(Self { tcp, settings: settings.clone() })
    }

    /// Says that there is one: what is judged from now on may rest on it.
    pub(crate) fn announce(&self, app: &App) -> Result<(), GatewayError> {
        let at = self.tcp.local_addr().map_err(|error| GatewayError::Front(error.to_string()))?;
        let serves = app.gateway_serves(kinds::HTTP, at.ip().to_string(), at.port());
        serves.map_err(|error| GatewayError::Front(error.to_string()))
    }

    /// Has it served from now on.
    pub(crate) fn keep(
        self,
        supervisor: &mut Supervisor,
        app: &Arc<App>,
        key: &Secret,
        ambient: &Ambient,
    ) -> Result<(), GatewayError> {
        let site = app.gateway_site(kinds::HTTP, key).map_err(|error| GatewayError::Front(error.to_string()))?;
        let site = Arc::new(OverTls::new(Arc::clone(app), self.settings.tls, site)?);
        let limits = Limits { unknown_per_address: STRANGERS_PER_ADDRESS, ..Limits::default() };
        let hall = Hall::new(kinds::HTTP, Arc::<App>::clone(app), site, ambient.clone(), limits);
        let tcp = Arc::new(self.tcp);
        supervisor.spawn("web gateway", move |stop| {
            let (hall, tcp) = (Arc::clone(&hall), Arc::clone(&tcp));
            async move {
                hall.serve(&tcp, stop).await;
                Ok::<(), Infallible>(())
            }
        });
        Ok(())
    }
}

/// What is spoken over TLS.
struct OverTls {
    app: Arc<App>,
    files: Tls,
    /// How it is spoken, with the roots of those whose certificates are asked for.
    tls: Mutex<(Vec<Vec<u8>>, TlsAcceptor)>,
    site: Arc<dyn Site>,
}

impl OverTls {
    fn new(app: Arc<App>, files: Tls, site: Arc<dyn Site>) -> Result<Self, GatewayError> {
        let roots = roots(&app);
        let tls = asking(&files, &roots).map_err(GatewayError::Tls)?;
        Ok(Self { app, files, tls: Mutex::new((roots, tls)), site })
    }

    /// How it is spoken now: authorities take over from one another while the server runs.
    fn tls(&self) -> TlsAcceptor {
        let roots = roots(&self.app);
        let mut kept = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 != roots {
            match asking(&self.files, &roots) {
                Ok(tls) => *kept = (roots, tls),
                Err(error) => {
                    tracing::error!(%error, "clients are asked for certificates of the authorities of before")
                }
            }
        }
        kept.1.clone()
    }
}

/// The roots of the authorities that certify clients here.
fn roots(app: &App) -> Vec<Vec<u8>> {
    let known = app.kinds().iter().find_map(|kind| kind.certificates());
    known.map(|known| known.roots()).unwrap_or_default()
}

/// Clients are asked for a certificate where this server issues such; who has none is taken as well.
fn asking(files: &Tls, roots: &[Vec<u8>]) -> Result<TlsAcceptor, ServeError> {
    if roots.is_empty() { acceptor(&files.cert, &files.key) } else { acceptor_asking(&files.cert, &files.key, roots) }
}

#[async_trait]
impl Site for OverTls {
    async fn serve(&self, pipe: Pipe, porch: Arc<dyn Porch>) {
        match tokio::time::timeout(HANDSHAKE, self.tls().accept(pipe)).await {
            Ok(Ok(stream)) => {
                // Its chain is checked, and that its key is there; whether it stands is asked of the store.
                if let Some(own) = stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
                    porch.showed(own);
                }
                self.site.serve(Box::new(stream), porch).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }
}
