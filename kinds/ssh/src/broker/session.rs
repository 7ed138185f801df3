//! One session, as both of its sides see it: its host, its channels, what of the role was asked for.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::future::BoxFuture;
use russh::{Channel, ChannelId, ChannelWriteHalf, client, server};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use wane_connector::broker::{Line, Refused};
use wane_recording::Event;

use super::commands::Rules;
use super::flow::{Flow, Queue, Side};
use super::pump;
use super::sense::Sense;
use crate::role::Definition;

/// Channels of one session at once.
const MOST_CHANNELS: usize = 64;

/// What is to run beside the connection, and ends with it.
pub(super) type Task = BoxFuture<'static, ()>;

/// The host, once it let the session in; or why it did not.
pub(super) type Reached = Result<Arc<client::Handle<super::host::Host>>, String>;

/// One session.
pub(super) struct Session {
    pub(super) line: Arc<dyn Line>,
    pub(super) role: Definition,
    pub(super) rules: Rules,
    pub(super) flow: Arc<Flow>,
    pub(super) host: watch::Receiver<Option<Reached>>,
    pub(super) person: Arc<OnceLock<server::Handle>>,
    pub(super) tasks: mpsc::UnboundedSender<Task>,
    links: Mutex<Links>,
    /// What the person asked to be passed back to them.
    pub(super) agent: AtomicBool,
    pub(super) x11: AtomicBool,
    forwards: Mutex<HashSet<(String, u32)>>,
    next: AtomicU32,
    lost: Notify,
}

#[derive(Default)]
struct Links {
    by_person: HashMap<ChannelId, Arc<Link>>,
    by_host: HashMap<ChannelId, Arc<Link>>,
    /// Answers that are waited for, by the host's channel.
    asked: HashMap<ChannelId, oneshot::Sender<bool>>,
}

/// Two channels that are one.
pub(super) struct Link {
    /// Its number in the record.
    pub(super) number: u32,
    pub(super) person_id: ChannelId,
    pub(super) host_id: ChannelId,
    pub(super) host: ChannelWriteHalf<client::Msg>,
    pub(super) up: Queue,
    pub(super) down: Queue,
    pub(super) terminal: AtomicBool,
    pub(super) columns: AtomicU32,
    /// Whether anything was sent to a program of which nothing is understood.
    pub(super) fed: AtomicBool,
    /// What is understood of it, once it is known what runs there.
    pub(super) sense: OnceLock<Mutex<Sense>>,
    /// Whether a program was asked for: only one may be (RFC 4254 section 6.5).
    pub(super) runs: AtomicBool,
    /// Whether that program was not run, and the person told so.
    pub(super) refused: AtomicBool,
    pub(super) requests: AtomicU32,
}

impl Link {
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal.load(Ordering::Relaxed)
    }

    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn runs(&self) -> bool {
        self.runs.load(Ordering::Relaxed)
    }
}

