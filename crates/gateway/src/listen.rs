//! What every gateway does beside its connections: takes them in, has sessions asked about, waits for the last of them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use crate::port::Port;

/// After how long without a byte the other side is asked whether it is there.
const SILENT: Duration = Duration::from_secs(30);
/// How long open sessions get to be closed and written down when the server stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How long nothing is accepted after something could not be.
const AGAIN: Duration = Duration::from_millis(50);

/// The next connection. What cannot be accepted is passed over: out of descriptors, most likely, and others have to
/// finish first.
pub(crate) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                watch_over(&stream);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Has the system ask now and then whether the other side is still there.
fn watch_over(stream: &TcpStream) {
    let often = TcpKeepalive::new().with_time(SILENT).with_interval(SILENT);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&often) {
        tracing::debug!(%error, "a connection is not watched over");
    }
}

/// Has it asked every `beat` where sessions stand, and minded whose identity was proved again. To be polled beside the
/// connections, never in their way: whoever is asked may not answer.
pub(crate) async fn rounds(port: &dyn Port, beat: Duration) -> Infallible {
    tokio::select! {
        never = beats(port, beat) => never,
        never = proofs(port) => never,
    }
}

async fn beats(port: &dyn Port, beat: Duration) -> Infallible {
    loop {
        tokio::time::sleep(beat).await;
        port.beat().await;
    }
}

async fn proofs(port: &dyn Port) -> Infallible {
    port.proofs().await;
    std::future::pending().await
}

/// Waits until all are closed and written down, but not for ever; whether they are.
pub(crate) async fn drained(all: impl Future<Output = ()>) -> bool {
    let done = tokio::time::timeout(DRAIN, all).await.is_ok();
    if !done {
        tracing::warn!("sessions were not all written down as closed; the next start does it");
    }
    done
}
