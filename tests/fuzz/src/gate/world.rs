//! The gateway as its broker sees it: who may come in is said by a script, and all that happens is kept.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use russh::keys::ssh_key;
use serde_json::json;
use tokio::io::DuplexStream;
use wane_connector::broker::{
    Broker, Claim, Door, Files, Front, Goal, Inside, Invitation, Kept, Line, Next, Opened, Pipe, Proof, Refused,
    Speaks, Typed, Unspent, Word,
};
use wane_connector::{Kind, Target};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::id::{ArrivalId, SessionId};
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_kind_ssh::{SshKind, USER_CA};
use wane_recording::{Event, Side};
use wane_testkit::{Held, RawKey, RawPeer};

use super::conversation::{Heard, host};
use crate::access::{NOW, SeedSigner, ambient, hold};
use crate::draw::Draw;

/// Names that somebody logs in under; the first is the one the certificate is for.
pub(super) const USERS: [&str; 6] = ["deploy%web", "root%web", "deploy@web", "deploy%db", "", "%"];

/// What everything here is made of.
pub(super) struct World {
    pub(super) front: Arc<dyn Front>,
    broker: Arc<dyn Broker>,
    pub(super) key: RawKey,
    pub(super) other: RawKey,
    /// What may be shown: the certificate, the bare key, certificates that are no good, another key.
    pub(super) shown: Vec<Vec<u8>>,
    pub(super) held: Held,
    resource: Resource,
    /// With nothing, and with everything.
    roles: [Role; 2],
    /// The first bytes of a client.
    pub(super) hello: Vec<u8>,
}

pub(super) const HOST_SEED: [u8; 32] = [5; 32];

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let ambient = ambient();
    let kind = SshKind::new(SeedSigner::shared());
    let broker = kind.broker().unwrap();
    let front = broker.front(&Secret::new(vec![3; 32]), &["gateway".to_owned()], NOW, 1).unwrap();
    let (key, other) = (RawKey::from_seed(&[1; 32]).unwrap(), RawKey::from_seed(&[2; 32]).unwrap());
    let host_key = RawKey::from_seed(&HOST_SEED).unwrap().line();
    let settings = json!({ "address": "127.0.0.1:22", "read_back": "none", "host_keys": [host_key] });
    let resource = Resource {
        id: ambient.id(),
        name: "web".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        labels: Default::default(),
        owner: None,
        settings: kind.settings(&settings).unwrap(),
        since: NOW,
    };
    let bare = Role {
        id: ambient.id(),
        name: "deploy".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        description: String::new().try_into().unwrap(),
        definition: kind.definition(&json!({ "principals": ["deploy"] })).unwrap(),
        since: NOW,
    };
    let all = ["permit-pty", "permit-port-forwarding", "permit-agent-forwarding", "permit-X11-forwarding"];
    let full = json!({ "principals": ["deploy"], "extensions": all });
    let full = Role { definition: kind.definition(&full).unwrap(), ..bare.clone() };
    let held = hold(&ambient, &resource, &bare);
    let made = |ca: &str, from: Time, until: Time| {
        let subject: ssh_key::PublicKey = key.line().parse().unwrap();
        let seconds = |time: Time| u64::try_from(time.seconds()).unwrap();
        let mut cert =
            ssh_key::certificate::Builder::new([1; 32], subject.key_data().clone(), seconds(from), seconds(until))
                .unwrap();
        cert.key_id(held.grant.id.to_string()).unwrap();
        cert.valid_principal(format!("deploy@{}", resource.id)).unwrap();
        cert.sign(&SeedSigner::private(ca)).unwrap().to_bytes().unwrap()
    };
    let hour = Span::from_hours(1);
    // The library looks at the machine's clock as well, which is not ours.
    let ages = Span::from_hours(24 * 365 * 50);
    let good = made(USER_CA, NOW.minus(hour), NOW.plus(ages));
    let foreign = made("somebody else", NOW.minus(hour), NOW.plus(ages));
    let over = made(USER_CA, NOW.minus(hour), NOW.minus(Span::from_mins(1)));
    let shown = vec![good, key.blob(), foreign, over, other.blob()];
    let hello = RawPeer::client(&[9; 32]).unwrap().take_output();
    World { front, broker, key, other, shown, held, resource, roles: [bare, full], hello }
});

pub(super) fn world() -> &'static World {
    &WORLD
}

/// What the gateway says.
pub(super) struct Script {
    /// Whether a session is opened.
    opens: bool,
    /// Whether the role names everything there is, or nothing.
    pub(super) all: bool,
    /// What a login without a credential comes to, round by round.
    next: VecDeque<u8>,
}

impl Script {
    pub(super) fn refusing() -> Self {
        Self { opens: false, all: false, next: VecDeque::new() }
    }

    pub(super) fn letting_in(how: u8) -> Self {
        Self { opens: true, all: how & 1 == 1, next: VecDeque::new() }
    }

