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
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use futures::FutureExt as _;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_app::SessionEnd;
use wane_connector::broker::{By, Claim, Line, Opened, Refused};
use wane_connector::web::{Entered, Holds, Introduced, Means, Porch, Shown, Site, Stake, Ticket, Uninvited, Visit};
use wane_domain::ambient::Ambient;
use wane_domain::id::{GrantId, SessionId};
use wane_domain::time::Time;

use crate::line::{Connections, Live, notes};
use crate::listen::{accept, drained, rounds};
use crate::pipe::{Tether, tether};
use crate::places::{Limits, Place, Places};
use crate::port::{Port, WebPort};

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
    held: HashMap<u64, Staked>,
}

impl Held {
    fn stakes(&self) -> MutexGuard<'_, Stakes> {
        self.stakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts connections of this session: those on which an answer passes, or each on which anything does.
    fn cut(&self, all: bool) -> Vec<Tether> {
        let mut stakes = self.stakes();
        stakes.over = true;
        let meant = stakes.held.values().filter(|staked| all || staked.passing.load(Ordering::SeqCst));
        let cut = meant.map(|staked| {
            staked.person.cut();
            // Whoever speaks there may not notice by themselves.
            staked.over.cancel();
            staked.person.clone()
        });
        cut.collect()
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
        let port: &dyn Port = &*self.port;
        let mut rounds = Box::pin(rounds(port, self.limits.beat));
        loop {
            let (stream, peer) = tokio::select! {
                () = stop.cancelled() => break,
                never = &mut rounds => match never {},
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
                accepted = accept(listener) => accepted,
            };
            let Some(place) = self.places.take(peer.ip(), self.ambient.now()) else {
                tracing::debug!(%peer, "too many connections; one was dropped");
                continue;
            };
            let (hall, stop) = (Arc::clone(self), stop.clone());
            connections.spawn(async move { hall.carry(stream, peer, place, stop).await });
        }
        let all = async {
            while sessions.join_next().await.is_some() {}
            // One that began in the last moment.
            while let Ok((held, holding)) = begun.try_recv() {
                self.hold(&held, holding, &stop).await;
            }
            while connections.join_next().await.is_some() {}
        };
        if !drained(all).await {
            sessions.shutdown().await;
            connections.shutdown().await;
        }
    }

