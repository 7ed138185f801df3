//! The listener for sessions that outlive their connections (a browser opens many), and the sessions themselves.
//!
//! A connection is carried as long as somebody speaks on it; a session is held beside them, by a task of its own, and
//! its end reaches every connection on which something of it passes.
//!
//! INVARIANT: from the end of a session on nothing of it passes on any connection, however slowly somebody reads (held
//! by `open_streams_are_cut_at_the_end` and `the_end_of_a_session_cuts_what_passes_and_nothing_else`).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_app::SessionEnd;
use wane_connector::broker::{By, Claim, Line, Opened, Refused};
use wane_connector::web::{Entered, Holds, Porch, Shown, Site, Stake, Ticket, Visit};
use wane_domain::ambient::Ambient;
use wane_domain::id::{GrantId, SessionId};
use wane_domain::time::Time;

use crate::line::{Connections, Live, notes};
use crate::pipe::{Tether, tether};
use crate::places::{Limits, Place, Places};
use crate::port::{Port, WebPort};
use crate::serve::watch_over;

/// How long open sessions get to be closed and written down when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What stands on the board in place of a login name where a key opened the session.
const BY_KEY: &str = "key";

/// What holds a session.
type Holding = Pin<Box<dyn Future<Output = String> + Send>>;

/// The gateway of one protocol whose sessions outlive their connections.
pub struct Hall {
    kind: &'static str,
    port: Arc<dyn WebPort>,
    site: Arc<dyn Site>,
    ambient: Ambient,
    limits: Limits,
    places: Arc<Places>,
    sessions: Mutex<HashMap<SessionId, Arc<Held>>>,
    begins: mpsc::UnboundedSender<(Arc<Held>, Holding)>,
    begun: tokio::sync::Mutex<mpsc::UnboundedReceiver<(Arc<Held>, Holding)>>,
}

impl std::fmt::Debug for Hall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hall").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// One session, and the connections on which something of it passes.
struct Held {
    live: Arc<Live>,
    stakes: Mutex<Stakes>,
    /// How many there are.
    many: watch::Sender<usize>,
}

#[derive(Default)]
struct Stakes {
    over: bool,
    next: u64,
    held: HashMap<u64, (Tether, Arc<AtomicBool>)>,
}

impl Held {
    fn stakes(&self) -> MutexGuard<'_, Stakes> {
        self.stakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts connections of this session: those on which an answer passes, or each on which anything does.
    fn cut(&self, all: bool) -> Vec<Tether> {
        let mut stakes = self.stakes();
        stakes.over = true;
        let meant = stakes.held.values().filter(|(_, passing)| all || passing.load(Ordering::SeqCst));
        let cut: Vec<Tether> = meant.map(|(tether, _)| tether.clone()).collect();
        cut.iter().for_each(Tether::cut);
        cut
    }
}

