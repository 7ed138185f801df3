//! Connections inside another: each is held like one from outside, with a session, a race and an end of its own.
//!
//! INVARIANT: what is inside a connection ends with it, and takes nobody else's session along when it ends before
//! (held by `an_end_inside_a_connection_is_its_own`).

use std::any::Any;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Gateway;
use crate::door::{Entered, Entry, Nest, Whence};
use crate::line::Live;
use crate::pipe::tether_inside;

/// What is inside one connection.
#[derive(Default)]
pub(crate) struct Inside {
    tasks: JoinSet<()>,
    over: CancellationToken,
}

impl Inside {
    /// The connection is over: so is all that is inside. Returns when all of it is closed and written down.
    pub(crate) async fn end(mut self) {
        self.over.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// What came of speaking on a connection.
type Served = Result<(), Box<dyn Any + Send>>;

impl Gateway {
    /// Carries what is inside a connection, as long as there is something to carry or there might soon be.
    pub(crate) async fn have_inside(
        self: &Arc<Self>,
        peer: IpAddr,
        inside: &mut Inside,
        nests: &mut mpsc::UnboundedReceiver<Nest>,
        serving: &mut (impl Future<Output = Served> + Unpin),
        stop: &CancellationToken,
    ) {
        let mut idle = Box::pin(tokio::time::sleep(self.limits.idle));
        loop {
            let empty = inside.tasks.is_empty();
            tokio::select! {
                _ = &mut *serving => return,
                Some(nest) = nests.recv() => {
                    let (gateway, over, stop) = (Arc::clone(self), inside.over.clone(), stop.clone());
                    inside.tasks.spawn(async move { gateway.carry_inside(peer, nest, &over, &stop).await });
                }
                Some(done) = inside.tasks.join_next(), if !empty => {
                    if let Err(error) = done {
                        tracing::error!(%error, "a connection inside another died; the others go on");
                    }
                    idle.set(tokio::time::sleep(self.limits.idle));
                }
                () = &mut idle, if empty => return,
                () = stop.cancelled() => {
                    // Those inside are told before what carries them is cut.
                    let told = async { while inside.tasks.join_next().await.is_some() {} };
                    tokio::select! {
                        _ = &mut *serving => {}
                        _ = tokio::time::timeout(self.limits.goodbye, told) => {}
                    }
                    return;
                }
            }
        }
    }

    /// One of them.
    async fn carry_inside(&self, peer: IpAddr, nest: Nest, over: &CancellationToken, stop: &CancellationToken) {
        let Nest { pipe, speaks, within, counted } = nest;
        let (entry, _nothing) = self.entry((peer, Whence::Network), Some(within));
        let (pipe, person) = tether_inside(pipe);
        let door: Arc<Entry> = Arc::clone(&entry);
        let mut serving = Box::pin(AssertUnwindSafe(speaks(pipe, door)).catch_unwind());
        let entered = tokio::select! {
            entered = entry.entered() => Some(entered),
            _ = &mut serving => None,
            () = entry.outstays(|| ()) => None,
            () = over.cancelled() => None,
            () = stop.cancelled() => None,
        };
        if let Some(Entered::Session(live)) = &entered {
            tokio::select! {
                () = self.hold(live, peer, &mut serving, stop) => {}
                () = over.cancelled() => {}
            }
        }
        person.cut();
        drop(serving);
        let carried = entry.shut();
        entry.give_up().await;
        match carried {
            Some(Entered::Session(live)) => {
                live.close(&[person]).await;
                tracing::info!(session = %live.session, "a session is closed");
            }
            Some(Entered::Passage(_)) | None => person.gone().await,
        }
        drop(counted);
    }

    /// Holds a session until it is over, or nobody speaks for it any more.
    pub(crate) async fn hold(
        &self,
        live: &Live,
        peer: IpAddr,
        serving: &mut (impl Future<Output = Served> + Unpin),
        stop: &CancellationToken,
    ) {
        tracing::info!(session = %live.session, %peer, "a session began");
        let why = tokio::select! {
            why = live.race() => Some(why),
            served = &mut *serving => {
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
            let _ = tokio::time::timeout(self.limits.goodbye, serving).await;
        }
    }
}