    #[cfg(test)]
    pub(super) fn confirming() -> Self {
        Self { opens: true, all: false, next: [0, 3].into() }
    }

    pub(super) fn drawn(draw: &mut Draw<'_>) -> Self {
        let how = draw.byte();
        let next = (0..4).map(|_| draw.byte() % 5).collect();
        Self { opens: how & 1 == 1, all: how & 2 == 2, next }
    }
}

/// What may be asked of whom.
pub(super) struct Passes;
pub(super) const PASSES: Passes = Passes;

impl Passes {
    /// Of the host: opens, global requests, requests on a channel.
    pub(super) fn host(&self, sort: u8, all: bool) -> &'static [&'static str] {
        match (sort, all) {
            (90, true) => &["session", "direct-tcpip"],
            (90, false) => &["session"],
            (80, true) => &["tcpip-forward", "cancel-tcpip-forward", "keepalive@openssh.com"],
            (80, false) => &["keepalive@openssh.com"],
            (98, true) => &[
                "exec",
                "shell",
                "subsystem",
                "env",
                "signal",
                "window-change",
                "pty-req",
                "auth-agent-req@openssh.com",
                "x11-req",
            ],
            (98, false) => &["exec", "shell", "subsystem", "env", "signal"],
            _ => &[],
        }
    }

    /// Of the person.
    pub(super) fn person(&self, sort: u8, all: bool) -> &'static [&'static str] {
        match (sort, all) {
            (90, true) => &["forwarded-tcpip", "auth-agent@openssh.com", "x11"],
            (98, _) => &["exit-status", "exit-signal"],
            _ => &[],
        }
    }
}

/// An event, as far as a law speaks of it.
#[derive(Clone, Debug)]
pub(super) enum Noted {
    Opened(u32),
    Closed(u32),
    Passed(u32, Side, usize),
    On(u32),
    Other,
}

/// What happened.
#[derive(Default)]
pub(super) struct Seen {
    /// Who wanted in, and who was invited at that moment.
    pub(super) claims: Vec<(Claim, Option<String>)>,
    pub(super) arrivals: Vec<String>,
    pub(super) entered: HashSet<ArrivalId>,
    pub(super) accepted: usize,
    pub(super) dialled: usize,
    pub(super) events: Vec<Noted>,
    pub(super) host: Heard,
}

impl Seen {
    /// How many bytes were reported, up and down.
    pub(super) fn reported(&self) -> (usize, usize) {
        self.events.iter().fold((0, 0), |(up, down), event| match event {
            Noted::Passed(_, Side::Client, size) => (up + size, down),
            Noted::Passed(_, _, size) => (up, down + size),
            _ => (up, down),
        })
    }

    /// An event about a channel that is not open.
    pub(super) fn disorder(&self) -> Option<String> {
        let mut open: HashMap<u32, bool> = HashMap::new();
        for event in &self.events {
            match event {
                Noted::Opened(channel) => {
                    if open.insert(*channel, true).is_some() {
                        return Some(format!("channel {channel} was opened twice"));
                    }
                }
                Noted::Closed(channel) => {
                    if open.insert(*channel, false) != Some(true) {
                        return Some(format!("channel {channel} was closed and not open"));
                    }
                }
                Noted::Passed(channel, _, _) | Noted::On(channel) => {
                    if !open.contains_key(channel) {
                        return Some(format!("{event:?} on a channel that nobody opened"));
                    }
                }
                Noted::Other => {}
            }
            if open.values().filter(|open| **open).count() > 64 {
                return Some("more channels than a session may have".to_owned());
            }
        }
        None
    }
}

/// The gateway of one connection.
pub(super) struct Gate {
    script: Mutex<Script>,
    seen: Arc<Mutex<Seen>>,
    attempts: Mutex<u32>,
    /// Where the host's end of a connection goes, and where the answers come from.
    hosts: tokio::sync::mpsc::UnboundedSender<DuplexStream>,
}