impl Hall {
    /// A gateway to targets of a kind.
    #[must_use]
    pub fn new(
        kind: &'static str,
        port: Arc<dyn WebPort>,
        site: Arc<dyn Site>,
        ambient: Ambient,
        limits: Limits,
    ) -> Arc<Self> {
        let (begins, begun) = mpsc::unbounded_channel();
        let begun = tokio::sync::Mutex::new(begun);
        let places = Places::new(limits);
        Arc::new(Self { kind, port, site, ambient, limits, places, sessions: Mutex::default(), begins, begun })
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Held>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves until told to stop; one connection's trouble is its own, as is one session's.
    pub async fn serve(self: &Arc<Self>, listener: &TcpListener, stop: CancellationToken) {
        let (mut connections, mut sessions) = (JoinSet::new(), JoinSet::new());
        let mut begun = self.begun.lock().await;
        // Beside the sessions, never in their way: whoever is asked may not answer.
        let mut beats = Box::pin(async {
            loop {
                tokio::time::sleep(self.limits.beat).await;
                self.port.beat().await;
            }
        });
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                () = &mut beats => continue,
                Some(done) = connections.join_next(), if !connections.is_empty() => {
                    told(done, "a connection died; the others go on");
                    continue;
                }
                Some(done) = sessions.join_next(), if !sessions.is_empty() => {
                    told(done, "what holds a session died; the others go on");
                    continue;
                }
                Some((held, holding)) = begun.recv() => {
                    let (hall, stop) = (Arc::clone(self), stop.clone());
                    sessions.spawn(async move { hall.hold(&held, holding, &stop).await });
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
            let (hall, stop) = (Arc::clone(self), stop.clone());
            connections.spawn(async move { hall.carry(stream, peer, place, stop).await });
        }
        let drained = async {
            while sessions.join_next().await.is_some() {}
            // One that began in the last moment.
            while let Ok((held, holding)) = begun.try_recv() {
                self.hold(&held, holding, &stop).await;
            }
            while connections.join_next().await.is_some() {}
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("sessions were not all written down as closed; the next start does it");
            sessions.shutdown().await;
            connections.shutdown().await;
        }
    }

    /// One connection. Whatever happens to whoever speaks on it ends here.
    async fn carry(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, mut place: Place, stop: CancellationToken) {
        watch_over(&stream);
        let (pipe, person) = tether(stream);
        let porch = Arc::new(Threshold {
            hall: Arc::clone(&self),
            peer: peer.ip(),
            person: person.clone(),
            known: watch::channel(false).0,
            failed: AtomicU64::new(0),
        });
        let outside: Arc<dyn Porch> = Arc::<Threshold>::clone(&porch);
        let mut serving = Box::pin(AssertUnwindSafe(self.site.serve(pipe, outside)).catch_unwind());
        let mut known = porch.known.subscribe();
        let stranger = tokio::select! {
            _ = known.wait_for(|known| *known) => false,
            _ = &mut serving => true,
            // Whoever has no session is led elsewhere, which takes a moment.
            () = tokio::time::sleep(self.limits.login) => true,
            () = place.crowded_out() => true,
            () = stop.cancelled() => true,
        };
        if stranger {
            if porch.failed.load(Ordering::Relaxed) > 0 {
                place.failed(self.ambient.now());
            }
        } else {
            place.known();
            tokio::select! {
                _ = &mut serving => {}
                () = stop.cancelled() => {
                    // The ends of its sessions reach it; what else it carries is told by hanging up.
                    let _ = tokio::time::timeout(self.limits.goodbye, &mut serving).await;
                }
            }
        }
        person.cut();
        drop(serving);
        person.gone().await;
    }

    /// Holds a session until it is over, cuts what passes of it, and has its end written down.
    async fn hold(&self, held: &Arc<Held>, holding: Holding, stop: &CancellationToken) {
        let mut holding = Box::pin(AssertUnwindSafe(holding).catch_unwind());
        tracing::info!(session = %held.live.session, "a session began");
        let (why, holds) = tokio::select! {
            why = held.live.race() => (why, true),
            why = &mut holding => (why.unwrap_or_else(|_| "something failed here".to_owned()), false),
            () = stop.cancelled() => ("the server stops".to_owned(), true),
        };
        held.live.end(&why);
        let mut cut = held.cut(false);
        if holds {
            // Whoever waits for an answer is told instead.
            let _ = tokio::time::timeout(self.limits.goodbye, &mut holding).await;
        }
        cut.extend(held.cut(true));
        drop(holding);
        self.sessions().remove(&held.live.session);
        let mut many = held.many.subscribe();
        let _ = many.wait_for(|many| *many == 0).await;
        held.live.close(&cut).await;
        tracing::info!(session = %held.live.session, "a session is closed");
    }

    /// Opens the session that somebody was let into.
    async fn enter(&self, ticket: &Ticket, peer: IpAddr, holds: Holds) -> Result<Entered, Refused> {
        let (claim, back) = self.port.ticket(ticket, peer).await?;
        let session = self.open(claim, holds).await?;
        Ok(Entered { session, back })
    }

    async fn open(&self, claim: Claim, holds: Holds) -> Result<SessionId, Refused> {
        let mut begun = self.port.open(&claim, None).await?;
        let notes = notes(&claim.login, claim.peer, &claim.client);
        let (session, pass, kept) = (begun.session, begun.pass.clone(), std::mem::take(&mut begun.kept));
        let port: Arc<dyn Port> = Arc::<dyn WebPort>::clone(&self.port);
        let live = Arc::new(Live::of(begun, notes, self.ambient.clone(), port, Connections::Many));
        let line: Arc<dyn Line> = Arc::<Live>::clone(&live);
        let held = Arc::new(Held { live, stakes: Mutex::default(), many: watch::channel(0).0 });
        // From here on something holds it, whatever becomes of this connection.
        let holding = holds(Opened { session, pass, kept, line });
        self.sessions().insert(session, Arc::clone(&held));
        if let Err(unheard) = self.begins.send((Arc::clone(&held), holding)) {
            drop(unheard);
            self.sessions().remove(&session);
            let proof = "the gateway stopped before the session began".to_owned();
            let recorded = held.live.recorded(&proof).await;
            self.port.closed(session, &SessionEnd { tally: json!({}), proof, recorded, task: None }).await;
            return Err(Refused("the server stops".to_owned()));
        }
        if let Err(refused) = held.live.begun().await {
            held.live.end(&refused.0);
            return Err(refused);
        }
        Ok(session)
    }
}

fn told(done: Result<(), tokio::task::JoinError>, what: &str) {
    if let Err(error) = done {
        tracing::error!(%error, "{what}");
    }
}

/// One connection, as what speaks on it sees the gateway.
struct Threshold {
    hall: Arc<Hall>,
    peer: IpAddr,
    person: Tether,
    /// Whether somebody with a session was seen on it.
    known: watch::Sender<bool>,
    failed: AtomicU64,
}

#[async_trait]
impl Porch for Threshold {
    fn now(&self) -> Time {
        self.hall.ambient.now()
    }

