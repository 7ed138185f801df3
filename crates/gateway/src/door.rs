//! One connection, until somebody has logged in on it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::watch;
use wane_app::{Arriving, SessionEnd};
use wane_connector::broker::{Claim, Door, Invitation, Next, Opened, Refused};
use wane_domain::ambient::Ambient;
use wane_domain::id::ArrivalId;
use wane_domain::time::{Span, Time};

use crate::line::{Live, notes};
use crate::places::{Limits, Place};
use crate::port::Port;

/// How long somebody whose login comes to nothing has to hear why.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often it is looked whether a login that waits has more time: the clock may be moved under it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The door of one connection.
pub(crate) struct Entry {
    peer: IpAddr,
    ambient: Ambient,
    port: Arc<dyn Port>,
    limits: Limits,
    attempts: AtomicU32,
    state: Mutex<State>,
    inside: watch::Sender<Option<Arc<Live>>>,
    /// The login that its person is to confirm.
    arrival: Mutex<Option<ArrivalId>>,
    /// Until when it is waited for; none before somebody was invited.
    until: watch::Sender<Option<Time>>,
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
        let (inside, until) = (watch::channel(None).0, watch::channel(None).0);
        Self { peer, ambient, port, limits, attempts, state, inside, arrival: Mutex::default(), until }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody has logged in.
    pub(crate) async fn entered(&self) -> Arc<Live> {
        let mut inside = self.inside.subscribe();
        let entered = inside.wait_for(Option::is_some).await.map(|live| live.clone());
        match entered {
            Ok(Some(live)) => live,
            // The sender is ours, and sends nothing else.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Waits until the time to log in is over. Somebody who is invited to confirm their login takes no
    /// stranger's place from then on, and has the time that whoever invited them gave them.
    pub(crate) async fn outstays(&self, place: &mut Place) {
        let mut arrived = self.until.subscribe();
        let login = tokio::time::timeout(self.limits.login, arrived.wait_for(Option::is_some)).await.is_ok();
        if !login {
            return;
        }
        place.known();
        loop {
            let left = self.time_left();
            if left > Span::ZERO {
                tokio::time::sleep(left.to_std().min(LOOK_AGAIN)).await;
                continue;
            }
            // Whoever invited them knows what to say when the time is over, and gets to say it.
            tokio::time::sleep(FAREWELL).await;
            if self.time_left() == Span::ZERO {
                return;
            }
        }
    }

    fn time_left(&self) -> Span {
        let until = *self.until.borrow();
        until.unwrap_or(Time::from_micros(0)).since(self.ambient.now())
    }

    /// Gives up the login that waits to be confirmed, if there is one.
    pub(crate) async fn give_up(&self) {
        let arrival = self.arrival.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(arrival) = arrival {
            self.port.left(arrival).await;
        }
    }

    fn arrived(&self) -> Option<ArrivalId> {
        *self.arrival.lock().unwrap_or_else(PoisonError::into_inner)
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
        let live = Arc::new(Live::new(begun, notes, self.ambient.clone(), Arc::clone(&self.port)));
        let shut = {
            let state = self.state();
            self.inside.send_replace(Some(Arc::clone(&live)));
            *state == State::Shut
        };
        if shut {
            // Whoever carried the connection has gone, and does not close this.
            let proof = "the connection was over before the session began";
            let recorded = live.recorded(proof).await;
            let end = SessionEnd { tally: json!({}), proof: proof.to_owned(), recorded, task: None };
            self.port.closed(session, &end).await;
            return Err(Refused("the connection is over".to_owned()));
        }
        Ok(Opened { session, pass, line: live })
    }

    async fn arrive(&self, resource: &str, login: &str, client: &str) -> Result<Invitation, Refused> {
        self.give_up().await;
        if *self.state() != State::Waiting {
            return Err(Refused("one connection is one session".to_owned()));
        }
        let (resource, login, client) = (resource.to_owned(), login.to_owned(), client.to_owned());
        let (arrival, invitation) = self.port.arrive(Arriving { resource, login, peer: self.peer, client }).await?;
        *self.arrival.lock().unwrap_or_else(PoisonError::into_inner) = Some(arrival);
        self.until.send_replace(Some(invitation.until));
        if *self.state() == State::Shut {
            // Whoever carried the connection has gone, and does not give this up.
            self.give_up().await;
        }
        Ok(invitation)
    }

    async fn next(&self, answer: Option<String>) -> Result<Next, Refused> {
        let arrival = self.arrived().ok_or_else(|| Refused("this login is over".to_owned()))?;
        match self.port.next(arrival, answer.as_deref()).await {
            Ok((next, until)) => {
                self.until.send_replace(Some(until));
                Ok(next)
            }
            Err(refused) => {
                self.give_up().await;
                // They are told why, and then that is that.
                self.until.send_replace(Some(self.ambient.now()));
                Err(refused)
            }
        }
    }

    async fn leave(&self) {
        self.give_up().await;
    }
}
