//! The listener, and one connection from accept to close.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_connector::broker::Front;
use wane_domain::ambient::Ambient;

use crate::door::Entry;
use crate::pipe::tether;
use crate::places::{Limits, Place, Places};
use crate::port::Port;

/// How often the gateway's identity is made anew; it is certified for much longer.
const RENEW: Duration = Duration::from_secs(6 * 3600);
/// How soon that is tried again when it failed.
const RENEW_AGAIN: Duration = Duration::from_secs(60);
/// How long open sessions get to be closed and written down when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Makes what people connect to, again and again.
#[async_trait]
pub trait Fronts: Send + Sync {
    /// A front with a fresh certificate.
    async fn front(&self) -> Result<Arc<dyn Front>, String>;
}

/// The gateway of one protocol.
pub struct Gateway {
    port: Arc<dyn Port>,
    fronts: Arc<dyn Fronts>,
    front: Mutex<Arc<dyn Front>>,
    ambient: Ambient,
    limits: Limits,
    places: Arc<Places>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway that can show who it is.
    ///
    /// # Errors
    /// When its identity cannot be certified.
    pub async fn new(
        port: Arc<dyn Port>,
        fronts: Arc<dyn Fronts>,
        ambient: Ambient,
        limits: Limits,
    ) -> Result<Arc<Self>, String> {
        let front = Mutex::new(fronts.front().await?);
        Ok(Arc::new(Self { port, fronts, front, ambient, limits, places: Places::new(limits) }))
    }

    /// Serves until told to stop; one connection's trouble is its own.
    pub async fn serve(self: &Arc<Self>, listener: &TcpListener, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        let mut renew = Box::pin(tokio::time::sleep(RENEW));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = connections.join_next(), if !connections.is_empty() => {
                    if let Err(error) = done {
                        tracing::error!(%error, "a connection died; the others go on");
                    }
                    continue;
                }
                () = &mut renew => {
                    renew.set(tokio::time::sleep(self.renew().await));
                    continue;
                }
                accepted = listener.accept() => accepted,
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
            let Some(place) = self.places.take(peer.ip(), self.ambient.now()) else {
                tracing::debug!(%peer, "too many connections; one was dropped");
                continue;
            };
            let (gateway, stop) = (Arc::clone(self), stop.clone());
            connections.spawn(async move { gateway.carry(stream, peer, place, stop).await });
        }
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("sessions were not all written down as closed; the next start does it");
            connections.shutdown().await;
        }
    }

    async fn renew(&self) -> Duration {
        match self.fronts.front().await {
            Ok(front) => {
                *self.front.lock().unwrap_or_else(PoisonError::into_inner) = front;
                RENEW
            }
            Err(error) => {
                tracing::error!(%error, "the gateway could not be certified again; it is tried again");
                RENEW_AGAIN
            }
        }
    }

    /// One connection. Whatever happens to whoever speaks on it ends here.
    async fn carry(&self, stream: TcpStream, peer: SocketAddr, mut place: Place, stop: CancellationToken) {
        let front = Arc::clone(&self.front.lock().unwrap_or_else(PoisonError::into_inner));
        let (pipe, person) = tether(stream);
        let entry = Arc::new(Entry::new(peer.ip(), self.ambient.clone(), Arc::clone(&self.port), self.limits));
        let door: Arc<Entry> = Arc::clone(&entry);
        let mut serving = Box::pin(AssertUnwindSafe(front.serve(pipe, door)).catch_unwind());
        let entered = tokio::select! {
            live = entry.entered() => Some(live),
            _ = &mut serving => None,
            () = tokio::time::sleep(self.limits.login) => None,
            () = stop.cancelled() => None,
        };
        if let Some(live) = &entered {
            place.known();
            tracing::info!(session = %live.session, %peer, "a session began");
            let why = tokio::select! {
                why = live.race() => Some(why),
                served = &mut serving => {
                    if served.is_err() {
                        tracing::error!(session = %live.session, "what spoke for a session died; the session is closed");
                    }
                    None
                }
                () = stop.cancelled() => Some("the server stops".to_owned()),
            };
            if let Some(why) = why {
                live.end(&why);
                // The person is told, and does not get to draw that out.
                let _ = tokio::time::timeout(self.limits.goodbye, &mut serving).await;
            }
        } else {
            place.failed(self.ambient.now());
        }
        person.cut();
        drop(serving);
        if let Some(live) = entry.shut() {
            live.close(&person).await;
            tracing::info!(session = %live.session, "a session is closed");
        } else {
            person.gone().await;
        }
    }
}
