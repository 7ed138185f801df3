//! The listener, and one connection from accept to close.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_connector::broker::{Front, Pipe};
use wane_connector::terminal::Lobby;
use wane_domain::ambient::Ambient;
use wane_domain::id::ArrivalId;

use crate::door::{Entered, Entry, Nest, Whence};
use crate::inside::Inside;
use crate::listen::{accept, drained, rounds};
use crate::lobby::{Comes, Desk};
use crate::pipe::{Tether, tether, tether_inside};
use crate::places::{Limits, Place, Places};
use crate::port::Port;

/// How often the gateway's identity is made anew; it is certified for much longer.
const RENEW: Duration = Duration::from_secs(6 * 3600);
/// How soon that is tried again when it failed.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

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
    pub(crate) limits: Limits,
    places: Arc<Places>,
    desk: Desk,
}

/// A connection, and the end of it that stays in the gateway's hand.
struct Held {
    pipe: Pipe,
    person: Tether,
    peer: IpAddr,
    whence: Whence,
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
        Ok(Arc::new(Self { port, fronts, front, ambient, limits, places: Places::new(limits), desk: Desk::new() }))
    }

    /// Where people come in besides, for as long as this is served.
    #[must_use]
    pub fn lobby(&self) -> Arc<dyn Lobby> {
        self.desk.door()
    }

    /// Serves until told to stop; one connection's trouble is its own.
    pub async fn serve(self: &Arc<Self>, listener: &TcpListener, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        let mut pages = self.desk.comes();
        let mut renew = Box::pin(tokio::time::sleep(RENEW));
        let mut rounds = Box::pin(rounds(&*self.port, self.limits.beat));
        loop {
            let (stream, peer) = tokio::select! {
                () = stop.cancelled() => break,
                never = &mut rounds => match never {},
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
                Some(Comes { pipe, peer }) = pages.recv() => {
                    let (pipe, person) = tether_inside(pipe);
                    self.begin(&mut connections, Held { pipe, person, peer, whence: Whence::Page }, &stop);
                    continue;
                }
                accepted = accept(listener) => accepted,
            };
            let (pipe, person) = tether(stream);
            let held = Held { pipe, person, peer: peer.ip(), whence: Whence::Network };
            self.begin(&mut connections, held, &stop);
        }
        if !drained(async { while connections.join_next().await.is_some() {} }).await {
            connections.shutdown().await;
        }
    }

    /// Has one more connection carried, if there is a place for it.
    fn begin(self: &Arc<Self>, connections: &mut JoinSet<()>, held: Held, stop: &CancellationToken) {
        let Some(place) = self.places.take(held.peer, self.ambient.now()) else {
            tracing::debug!(peer = %held.peer, "too many connections; one was dropped");
            return;
        };
        let (gateway, stop) = (Arc::clone(self), stop.clone());
        connections.spawn(async move { gateway.carry(held, place, stop).await });
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
    async fn carry(self: &Arc<Self>, held: Held, mut place: Place, stop: CancellationToken) {
        let Held { pipe, person, peer, whence } = held;
        let front = Arc::clone(&self.front.lock().unwrap_or_else(PoisonError::into_inner));
        let (entry, mut nests) = self.entry((peer, whence), None);
        let door: Arc<Entry> = Arc::clone(&entry);
        let mut serving = Box::pin(AssertUnwindSafe(front.serve(pipe, door)).catch_unwind());
        let crowded_out = place.crowded_out();
        let entered = tokio::select! {
            entered = entry.entered() => Some(entered),
            _ = &mut serving => None,
            () = entry.outstays(|| place.known()) => None,
            () = crowded_out => None,
            () = stop.cancelled() => None,
        };
        let mut inside = Inside::default();
        match &entered {
            Some(Entered::Session(live)) => {
                place.known();
                self.hold(live, peer, &mut serving, &stop).await;
            }
            Some(Entered::Passage(passage)) => {
                place.known();
                tracing::info!(%passage, %peer, "a connection has sessions inside");
                self.have_inside(peer, &mut inside, &mut nests, &mut serving, &stop).await;
            }
            None => place.failed(self.ambient.now()),
        }
        person.cut();
        drop(serving);
        let carried = entry.shut();
        entry.give_up().await;
        inside.end().await;
        match carried {
            Some(Entered::Session(live)) => {
                live.close(&[person]).await;
                tracing::info!(session = %live.session, "a session is closed");
            }
            Some(Entered::Passage(passage)) => {
                person.gone().await;
                self.port.passed(passage).await;
            }
            None => person.gone().await,
        }
    }

    /// The door of a connection.
    pub(crate) fn entry(
        &self,
        from: (IpAddr, Whence),
        within: Option<ArrivalId>,
    ) -> (Arc<Entry>, mpsc::UnboundedReceiver<Nest>) {
        Entry::new(from, self.ambient.clone(), Arc::clone(&self.port), self.limits, within)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::Value;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpStream;
    use tokio::sync::watch;
    use wane_app::{Arriving, SessionEnd, SessionFinding, SessionOpened, Standing};
    use wane_connector::broker::{By, Claim, Door, Inside as Reached, Invitation, Next, Pipe, Proof, Refused, Unspent};
    use wane_domain::id::{ArrivalId, GrantId, PersonId, SessionId, TypedId as _};
    use wane_domain::time::Time;
    use wane_testkit::FakeClock;

    use super::*;

    const NOW: Time = Time::from_micros(1_795_255_200_000_000);

    /// Lets everybody in, and tells who is gone.
    pub(crate) struct Open {
        pub(crate) opened: AtomicU32,
        pub(crate) told: watch::Sender<Standing>,
        pub(crate) gone: mpsc::UnboundedSender<SessionId>,
        pub(crate) beats: tokio::sync::Notify,
    }

    #[async_trait]
    impl Port for Open {
        async fn open(&self, _: &Claim, _: Option<ArrivalId>) -> Result<SessionOpened, Refused> {
            let number = self.opened.fetch_add(1, Ordering::Relaxed).to_le_bytes();
            let session = SessionId::mint(NOW, &[number[0], 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            let (end, pass, told) =
                (NOW.plus(wane_domain::time::Span::from_hours(1)), Value::Null, self.told.subscribe());
            Ok(SessionOpened {
                session,
                end,
                pass,
                told,
                proof: watch::channel(None).1,
                meter: Arc::default(),
                company: Arc::default(),
                roll: None,
                began: NOW,
                again: "deploy@web-1 --for 1h".to_owned(),
                rules: Vec::new(),
                kept: wane_connector::broker::Kept::default(),
            })
        }
        async fn begun(&self, _: SessionId, _: &Value) -> Result<(), Refused> {
            Ok(())
        }
        async fn spend(&self, _: SessionId, _: &[u8]) -> Result<(), Refused> {
            Ok(())
        }
        async fn finding(&self, _: SessionId, _: &SessionFinding) -> bool {
            true
        }
        async fn spend_use(&self, _: SessionId, _: &[(String, u64)]) -> Result<(), Unspent> {
            Ok(())
        }
        async fn proofs(&self) {
            std::future::pending().await
        }
        async fn beat(&self) {
            self.beats.notify_one();
            std::future::pending().await
        }
        async fn closed(&self, session: SessionId, _: &SessionEnd) -> bool {
            self.gone.send(session).is_ok()
        }
        async fn arrive(&self, _: Arriving) -> Result<(ArrivalId, Invitation), Refused> {
            Err(Refused("nobody is invited".to_owned()))
        }
        async fn next(&self, _: ArrivalId, _: Option<&str>) -> Result<(Next, Time), Refused> {
            Err(Refused("nobody is invited".to_owned()))
        }
        async fn left(&self, _: ArrivalId) {}
        async fn admit(&self, _: &Proof, _: IpAddr, _: &str) -> Result<ArrivalId, Refused> {
            Err(Refused("nobody is let through".to_owned()))
        }
        async fn inside(&self, _: ArrivalId, _: &str, _: u16, _: &str) -> Result<Reached, Refused> {
            Err(Refused("nothing is inside".to_owned()))
        }
        async fn passed(&self, _: ArrivalId) {}
        async fn guest_left(&self, _: SessionId, _: PersonId, _: u64) {}
        async fn known(&self, _: ArrivalId, _: Arriving) -> Result<ArrivalId, Refused> {
            Err(Refused("nobody is known".to_owned()))
        }
    }

    /// Logs everybody in; every second time it dies of it.
    struct Mortal(AtomicU32);

    #[async_trait]
    impl Front for Mortal {
        async fn serve(&self, mut pipe: Pipe, door: Arc<dyn Door>) {
            let word = String::new;
            let claim = Claim {
                grant: GrantId::mint(NOW, &[7; 10]),
                resource: word(),
                login: word(),
                by: By::Credential { serial: 1, credential: word() },
                public_key: word(),
                peer: door.peer(),
                client: word(),
            };
            let _opened = door.open(claim).await.unwrap();
            // Whoever carries the connection knows of the session before anything else happens.
            tokio::task::yield_now().await;
            assert!(self.0.fetch_add(1, Ordering::Relaxed) % 2 == 1, "this one dies");
            let _ = tokio::io::AsyncWriteExt::write_all(&mut pipe, b"alive").await;
        }
    }

    #[async_trait]
    impl Fronts for Arc<Mortal> {
        async fn front(&self) -> Result<Arc<dyn Front>, String> {
            let front: Arc<dyn Front> = Arc::clone(self) as Arc<dyn Front>;
            Ok(front)
        }
    }

    /// It is counted, opened and closed as if it had come over the network; only nobody is invited on it.
    #[tokio::test]
    async fn who_comes_from_a_page_is_held_like_anybody_else() {
        let (gone, mut said) = mpsc::unbounded_channel();
        let told = watch::channel(Standing::Until(NOW.plus(wane_domain::time::Span::from_hours(1)))).0;
        let port = Arc::new(Open { opened: AtomicU32::new(0), told, gone, beats: tokio::sync::Notify::new() });
        let fronts = Arc::new(Arc::new(Mortal(AtomicU32::new(1))));
        let clock = FakeClock::at(NOW);
        let limits = Limits { beat: Duration::from_secs(60), connections: 1, ..Limits::default() };
        let asked: Arc<dyn Port> = Arc::clone(&port) as Arc<dyn Port>;
        let gateway = Gateway::new(asked, fronts, clock.ambient(1), limits).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (lobby, peer) = (gateway.lobby(), IpAddr::from([192, 0, 2, 1]));
        let stop = CancellationToken::new();
        let visits = async {
            let (mut near, far) = tokio::io::duplex(64);
            lobby.take_in(Box::new(far), peer).await.unwrap();
            let mut heard = String::new();
            near.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, "alive");
            said.recv().await.unwrap();
            assert_eq!(port.opened.load(Ordering::Relaxed), 1);

            assert!(!gateway.entry((peer, Whence::Page), None).0.invites());
            assert!(gateway.entry((peer, Whence::Network), None).0.invites());

            // Somebody else has the one place there is, once it is free.
            let place = loop {
                if let Some(place) = gateway.places.take(peer, NOW) {
                    break place;
                }
                tokio::task::yield_now().await;
            };
            let (mut crowded, far) = tokio::io::duplex(64);
            lobby.take_in(Box::new(far), peer).await.unwrap();
            assert_eq!(crowded.read(&mut [0; 1]).await.unwrap(), 0, "there is no room for it");
            assert_eq!(port.opened.load(Ordering::Relaxed), 1);
            drop(place);
            stop.cancel();
        };
        let serves = async { tokio::join!(gateway.serve(&listener, stop.clone()), visits) };
        tokio::time::timeout(Duration::from_secs(60), serves).await.expect("it hangs");
        let (_near, far) = tokio::io::duplex(64);
        assert!(lobby.take_in(Box::new(far), peer).await.is_err(), "nobody serves any more");
    }

    /// Its connection is closed, its session is said to be gone, and whoever comes next is served.
    #[tokio::test]
    async fn what_dies_takes_its_own_session_with_it_and_no_other() {
        let (gone, mut said) = mpsc::unbounded_channel();
        let told = watch::channel(Standing::Until(NOW.plus(wane_domain::time::Span::from_hours(1)))).0;
        let port = Arc::new(Open { opened: AtomicU32::new(0), told, gone, beats: tokio::sync::Notify::new() });
        let fronts = Arc::new(Arc::new(Mortal(AtomicU32::new(0))));
        let clock = FakeClock::at(NOW);
        let limits = Limits { beat: Duration::from_millis(1), ..Limits::default() };
        let asked: Arc<dyn Port> = Arc::clone(&port) as Arc<dyn Port>;
        let gateway = Gateway::new(asked, fronts, clock.ambient(1), limits).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let visits = async {
            // Whoever is asked where sessions stand never answers, and holds nobody up.
            port.beats.notified().await;
            for expected in ["", "alive", "", "alive"] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let mut heard = Vec::new();
                let _ = stream.read_to_end(&mut heard).await;
                assert_eq!(String::from_utf8_lossy(&heard), expected);
                said.recv().await.unwrap();
            }
        };
        let visits = tokio::time::timeout(Duration::from_secs(60), visits);
        tokio::select! {
            () = gateway.serve(&listener, CancellationToken::new()) => unreachable!("nobody stops it"),
            done = visits => done.expect("a session that died was closed nowhere"),
        }
    }
}
