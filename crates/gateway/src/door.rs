//! One connection, until somebody has logged in on it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::watch;
use wane_app::SessionEnd;
use wane_connector::broker::{Claim, Door, Opened, Refused};
use wane_domain::ambient::Ambient;
use wane_domain::time::Time;

use crate::line::{Live, notes};
use crate::places::Limits;
use crate::port::Port;

/// The door of one connection.
pub(crate) struct Entry {
    peer: IpAddr,
    ambient: Ambient,
    port: Arc<dyn Port>,
    limits: Limits,
    attempts: AtomicU32,
    state: Mutex<State>,
    inside: watch::Sender<Option<Arc<Live>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody logged in.
    Waiting,
    /// Somebody is about to, or has.
    Taken,
    /// The connection is over.
    Shut,
}

impl Entry {
    pub(crate) fn new(peer: IpAddr, ambient: Ambient, port: Arc<dyn Port>, limits: Limits) -> Self {
        let (attempts, state) = (AtomicU32::new(0), Mutex::new(State::Waiting));
        Self { peer, ambient, port, limits, attempts, state, inside: watch::channel(None).0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody has logged in.
    pub(crate) async fn entered(&self) -> Arc<Live> {
        let mut inside = self.inside.subscribe();
        loop {
            let seen = inside.borrow_and_update().clone();
            if let Some(live) = seen {
                return live;
            }
            if inside.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The connection is over: nobody logs in on it any more. Whose session it carries, if anybody's.
    pub(crate) fn shut(&self) -> Option<Arc<Live>> {
        *self.state() = State::Shut;
        self.inside.borrow().clone()
    }
}

#[async_trait]
impl Door for Entry {
    fn now(&self) -> Time {
        self.ambient.now()
    }

    fn fill(&self, buf: &mut [u8]) {
        self.ambient.fill(buf);
    }

    fn peer(&self) -> IpAddr {
        self.peer
    }

    fn attempt(&self) -> Result<(), Refused> {
        if self.attempts.fetch_add(1, Ordering::Relaxed) >= self.limits.attempts {
            return Err(Refused("there were too many attempts".to_owned()));
        }
        Ok(())
    }

    async fn open(&self, claim: Claim) -> Result<Opened, Refused> {
        {
            let mut state = self.state();
            if *state != State::Waiting {
                return Err(Refused("one connection is one session".to_owned()));
            }
            *state = State::Taken;
        }
        let begun = match self.port.open(&claim).await {
            Ok(begun) => begun,
            Err(refused) => {
                let mut state = self.state();
                if *state == State::Taken {
                    *state = State::Waiting;
                }
                return Err(refused);
            }
        };
        let notes = notes(&claim.login, claim.peer, &claim.client);
        let (session, pass) = (begun.session, begun.pass.clone());
        let live = Arc::new(Live::new(begun, notes, self.ambient.clone(), Arc::clone(&self.port), self.limits));
        let shut = {
            let state = self.state();
            self.inside.send_replace(Some(Arc::clone(&live)));
            *state == State::Shut
        };
        if shut {
            // Whoever carried the connection has gone, and does not close this.
            let proof = "the connection was over before the session began";
            let recorded = live.recorded(proof).await;
            let end = SessionEnd { tally: json!({}), proof: proof.to_owned(), recorded };
            self.port.closed(session, &end).await;
            return Err(Refused("the connection is over".to_owned()));
        }
        Ok(Opened { session, pass, line: live })
    }
}
