//! Connections that can be cut at any moment, whoever is using them and whatever they wait for.
//!
//! INVARIANT: from the cut on, no byte is read from it or written to it, and what still waits in the
//! system is thrown away with it (held by `a_cut_pipe_carries_nothing`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use wane_connector::broker::{Pipe, Stream};

struct Shared {
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    gone: watch::Sender<bool>,
}

/// The end that stays in the gateway's hand.
#[derive(Clone)]
pub(crate) struct Tether(Arc<Shared>);

/// The end that is used.
struct Tethered<S> {
    stream: S,
    shared: Arc<Shared>,
    /// What is done to one that was cut, before it is closed.
    reset: fn(&S),
}

/// Puts a connection on a tether.
pub(crate) fn tether(stream: TcpStream) -> (Pipe, Tether) {
    // Keystrokes are not to be gathered; if that cannot be set, they are slower.
    let _ = stream.set_nodelay(true);
    // Closed with a reset: what was not delivered yet is not.
    put(stream, |stream| drop(stream.set_zero_linger()))
}

/// The same for a connection inside another.
pub(crate) fn tether_inside(pipe: Pipe) -> (Pipe, Tether) {
    put(pipe, |_| ())
}

fn put<S: Stream>(stream: S, reset: fn(&S)) -> (Pipe, Tether) {
    let shared = Arc::new(Shared {
        cut: AtomicBool::new(false),
        reader: AtomicWaker::new(),
        writer: AtomicWaker::new(),
        gone: watch::channel(false).0,
    });
    (Box::new(Tethered { stream, shared: Arc::clone(&shared), reset }), Tether(shared))
}

impl Tether {
    /// Cuts it.
    pub(crate) fn cut(&self) {
        self.0.cut.store(true, Ordering::SeqCst);
        self.0.reader.wake();
        self.0.writer.wake();
    }

    /// Whether the connection is closed.
    pub(crate) fn is_gone(&self) -> bool {
        *self.0.gone.borrow()
    }

    /// Waits until the connection is closed.
    pub(crate) async fn gone(&self) {
        // The sender is in our own hand, so that this cannot fail.
        let _ = self.0.gone.subscribe().wait_for(|gone| *gone).await;
    }
}

impl<S> Tethered<S> {
    fn whole(&self) -> io::Result<()> {
        if self.shared.cut.load(Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the session is over"));
        }
        Ok(())
    }
}

impl<S> Drop for Tethered<S> {
    fn drop(&mut self) {
        if self.shared.cut.load(Ordering::SeqCst) {
            (self.reset)(&self.stream);
        }
        self.shared.gone.send_replace(true);
    }
}

impl<S: Stream> AsyncRead for Tethered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Registered first: a cut after the look wakes us.
        this.shared.reader.register(cx.waker());
        this.whole()?;
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: Stream> AsyncWrite for Tethered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.shared.writer.register(cx.waker());
        this.whole()?;
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.shared.writer.register(cx.waker());
        this.whole()?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.whole()?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_cut_pipe_carries_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut pipe, tether) = tether(listener.accept().await.unwrap().0);
        far.write_all(b"before").await.unwrap();
        let mut heard = [0; 6];
        pipe.read_exact(&mut heard).await.unwrap();
        // Somebody waits in it while it is cut, and much that was written has not arrived.
        let reading = async { pipe.read(&mut [0; 1]).await.unwrap_err().kind() };
        let cutting = async { tether.cut() };
        let (met, ()) = tokio::join!(reading, cutting);
        assert_eq!(met, io::ErrorKind::ConnectionAborted);
        assert!(pipe.write(b"after").await.is_err());
        assert!(tokio::time::timeout(Duration::from_millis(20), tether.gone()).await.is_err(), "it is still there");
        drop(pipe);
        tether.gone().await;
        assert_eq!(far.read(&mut [0; 1]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
