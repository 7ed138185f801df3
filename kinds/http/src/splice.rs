//! A websocket, once both sides agreed on it: bytes one way and the other, reported before they pass.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use wane_recording::{Event, Side};

use crate::body::{self, Way};
use crate::session::AppSession;
use crate::upstream::Fault;

/// As much as is reported at once.
const PIECE: usize = 16 * 1024;

/// A websocket that both sides agreed on.
pub(crate) struct Splice {
    pub(crate) session: Arc<AppSession>,
    pub(crate) channel: u32,
    pub(crate) near: OnUpgrade,
    pub(crate) far: OnUpgrade,
    pub(crate) way: Way,
}

/// What a connection turns into once its last answer was written.
#[derive(Default)]
pub(crate) struct Splices(Mutex<Option<Splice>>);

impl Splices {
    pub(crate) fn put(&self, splice: Splice) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(splice);
    }

    pub(crate) fn take(&self) -> Option<Splice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Splice {
    /// Carries it until one side ends it or the session is over.
    pub(crate) async fn carry(self) {
        let Self { session, channel, near, far, mut way } = self;
        let carried = async {
            // The far side is handed over by what drives its connection, which is done with that.
            let driven = std::future::poll_fn(|cx| way.connection.poll_drive(cx));
            let (near, far, ()) = tokio::join!(near, far, driven);
            let (near_read, near_write) = tokio::io::split(TokioIo::new(near?));
            let (far_read, far_write) = tokio::io::split(TokioIo::new(far?));
            let up = copy(&session, channel, Side::Client, near_read, far_write);
            let down = copy(&session, channel, Side::Target, far_read, near_write);
            tokio::try_join!(up, down).map(drop)
        };
        let ended: Result<(), Fault> = tokio::select! {
            ended = carried => ended,
            why = session.is_over() => Err(why.into()),
        };
        if let Err(why) = ended {
            tracing::debug!(session = %session.id, %why, "a websocket ended");
        }
        let _ = session.line.tap(&Event::Closed { channel }).await;
        drop((way.stake, way.busy));
    }
}

async fn copy(
    session: &AppSession,
    channel: u32,
    from: Side,
    mut read: impl AsyncRead + Unpin,
    write: impl AsyncWrite,
) -> Result<(), Fault> {
    let mut write: Pin<Box<_>> = Box::pin(write);
    let mut piece = vec![0; PIECE];
    loop {
        let count = read.read(&mut piece).await?;
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else {
            write.shutdown().await?;
            return Ok(());
        };
        body::pass(session, channel, from, bytes).await?;
        write.write_all(bytes).await?;
        write.flush().await?;
    }
}
