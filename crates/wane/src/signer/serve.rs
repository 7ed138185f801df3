//! A signer's side of its lines: who may speak, how much at once, one reply to each call.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use wane_failpoint::{around, point};
use wane_keys::desk::Desk;
use wane_keys::desk::frame::THE_LINE;
use wane_keys::desk::message::{Refusal, Reply};
use wane_runtime::CancellationToken;

use super::line;

/// Lines at once; a server has one, and one more while it restarts.
const MOST_LINES: usize = 8;
/// Calls of one line that are worked on at once; what is said beyond that waits in the socket.
const AT_ONCE: usize = 64;
/// How long calls get to be answered at shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Who answers, and whom.
pub(super) struct Service {
    pub(super) desk: Arc<Desk>,
    /// The user id the server runs as.
    pub(super) server: u32,
}

impl Service {
    /// Answers until told to stop; one line's trouble is its own.
    pub(super) async fn serve(self: &Arc<Self>, listener: &UnixListener, stop: CancellationToken) {
        let mut lines = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = lines.join_next(), if !lines.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if lines.len() < MOST_LINES => {
                    let (service, stop) = (Arc::clone(self), stop.clone());
                    lines.spawn(async move { service.speak(stream, stop).await });
                }
                Ok(_) => tracing::warn!("more lines than a server needs; one was dropped"),
                Err(error) => {
                    tracing::warn!(%error, "a line could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        let drained = async { while lines.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            lines.shutdown().await;
        }
    }

    async fn speak(self: Arc<Self>, mut stream: UnixStream, stop: CancellationToken) {
        let uid = stream.peer_cred().map(|peer| peer.uid());
        // INVARIANT: nobody is answered but the server (held by `nobody_but_the_server_is_answered`).
        if !uid.as_ref().is_ok_and(|uid| *uid == self.server) {
            tracing::warn!(?uid, server = self.server, "somebody who is not the server was sent away");
            let why = format!(
                "it speaks to user id {} only; set `signer.server_user` to the user the server runs as, and restart it",
                self.server
            );
            let _ = line::write(&mut stream, THE_LINE, Duration::ZERO, &refusal(why)).await;
            return;
        }
        tracing::info!("the server is there");
        let (from, mut to) = stream.into_split();
        let (replies, mut ready) = mpsc::channel::<(u64, Vec<u8>)>(AT_ONCE);
        let answering = async move {
            while let Some((id, reply)) = ready.recv().await {
                let written = line::write(&mut to, id, Duration::ZERO, &reply);
                around(point!("signer.reply"), written).await?;
            }
            Ok::<(), line::LineError>(())
        };
        match tokio::join!(answering, self.hear(from, replies, stop)).0 {
            Ok(()) => tracing::info!("the server is gone"),
            Err(error) => tracing::warn!(%error, "a line broke"),
        }
    }

    /// Takes calls in until the line is over, and has each answered.
    async fn hear(&self, mut from: OwnedReadHalf, replies: mpsc::Sender<(u64, Vec<u8>)>, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut work = JoinSet::new();
        loop {
            while work.try_join_next().is_some() {}
            let heard = tokio::select! {
                () = stop.cancelled() => break,
                () = replies.closed() => break,
                heard = line::read(&mut from) => heard,
            };
            let (head, body) = match heard {
                Ok(heard) => heard,
                Err(line::LineError::Closed) => break,
                Err(error) => {
                    // What follows cannot be told from what was to be skipped.
                    let _ = replies.send((THE_LINE, refusal(error.to_string()))).await;
                    break;
                }
            };
            let within = Duration::from_millis(head.within_ms.into());
            let Ok(Ok(place)) = tokio::time::timeout(within, Arc::clone(&places).acquire_owned()).await else {
                let _ = replies.send((head.id, refusal("there was no time left for it".to_owned()))).await;
                continue;
            };
            let (desk, replies) = (Arc::clone(&self.desk), replies.clone());
            work.spawn(async move {
                let reply = tokio::task::spawn_blocking(move || desk.answer(&body)).await;
                let reply = reply.unwrap_or_else(|error| refusal(format!("it failed over it: {error}")));
                let _ = replies.send((head.id, reply)).await;
                drop(place);
            });
        }
        while work.join_next().await.is_some() {}
    }
}

fn refusal(why: String) -> Vec<u8> {
    serde_json::to_vec(&Reply::Refused(Refusal::Unheard(why))).unwrap_or_default()
}