impl Session {
    pub(super) fn new(
        line: Arc<dyn Line>,
        (role, rules): (Definition, Rules),
        flow: Arc<Flow>,
        host: watch::Receiver<Option<Reached>>,
        person: Arc<OnceLock<server::Handle>>,
        tasks: mpsc::UnboundedSender<Task>,
    ) -> Self {
        Self {
            line,
            role,
            rules,
            flow,
            host,
            person,
            tasks,
            links: Mutex::default(),
            agent: AtomicBool::new(false),
            x11: AtomicBool::new(false),
            forwards: Mutex::default(),
            next: AtomicU32::new(0),
            lost: Notify::new(),
        }
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host, once it is there.
    pub(super) async fn reached(&self) -> Reached {
        let mut host = self.host.clone();
        match host.wait_for(Option::is_some).await {
            Ok(reached) => reached.clone().unwrap_or_else(|| Err("the host was not reached".to_owned())),
            Err(_) => Err("the session is over".to_owned()),
        }
    }

    pub(super) async fn tap(&self, event: &Event<'_>) -> Result<(), Refused> {
        self.line.tap(event).await
    }

    /// Notes that something was asked for and refused. If that cannot be noted, it is refused all the same.
    pub(super) async fn refuse(&self, channel: Option<u32>, what: &str) {
        let _ = self.tap(&Event::Refused { channel, what: what.into() }).await;
    }

    /// A number for the record of a channel, and leave to open it.
    pub(super) async fn opens(&self, kind: &str, about: &str) -> Result<u32, Refused> {
        let open = self.links().by_person.len();
        if open >= MOST_CHANNELS {
            self.refuse(None, format!("{kind} {about}").trim_end()).await;
            return Err(Refused("the session has as many channels as it may have".to_owned()));
        }
        let channel = self.next.fetch_add(1, Ordering::Relaxed);
        self.tap(&Event::Opened { channel, kind: kind.into(), about: about.into() }).await?;
        Ok(channel)
    }

    /// Makes one of two channels, and lets bytes flow.
    pub(super) fn join(
        self: &Arc<Self>,
        number: u32,
        person: Channel<server::Msg>,
        host: Channel<client::Msg>,
    ) -> Arc<Link> {
        let (person_id, host_id) = (person.id(), host.id());
        let (from_person, to_person) = person.split();
        let (from_host, to_host) = host.split();
        let link = Arc::new(Link {
            number,
            person_id,
            host_id,
            host: to_host,
            up: Queue::new(&self.flow, Side::Person),
            down: Queue::new(&self.flow, Side::Host),
            terminal: AtomicBool::new(false),
            columns: AtomicU32::new(0),
            fed: AtomicBool::new(false),
            sense: OnceLock::new(),
            runs: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            requests: AtomicU32::new(0),
        });
        {
            let mut links = self.links();
            links.by_person.insert(person_id, Arc::clone(&link));
            links.by_host.insert(host_id, Arc::clone(&link));
        }
        let up = pump::up(Arc::clone(self), Arc::clone(&link), from_person);
        let down = pump::down(Arc::clone(self), Arc::clone(&link), from_host, to_person);
        // Nobody takes tasks any more only when the connection is over.
        let _ = self.tasks.send(Box::pin(up));
        let _ = self.tasks.send(Box::pin(down));
        link
    }

    /// Both channels are closed.
    pub(super) fn part(&self, link: &Link) {
        let mut links = self.links();
        links.by_person.remove(&link.person_id);
        links.by_host.remove(&link.host_id);
        links.asked.remove(&link.host_id);
    }

    pub(super) fn by_person(&self, id: ChannelId) -> Option<Arc<Link>> {
        self.links().by_person.get(&id).cloned()
    }

    pub(super) fn by_host(&self, id: ChannelId) -> Option<Arc<Link>> {
        self.links().by_host.get(&id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Link>> {
        self.links().by_person.values().cloned().collect()
    }

    /// Waits for the host's answer to what is asked of it next on this channel.
    pub(super) fn will_answer(&self, link: &Link) -> oneshot::Receiver<bool> {
        let (tell, hear) = oneshot::channel();
        self.links().asked.insert(link.host_id, tell);
        hear
    }

    /// The host answered.
    pub(super) fn answered(&self, id: ChannelId, yes: bool) {
        let asked = self.links().asked.remove(&id);
        if let Some(asked) = asked {
            let _ = asked.send(yes);
        }
    }

    /// The connection to the host is no more.
    pub(super) fn host_lost(&self) {
        self.lost.notify_one();
    }

    /// Waits until the connection to the host is no more.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }

    /// Nobody answers any more.
    pub(super) fn nobody_answers(&self) {
        self.links().asked.clear();
    }

    fn forwards(&self) -> MutexGuard<'_, HashSet<(String, u32)>> {
        self.forwards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forward(&self, address: &str, port: u32) {
        self.forwards().insert((address.to_owned(), port));
    }

    pub(super) fn unforward(&self, address: &str, port: u32) {
        self.forwards().remove(&(address.to_owned(), port));
    }

    /// Whether the person asked for what comes in at the host there.
    pub(super) fn is_forwarded(&self, address: &str, port: u32) -> bool {
        self.forwards().contains(&(address.to_owned(), port))
    }
}