impl Gate {
    pub(super) fn new(script: Script, hosts: tokio::sync::mpsc::UnboundedSender<DuplexStream>) -> Arc<Self> {
        Arc::new(Self { script: Mutex::new(script), seen: Arc::default(), attempts: Mutex::new(0), hosts })
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Door for Gate {
    fn now(&self) -> Time {
        NOW
    }

    fn fill(&self, buf: &mut [u8]) {
        buf.fill(4);
    }

    fn peer(&self) -> IpAddr {
        IpAddr::from([192, 0, 2, 1])
    }

    fn attempt(&self) -> Result<(), Refused> {
        let mut attempts = self.attempts.lock().unwrap();
        *attempts += 1;
        if *attempts > 8 { Err(Refused("too many".to_owned())) } else { Ok(()) }
    }

    async fn open(&self, claim: Claim) -> Result<Opened, Refused> {
        let (opens, all) = {
            let script = self.script();
            (script.opens, script.all)
        };
        {
            let mut seen = self.seen();
            let invited = seen.arrivals.last().cloned();
            seen.claims.push((claim.clone(), invited));
        }
        if !opens {
            return Err(Refused("not now".to_owned()));
        }
        let world = world();
        let (target, role) =
            (Target { resource: &world.resource, credential: None, now: NOW }, &world.roles[usize::from(all)]);
        let pass = world.broker.pass(&target, role, &world.held.lease, world.held.permit(NOW), &claim, 2);
        let pass = pass.map_err(|e| Refused(e.to_string()))?.public;
        self.seen().accepted += 1;
        let line = Arc::new(Carried { seen: Arc::clone(&self.seen), hosts: self.hosts.clone() });
        Ok(Opened { session: SessionId::of(world.held.lease.id), pass, kept: Kept::default(), line })
    }

    async fn known(&self, _resource: &str, _login: &str, _client: &str) -> Result<(), Refused> {
        Err(Refused("this connection is inside no other".to_owned()))
    }

    async fn admit(&self, _proof: Proof, _client: &str) -> Result<(), Refused> {
        Err(Refused("nobody has sessions inside this one".to_owned()))
    }

    async fn inside(&self, _host: &str, _port: u16, _public_key: &str) -> Result<Inside, Refused> {
        Err(Refused("nobody was admitted".to_owned()))
    }

    fn nest(&self, _pipe: Pipe, _speaks: Speaks) -> Result<(), Refused> {
        Err(Refused("nobody was admitted".to_owned()))
    }

    async fn arrive(&self, goal: Goal, _client: &str) -> Result<Invitation, Refused> {
        self.seen().arrivals.push(match goal {
            Goal::Session { resource, login } => format!("{login}%{resource}"),
            Goal::Passage => "to have sessions inside".to_owned(),
        });
        let (link, code) = ("https://wane.example.org/login/0".to_owned(), "AAAA-AAAA".to_owned());
        Ok(Invitation { link, code, until: NOW.plus(Span::from_mins(5)) })
    }

    async fn next(&self, _answer: Option<String>) -> Result<Next, Refused> {
        let next = self.script().next.pop_front();
        Ok(match next {
            Some(0) => Next::Wait,
            Some(1) => Next::Say("somebody looks at it".to_owned()),
            Some(2) => Next::Ask { text: String::new(), prompt: "Why? ".to_owned() },
            Some(3) => {
                let arrival: ArrivalId = ambient().id();
                self.seen().entered.insert(arrival);
                Next::Enter { grant: world().held.grant.id, arrival }
            }
            Some(_) | None => return Err(Refused("nobody confirmed it".to_owned())),
        })
    }

    async fn leave(&self) {}
}

/// A session.
struct Carried {
    seen: Arc<Mutex<Seen>>,
    hosts: tokio::sync::mpsc::UnboundedSender<DuplexStream>,
}

#[async_trait]
impl Line for Carried {
    fn files(&self) -> Files {
        Files::default()
    }

    async fn typed(&self) -> Typed {
        std::future::pending().await
    }

    async fn spend(&self, _channel: u32, _command: &[u8]) -> Result<(), Refused> {
        Err(Refused("there is no task".to_owned()))
    }

    async fn spend_use(&self, _more: &[(String, u64)]) -> Result<(), Unspent> {
        Err(Refused("no role of these hosts counts uses".to_owned()).into())
    }

    async fn dial(&self, _host: &str, _port: u16) -> io::Result<Pipe> {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        self.seen.lock().unwrap().dialled += 1;
        self.hosts.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Box::new(ours))
    }

    async fn begun(&self) -> Result<(), Refused> {
        Ok(())
    }

    async fn tap(&self, event: &Event<'_>) -> Result<(), Refused> {
        let noted = match event {
            Event::Opened { channel, .. } => Noted::Opened(*channel),
            Event::Closed { channel } => Noted::Closed(*channel),
            Event::Data { channel, from, bytes } => Noted::Passed(*channel, *from, bytes.len()),
            Event::Gap { channel, bytes, .. } => {
                Noted::Passed(*channel, Side::Client, usize::try_from(*bytes).unwrap())
            }
            Event::Terminal { channel, .. }
            | Event::Resized { channel, .. }
            | Event::Environment { channel, .. }
            | Event::Started { channel, .. }
            | Event::Eof { channel, .. }
            | Event::Signal { channel, .. }
            | Event::Exited { channel, .. } => Noted::On(*channel),
            _ => Noted::Other,
        };
        self.seen.lock().unwrap().events.push(noted);
        Ok(())
    }

    async fn word(&self) -> Word {
        std::future::pending().await
    }
}

/// The hosts of one connection, each as [`host`] has it.
pub(super) async fn hosts(
    mut come: tokio::sync::mpsc::UnboundedReceiver<DuplexStream>,
    gate: Arc<Gate>,
    mut says: tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>,
) {
    if let Some(stream) = come.recv().await {
        let heard = host(stream, &mut says).await;
        gate.seen().host = heard;
    }
}
