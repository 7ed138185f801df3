//! Sessions to SSH hosts that go through this server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpListener;
use wane_app::App;
use wane_config::GatewayListen;
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

    /// Has it served from now on.
    pub(crate) async fn keep(
        self,
        supervisor: &mut Supervisor,
        app: &Arc<App>,
        key: Secret,
        ambient: &Ambient,
    ) -> Result<(), GatewayError> {
        let fronts = Arc::new(Identity { app: Arc::clone(app), key, names: self.names });
        let port: Arc<App> = Arc::clone(app);
        let gateway = Gateway::new(port, fronts, ambient.clone(), Limits::default()).await;
        let gateway = gateway.map_err(GatewayError::Front)?;
        let tcp = Arc::new(self.tcp);
        supervisor.spawn("gateway", move |stop| {
            let (gateway, tcp) = (Arc::clone(&gateway), Arc::clone(&tcp));
            async move {
                gateway.serve(&tcp, stop).await;
                Ok::<(), Infallible>(())
            }
        });
        Ok(())
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
