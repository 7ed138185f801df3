//! Sessions to SSH hosts that go through this server.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpListener;
use wane_app::App;
use wane_config::{GatewayListen, Settings};
use wane_connector::broker::Front;
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_gateway::{Fronts, Gateway, Limits};
use wane_runtime::Supervisor;

use crate::kinds;

/// Why no sessions go through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    #[error("`{address}` cannot be listened on: {why}; set `gateway.ssh.listen` to a free address")]
    Bind { address: SocketAddr, why: std::io::Error },
    #[error("the gateway cannot show who it is: {0}")]
    Front(String),
    #[error("`{address}` cannot be listened on: {why}; set `gateway.http.listen` to a free address")]
    BindWeb { address: SocketAddr, why: std::io::Error },
    #[error("`gateway.http.cert` or `gateway.http.key` cannot be used: {0}")]
    Tls(crate::serve::ServeError),
}

/// A bound address.
pub(crate) struct Bound {
    tcp: TcpListener,
    names: Vec<String>,
    port: u16,
}

impl Bound {
    pub(crate) async fn bind(settings: &GatewayListen) -> Result<Self, GatewayError> {
        let tcp = TcpListener::bind(settings.listen).await;
        let tcp = tcp.map_err(|why| GatewayError::Bind { address: settings.listen, why })?;
        Ok(Self { tcp, names: vec![settings.host.clone()], port: settings.port })
    }

    /// Says that there is one: what is judged from now on may rest on it.
    pub(crate) fn announce(&self, app: &App) -> Result<(), GatewayError> {
        let Some(host) = self.names.first() else { return Ok(()) };
        let serves = app.gateway_serves(kinds::SSH, host.clone(), self.port);
        serves.map_err(|error| GatewayError::Front(error.to_string()))
    }

    /// Has it served from now on, or from when a signer of its own answers.
    pub(crate) async fn keep(
        self,
        settings: &Settings,
        supervisor: &mut Supervisor,
        app: &Arc<App>,
        key: Secret,
        ambient: &Ambient,
    ) -> Result<(), GatewayError> {
        let tcp = Arc::new(self.tcp);
        let maker = Maker {
            fronts: Arc::new(Identity { app: Arc::clone(app), key, names: self.names }),
            port: Arc::clone(app),
            ambient: ambient.clone(),
        };
        let mut made = match maker.make().await {
            Ok(gateway) => Some(gateway),
            // A signer that is away keeps nothing from being served and ended; the gateway follows once it is there.
            Err(error) if settings.signer.socket.is_some() => {
                tracing::error!(%error, "the gateway cannot show who it is yet; it is tried again");
                None
            }
            Err(error) => return Err(error),
        };
        let maker = Arc::new(maker);
        supervisor.spawn("gateway", move |stop| {
            let (maker, tcp, made) = (Arc::clone(&maker), Arc::clone(&tcp), made.take());
            async move {
                let gateway = match made {
                    Some(gateway) => gateway,
                    None => maker.make().await?,
                };
                gateway.serve(&tcp, stop).await;
                Ok::<(), GatewayError>(())
            }
        });
        Ok(())
    }
}

/// Makes the gateway, as often as need be.
struct Maker {
    fronts: Arc<Identity>,
    port: Arc<App>,
    ambient: Ambient,
}

impl Maker {
    async fn make(&self) -> Result<Arc<Gateway>, GatewayError> {
        let (port, fronts): (Arc<App>, Arc<Identity>) = (Arc::clone(&self.port), Arc::clone(&self.fronts));
        let made = Gateway::new(port, fronts, self.ambient.clone(), Limits::default()).await;
        let gateway = made.map_err(GatewayError::Front)?;
        self.port.gateway_takes_in(kinds::SSH, gateway.lobby());
        Ok(gateway)
    }
}

/// Who the gateway is.
struct Identity {
    app: Arc<App>,
    key: Secret,
    names: Vec<String>,
}

#[async_trait]
impl Fronts for Identity {
    async fn front(&self) -> Result<Arc<dyn Front>, String> {
        self.app.gateway_front(kinds::SSH, &self.key, &self.names).await.map_err(|e| e.to_string())
    }
}