    /// One connection. Whatever happens to whoever speaks on it ends here.
    async fn carry(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, mut place: Place, stop: CancellationToken) {
        let (pipe, person) = tether(stream);
        let porch = Arc::new(Threshold {
            hall: Arc::clone(&self),
            peer: peer.ip(),
            person: person.clone(),
            over: CancellationToken::new(),
            known: watch::channel(false).0,
            failed: AtomicU64::new(0),
            certificate: OnceLock::new(),
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
                () = porch.over.cancelled() => {}
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
    /// It is cut.
    over: CancellationToken,
    /// Whether somebody with a session was seen on it.
    known: watch::Sender<bool>,
    failed: AtomicU64,
    /// What the other side showed in TLS.
    certificate: OnceLock<Arc<[u8]>>,
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

    async fn introduce(&self, who: Introduced, holds: Holds) -> Result<SessionId, Uninvited> {
        let opened = match self.hall.port.introduced(&who, self.peer).await {
            Ok(claim) => self.hall.open(claim, holds).await.map_err(Uninvited::Access),
            Err(uninvited) => Err(uninvited),
        };
        if opened.is_err() {
            self.failed();
        }
        opened
    }

    async fn vouch(&self, origin: &str, means: Means) -> Result<(), Refused> {
        let good = self.hall.port.vouch(origin, &means, self.peer).await;
        if good.is_err() {
            self.failed();
        }
        good
    }

    fn showed(&self, certificate: &[u8]) {
        // The first counts: there is one handshake on a connection.
        let _ = self.certificate.set(certificate.into());
    }

    fn certificate(&self) -> Option<Arc<[u8]>> {
        self.certificate.get().cloned()
    }

    async fn is_over(&self, grant: GrantId) -> bool {
        self.hall.port.is_over(grant).await
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
            let (person, over) = (self.person.clone(), self.over.clone());
            stakes.held.insert(number, Staked { person, over, passing: Arc::clone(&passing) });
            number
        };
        held.many.send_modify(|many| *many += 1);
        self.known.send_replace(true);
        Some(Arc::new(HeldStake { held, number, passing }))
    }
}

/// A connection on which something of a session passes.
struct Staked {
    person: Tether,
    over: CancellationToken,
    passing: Arc<AtomicBool>,
}

/// Something of a session that passes on a connection.
struct HeldStake {
    held: Arc<Held>,
    number: u64,
    passing: Arc<AtomicBool>,
}

impl Stake for HeldStake {
    fn passing(&self) {
        self.passing.store(true, Ordering::SeqCst);
    }
}

impl Drop for HeldStake {
    fn drop(&mut self) {
        self.held.stakes().held.remove(&self.number);
        self.held.many.send_modify(|many| *many = many.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use wane_app::Standing;
    use wane_connector::broker::Pipe;
    use wane_domain::id::TypedId as _;
    use wane_domain::time::Span;
    use wane_recording::{Event, Side};
    use wane_testkit::FakeClock;

    use super::*;
    use crate::serve::tests::Open;

    const NOW: Time = Time::from_micros(1_795_255_200_000_000);

    #[async_trait]
    impl WebPort for Open {
        async fn meant(&self, _: &'static str, _: &str) -> Option<String> {
            None
        }
        async fn visit(&self, _: &'static str, _: &Visit, _: IpAddr) -> Result<String, Refused> {
            Err(Refused("nobody is sent anywhere".to_owned()))
        }
        async fn ticket(&self, ticket: &Ticket, peer: IpAddr) -> Result<(Claim, String), Refused> {
            let claim = Claim {
                grant: GrantId::mint(NOW, &[7; 10]),
                by: By::Credential { serial: 1, credential: String::new() },
                resource: String::new(),
                login: String::new(),
                public_key: String::new(),
                peer,
                client: ticket.client.clone(),
            };
            Ok((claim, "/".to_owned()))
        }
        async fn introduced(&self, _: &Introduced, _: IpAddr) -> Result<Claim, Uninvited> {
            Err(Uninvited::Credential)
        }
        async fn vouch(&self, _: &str, _: &Means, _: IpAddr) -> Result<(), Refused> {
            Err(Refused("nobody is known".to_owned()))
        }
        async fn is_over(&self, _: GrantId) -> bool {
            false
        }
        async fn misused(&self, _: GrantId, _: u64, _: &str, _: IpAddr) {}
    }

    /// Says back what it hears (`e`), begins the one session (`b`), has it pass something without end (`p`).
    #[derive(Default)]
    struct Echo(Arc<OnceLock<(SessionId, Arc<dyn Line>)>>);

    #[async_trait]
    impl Site for Echo {
        async fn serve(&self, mut pipe: Pipe, porch: Arc<dyn Porch>) {
            let mut word = [0; 1];
            while pipe.read_exact(&mut word).await.is_ok() {
                match &word {
                    b"b" => {
                        let held = Arc::clone(&self.0);
                        let holds: Holds = Box::new(move |opened: Opened| {
                            let _ = held.set((opened.session, opened.line));
                            Box::pin(std::future::pending())
                        });
                        let ticket = Ticket {
                            code: String::new(),
                            origin: String::new(),
                            mark: String::new(),
                            client: String::new(),
                        };
                        porch.enter(ticket, holds).await.unwrap();
                    }
                    b"p" => {
                        let (session, line) = self.0.get().unwrap();
                        let Some(stake) = porch.stake(*session) else { return drop(pipe.write_all(b"!").await) };
                        stake.passing();
                        let event = Event::Data { channel: 0, from: Side::Target, bytes: b"x".into() };
                        while line.tap(&event).await.is_ok() && pipe.write_all(b"x").await.is_ok() {}
                        // Whoever speaks forgets to stop.
                        let _ = pipe.write_all(b"after").await;
                        std::future::pending::<()>().await;
                    }
                    _ => {}
                }
                if pipe.write_all(&word).await.is_err() {
                    return;
                }
            }
        }
    }

    #[tokio::test]
    async fn the_end_of_a_session_cuts_what_passes_and_nothing_else() {
        let (told, _) = watch::channel(Standing::Until(NOW.plus(Span::from_hours(1))));
        let (gone, mut are_gone) = mpsc::unbounded_channel();
        let port = Arc::new(Open { opened: 0.into(), told, gone, beats: tokio::sync::Notify::new() });
        let clock = FakeClock::at(NOW);
        let hall = Hall::new(
            "kind",
            Arc::<Open>::clone(&port),
            Arc::new(Echo::default()),
            clock.ambient(1),
            Limits::default(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let test = async {
            let (mut first, mut second) =
                (TcpStream::connect(at).await.unwrap(), TcpStream::connect(at).await.unwrap());
            let mut heard = [0; 1];
            first.write_all(b"b").await.unwrap();
            first.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"b");
            // Never read: whatever is written waits in the system.
            second.write_all(b"p").await.unwrap();
            second.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"x");
            port.told.send_replace(Standing::Over("it is over".to_owned()));
            assert!(are_gone.recv().await.is_some(), "it is written down as closed");
            let mut rest = Vec::new();
            let ended = second.read_to_end(&mut rest).await;
            assert!(ended.is_err() && !rest.ends_with(b"after"), "cut with a reset, and nothing after it: {ended:?}");
            // The other carries nothing of it, and goes on; of the session nothing begins any more.
            first.write_all(b"e").await.unwrap();
            first.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"e");
            first.write_all(b"p").await.unwrap();
            first.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"!");
            stop.cancel();
        };
        tokio::join!(test, hall.serve(&listener, stop.clone()));
    }
}
