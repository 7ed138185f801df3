//! One connection, until somebody has logged in on it; and what they may have inside it.
//!
//! INVARIANT: a connection carries one session or has sessions inside, never both, and what is inside one has
//! none inside (held by `a_connection_carries_one_session_or_has_them_inside`).

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use wane_app::{Arriving, SessionEnd};
use wane_connector::broker::{Claim, Door, Goal, Inside, Invitation, Next, Opened, Pipe, Proof, Refused, Speaks};
use wane_domain::ambient::Ambient;
use wane_domain::id::ArrivalId;
use wane_domain::time::{Span, Time};

use crate::line::{Live, notes};
use crate::places::Limits;
use crate::port::Port;

/// How long somebody whose login comes to nothing has to hear why.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often it is looked whether a login that waits has more time: the clock may be moved under it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How a connection comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whence {
    /// Over the network.
    Network,
    /// From a page of this server.
    Page,
}

/// The door of one connection.
pub(crate) struct Entry {
    peer: IpAddr,
    whence: Whence,
    ambient: Ambient,
    port: Arc<dyn Port>,
    limits: Limits,
    attempts: AtomicU32,
    state: Mutex<State>,
    entered: watch::Sender<Option<Entered>>,
    /// The connection that this one is inside of, if it is inside one.
    within: Option<ArrivalId>,
    /// Connections inside this one, on their way to whoever carries it.
    nests: mpsc::UnboundedSender<Nest>,
    nested: Arc<AtomicUsize>,
    /// The login that its person is to confirm.
    arrival: Mutex<Option<ArrivalId>>,
    /// Until when it is waited for; none before somebody was invited.
    until: watch::Sender<Option<Time>>,
}

/// Who has logged in.
#[derive(Clone)]
pub(crate) enum Entered {
    /// Somebody with a session.
    Session(Arc<Live>),
    /// Somebody who has sessions inside.
    Passage(ArrivalId),
}

/// A connection inside another, and what speaks on it.
pub(crate) struct Nest {
    pub(crate) pipe: Pipe,
    pub(crate) speaks: Speaks,
    pub(crate) within: ArrivalId,
    pub(crate) counted: Counted,
}