    fn fill(&self, buf: &mut [u8]) {
        self.hall.ambient.fill(buf);
    }

    fn peer(&self) -> IpAddr {
        self.peer
    }

    async fn meant(&self, origin: &str) -> Option<String> {
        self.hall.port.meant(self.hall.kind, origin).await
    }

    async fn visit(&self, visit: Visit) -> Result<String, Refused> {
        self.hall.port.visit(self.hall.kind, &visit, self.peer).await
    }

    async fn enter(&self, ticket: Ticket, holds: Holds) -> Result<Entered, Refused> {
        let entered = self.hall.enter(&ticket, self.peer, holds).await;
        match &entered {
            Ok(_) => drop(self.known.send_replace(true)),
            Err(_) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
        }
        entered
    }

    async fn present(&self, shown: Shown, holds: Holds) -> Result<SessionId, Refused> {
        let claim = Claim {
            grant: shown.grant,
            by: By::Credential { serial: shown.serial, credential: String::new() },
            resource: shown.resource,
            login: BY_KEY.to_owned(),
            public_key: String::new(),
            peer: self.peer,
            client: shown.client,
        };
        let opened = self.hall.open(claim, holds).await;
        if opened.is_err() {
            self.failed();
        }
        opened
    }

    async fn misused(&self, grant: GrantId, serial: u64, why: &str) {
        self.hall.port.misused(grant, serial, why, self.peer).await;
    }

    fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn stake(&self, session: SessionId) -> Option<Arc<dyn Stake>> {
        let held = self.hall.sessions().get(&session).cloned()?;
        let passing = Arc::new(AtomicBool::new(false));
        let number = {
            let mut stakes = held.stakes();
            // Looked at under the lock that the end takes: one of both sees the other.
            if stakes.over {
                return None;
            }
            let number = stakes.next;
            stakes.next += 1;
            stakes.held.insert(number, (self.person.clone(), Arc::clone(&passing)));
            number
        };
        held.many.send_modify(|many| *many += 1);
        self.known.send_replace(true);
        Some(Arc::new(Staked { held, number, passing }))
    }
}

/// Something of a session that passes on a connection.
struct Staked {
    held: Arc<Held>,
    number: u64,
    passing: Arc<AtomicBool>,
}

impl Stake for Staked {
    fn passing(&self) {
        self.passing.store(true, Ordering::SeqCst);
    }
}

impl Drop for Staked {
    fn drop(&mut self) {
        self.held.stakes().held.remove(&self.number);
        self.held.many.send_modify(|many| *many = many.saturating_sub(1));
    }
}