/// One of the connections inside another.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let less = |now: usize| now.checked_add(1).filter(|next| *next <= most);
        count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).ok()?;
        Some(Self(Arc::clone(count)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
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
    /// The door of a connection from outside or, `within` one, of one inside it; and what is to be inside.
    pub(crate) fn new(
        (peer, whence): (IpAddr, Whence),
        ambient: Ambient,
        port: Arc<dyn Port>,
        limits: Limits,
        within: Option<ArrivalId>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Nest>) {
        let (nests, given) = mpsc::unbounded_channel();
        let entry = Self {
            peer,
            whence,
            ambient,
            port,
            limits,
            attempts: AtomicU32::new(0),
            state: Mutex::new(State::Waiting),
            entered: watch::channel(None).0,
            within,
            nests,
            nested: Arc::default(),
            arrival: Mutex::default(),
            until: watch::channel(None).0,
        };
        (Arc::new(entry), given)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody has logged in.
    pub(crate) async fn entered(&self) -> Entered {
        let mut hears = self.entered.subscribe();
        let entered = hears.wait_for(Option::is_some).await.map(|entered| entered.clone());
        match entered {
            Ok(Some(entered)) => entered,
            // The sender is ours, and sends nothing else.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Waits until the time to log in is over. Somebody who is invited to confirm their login takes no
    /// stranger's place from then on, and has the time that whoever invited them gave them.
    pub(crate) async fn outstays(&self, invited: impl FnOnce()) {
        let mut arrived = self.until.subscribe();
        let login = tokio::time::timeout(self.limits.login, arrived.wait_for(Option::is_some)).await.is_ok();
        if !login {
            return;
        }
        invited();
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

    /// The connection is over: nobody logs in on it any more. Who has, if anybody.
    pub(crate) fn shut(&self) -> Option<Entered> {
        *self.state() = State::Shut;
        self.entered.borrow().clone()
    }

    /// Takes the connection for somebody who is about to come in; nobody else can meanwhile.
    fn take(&self) -> Result<(), Refused> {
        let mut state = self.state();
        if *state != State::Waiting {
            return Err(Refused("one connection is one session".to_owned()));
        }
        *state = State::Taken;
        Ok(())
    }

    /// They do not come in.
    fn untake(&self) {
        let mut state = self.state();
        if *state == State::Taken {
            *state = State::Waiting;
        }
    }

    /// Somebody came in. False if whoever carried the connection has gone, and does not close this.
    fn enter(&self, entered: Entered) -> bool {
        let state = self.state();
        self.entered.send_replace(Some(entered));
        *state != State::Shut
    }

    fn passage(&self) -> Result<ArrivalId, Refused> {
        match &*self.entered.borrow() {
            Some(Entered::Passage(passage)) => Ok(*passage),
            Some(Entered::Session(_)) | None => Err(Refused("nothing is reached inside this connection".to_owned())),
        }
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

    fn invites(&self) -> bool {
        self.whence == Whence::Network
    }

    fn attempt(&self) -> Result<(), Refused> {
        if self.attempts.fetch_add(1, Ordering::Relaxed) >= self.limits.attempts {
            return Err(Refused("there were too many attempts".to_owned()));
        }
        Ok(())
    }

    async fn open(&self, claim: Claim) -> Result<Opened, Refused> {
        self.take()?;
        let mut begun = match self.port.open(&claim, self.within).await {
            Ok(begun) => begun,
            Err(refused) => {
                self.untake();
                return Err(refused);
            }
        };
        let notes = notes(&claim.login, claim.peer, &claim.client);
        let (session, pass, kept) = (begun.session, begun.pass.clone(), std::mem::take(&mut begun.kept));
        let live = Arc::new(Live::new(begun, notes, self.ambient.clone(), Arc::clone(&self.port)));
        if !self.enter(Entered::Session(Arc::clone(&live))) {
            let proof = "the connection was over before the session began";
            let recorded = live.recorded(proof).await;
            let end = SessionEnd { tally: json!({}), proof: proof.to_owned(), recorded, task: None };
            self.port.closed(session, &end).await;
            return Err(Refused("the connection is over".to_owned()));
        }
        Ok(Opened { session, pass, kept, line: live })
    }

    async fn known(&self, resource: &str, login: &str, client: &str) -> Result<(), Refused> {
        let within = self.within.ok_or_else(|| Refused("it is not known who is there".to_owned()))?;
        self.give_up().await;
        let goal = Goal::Session { resource: resource.to_owned(), login: login.to_owned() };
        let who = Arriving { goal, peer: self.peer, client: client.to_owned() };
        let arrival = self.port.known(within, who).await?;
        *self.arrival.lock().unwrap_or_else(PoisonError::into_inner) = Some(arrival);
        if *self.state() == State::Shut {
            self.give_up().await;
        }
        Ok(())
    }

    async fn admit(&self, proof: Proof, client: &str) -> Result<(), Refused> {
        if self.within.is_some() {
            return Err(Refused("a connection inside another carries one session".to_owned()));
        }
        self.take()?;
        let passage = match self.port.admit(&proof, self.peer, client).await {
            Ok(passage) => passage,
            Err(refused) => {
                self.untake();
                return Err(refused);
            }
        };
        if !self.enter(Entered::Passage(passage)) {
            self.port.passed(passage).await;
            return Err(Refused("the connection is over".to_owned()));
        }
        Ok(())
    }

    async fn inside(&self, host: &str, port: u16, public_key: &str) -> Result<Inside, Refused> {
        let passage = self.passage()?;
        if self.nested.load(Ordering::SeqCst) >= self.limits.inside {
            return Err(Refused("there are as many sessions inside as there may be; close some".to_owned()));
        }
        self.port.inside(passage, host, port, public_key).await
    }

    fn nest(&self, pipe: Pipe, speaks: Speaks) -> Result<(), Refused> {
        let within = self.passage()?;
        let counted = Counted::new(&self.nested, self.limits.inside);
        let counted = counted.ok_or_else(|| Refused("there are as many inside as there may be".to_owned()))?;
        let nest = Nest { pipe, speaks, within, counted };
        self.nests.send(nest).map_err(|_| Refused("the connection is over".to_owned()))
    }

    async fn arrive(&self, goal: Goal, client: &str) -> Result<Invitation, Refused> {
        self.give_up().await;
        if *self.state() != State::Waiting {
            return Err(Refused("one connection is one session".to_owned()));
        }
        let who = Arriving { goal, peer: self.peer, client: client.to_owned() };
        let (arrival, invitation) = self.port.arrive(who).await?;
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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use wane_app::{SessionFinding, SessionOpened, Standing};
    use wane_connector::broker::{By, Unspent};
    use wane_domain::id::{GrantId, PersonId, SessionId, TypedId as _};
    use wane_testkit::FakeClock;

    use super::*;

    const NOW: Time = Time::from_micros(1_795_255_200_000_000);

    /// Says yes to everything.
    struct Yes(watch::Sender<Standing>);

    #[async_trait]
    impl Port for Yes {
        async fn open(&self, _: &Claim, _: Option<ArrivalId>) -> Result<SessionOpened, Refused> {
            let (session, end) = (SessionId::mint(NOW, &[1; 10]), NOW.plus(Span::from_hours(1)));
            let told = self.0.subscribe();
            let (meter, company) = (Arc::default(), Arc::default());
            Ok(SessionOpened {
                session,
                end,
                pass: Value::Null,
                told,
                proof: watch::channel(None).1,
                meter,
                company,
                roll: None,
                began: NOW,
                again: "deploy@web-1 --for 1h".to_owned(),
                rules: Vec::new(),
                kept: wane_connector::broker::Kept::default(),
            })
        }
        async fn admit(&self, _: &Proof, _: IpAddr, _: &str) -> Result<ArrivalId, Refused> {
            Ok(ArrivalId::mint(NOW, &[2; 10]))
        }
        async fn inside(&self, _: ArrivalId, host: &str, _: u16, _: &str) -> Result<Inside, Refused> {
            Ok(Inside { resource: host.to_owned(), certificate: String::new() })
        }
        async fn passed(&self, _: ArrivalId) {}
        async fn known(&self, _: ArrivalId, _: Arriving) -> Result<ArrivalId, Refused> {
            Ok(ArrivalId::mint(NOW, &[3; 10]))
        }
        async fn arrive(&self, _: Arriving) -> Result<(ArrivalId, Invitation), Refused> {
            Err(Refused("nobody is invited".to_owned()))
        }
        async fn next(&self, _: ArrivalId, _: Option<&str>) -> Result<(Next, Time), Refused> {
            Err(Refused("nobody is invited".to_owned()))
        }
        async fn left(&self, _: ArrivalId) {}
        async fn begun(&self, _: SessionId, _: &Value) -> Result<(), Refused> {
            Ok(())
        }
        async fn spend(&self, _: SessionId, _: &[u8]) -> Result<(), Refused> {
            Ok(())
        }
        async fn spend_use(&self, _: SessionId, _: &[(String, u64)]) -> Result<(), Unspent> {
            Ok(())
        }
        async fn proofs(&self) {
            std::future::pending().await
        }
        async fn beat(&self) {}
        async fn finding(&self, _: SessionId, _: &SessionFinding) -> bool {
            true
        }
        async fn guest_left(&self, _: SessionId, _: PersonId, _: u64) {}
        async fn closed(&self, _: SessionId, _: &SessionEnd) -> bool {
            true
        }
    }

    fn claim() -> Claim {
        Claim {
            grant: GrantId::mint(NOW, &[7; 10]),
            by: By::Credential { serial: 1, credential: String::new() },
            resource: "web".to_owned(),
            login: "deploy".to_owned(),
            public_key: String::new(),
            peer: IpAddr::from([192, 0, 2, 1]),
            client: String::new(),
        }
    }

    fn proof() -> Proof {
        Proof::Credential { grant: GrantId::mint(NOW, &[7; 10]), serial: 1 }
    }

    #[tokio::test]
    async fn a_connection_carries_one_session_or_has_them_inside() {
        let clock = FakeClock::at(NOW);
        let port: Arc<dyn Port> = Arc::new(Yes(watch::channel(Standing::Until(NOW)).0));
        let limits = Limits { inside: 2, ..Limits::default() };
        let within = ArrivalId::mint(NOW, &[2; 10]);
        let entry = |within| {
            Entry::new(
                (IpAddr::from([192, 0, 2, 1]), Whence::Network),
                clock.ambient(1),
                Arc::clone(&port),
                limits,
                within,
            )
        };
        let nest = |entry: &Entry| entry.nest(Box::new(tokio::io::duplex(8).0), Box::new(|_, _| Box::pin(async {})));

        let (session, _nests) = entry(None);
        assert!(session.inside("web", 22, "").await.is_err() && nest(&session).is_err(), "nobody was admitted");
        assert!(session.known("web", "deploy", "").await.is_err(), "from outside nobody is known");
        assert!(session.open(claim()).await.is_ok());
        assert!(session.admit(proof(), "").await.is_err(), "it carries a session");
        assert!(session.inside("web", 22, "").await.is_err() && nest(&session).is_err());

        let (passage, mut nests) = entry(None);
        assert!(passage.admit(proof(), "").await.is_ok());
        assert!(passage.open(claim()).await.is_err(), "it has them inside");
        assert!(passage.admit(proof(), "").await.is_err(), "twice");
        assert!(passage.inside("web", 22, "").await.is_ok() && nest(&passage).is_ok() && nest(&passage).is_ok());
        assert!(passage.inside("web", 22, "").await.is_err() && nest(&passage).is_err(), "there are enough");
        drop(nests.recv().await);
        assert!(nest(&passage).is_ok(), "one is gone");

        let (inner, _nests) = entry(Some(within));
        assert!(inner.admit(proof(), "").await.is_err(), "there is nothing inside what is inside");
        assert!(inner.known("web", "deploy", "").await.is_ok());
        assert!(inner.open(claim()).await.is_ok());
    }
}
