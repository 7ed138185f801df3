//! The server's side of its line to a signer: many calls at once, none for longer than its time, and none at all while
//! nobody answers.
//!
//! What ends access does not come this way, but for the word that a grant is over, which nobody waits for.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wane_connector::PublicKey;
use wane_keys::desk::Carry;
use wane_keys::desk::frame::{Head, THE_LINE};
use wane_keys::desk::message::{Call, Refusal, Reply};
use wane_keys::split::Publics;
use wane_runtime::{CancellationToken, Supervisor};

use super::line::{self, LineError};

/// How long a call is waited for.
const ANSWER: Duration = Duration::from_secs(5);
/// How long whoever asked waits for word of that.
const WORD: Duration = Duration::from_secs(6);
/// How often it is looked for calls whose time is over.
const LOOK: Duration = Duration::from_millis(200);
/// Calls that wait for a place on the line, and ends that wait to be told.
const MOST_CALLS: usize = 1024;
const MOST_ENDS: usize = 8192;
/// The waits between two tries to have a line.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long a server that starts waits for its signer before it goes on without.
const AT_START: Duration = Duration::from_secs(3);

type Answer = Result<Vec<u8>, String>;

/// A call on its way.
struct Asked {
    frame: Vec<u8>,
    /// Who waits for the reply, if anybody does.
    whom: Option<SyncSender<Answer>>,
}

impl Asked {
    fn answered(self, answer: Answer) {
        if let Some(whom) = self.whom {
            // Whoever asked may have given up.
            let _ = whom.try_send(answer);
        }
    }
}

/// What is asked of a signer elsewhere, from any thread.
#[derive(Debug)]
pub(crate) struct Link {
    calls: mpsc::Sender<Asked>,
    ends: mpsc::Sender<Asked>,
    /// Why there is no line, while there is none.
    away: Arc<RwLock<Option<String>>>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("bytes", &self.frame.len()).finish_non_exhaustive()
    }
}

impl Carry for Link {
    fn carry(&self, frame: &[u8]) -> Result<Vec<u8>, String> {
        if let Some(why) = self.away() {
            return Err(why);
        }
        let (whom, word) = sync_channel(1);
        let asked = Asked { frame: frame.to_vec(), whom: Some(whom) };
        self.calls.try_send(asked).map_err(|_| format!("{MOST_CALLS} calls wait for it already; try again"))?;
        // Whoever else is on this thread goes on elsewhere meanwhile.
        let word = tokio::task::block_in_place(|| word.recv_timeout(WORD));
        word.unwrap_or_else(|_| Err("nothing came back in time; try again".to_owned()))
    }

    fn away(&self) -> Option<String> {
        self.away.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, frame: Vec<u8>) {
        if self.ends.try_send(Asked { frame, whom: None }).is_err() {
            tracing::warn!("the signer is not told of an end: {MOST_ENDS} wait to be told already");
        }
    }
}

/// Whose keys the other side is to have.
pub(crate) trait Pins: Send + Sync {
    /// The purposes it is asked for.
    fn purposes(&self) -> Vec<&'static str>;
    /// The purposes it is asked for besides, whose keys it may have lost without being another.
    fn further(&self) -> Vec<&'static str>;
    /// Judges its public keys, and keeps them if they are the first; says why not.
    fn judge(&self, keys: Publics) -> BoxFuture<'_, Result<(), String>>;
}

/// The task behind a [`Link`].
pub(crate) struct LinkTask {
    path: PathBuf,
    pins: Arc<dyn Pins>,
    inbox: Inbox,
    away: Arc<RwLock<Option<String>>>,
}

struct Inbox {
    calls: mpsc::Receiver<Asked>,
    ends: mpsc::Receiver<Asked>,
}

/// A link to a socket, and what has to be run for it to carry anything.
pub(crate) fn link(path: &Path, pins: Arc<dyn Pins>) -> (Link, LinkTask) {
    let (calls, heard_calls) = mpsc::channel(MOST_CALLS);
    let (ends, heard_ends) = mpsc::channel(MOST_ENDS);
    let away = Arc::new(RwLock::new(Some(absent(path, "nobody has asked it yet"))));
    let task = LinkTask {
        path: path.to_owned(),
        pins,
        inbox: Inbox { calls: heard_calls, ends: heard_ends },
        away: Arc::clone(&away),
    };
    (Link { calls, ends, away }, task)
}

fn absent(path: &Path, why: &str) -> String {
    format!(
        "`{}`: {why}; nothing that it signs is issued meanwhile, and everything ends: see that `wane signer serve` runs",
        path.display()
    )
}

impl LinkTask {
    /// Has it run, and waits a moment until there is a line.
    pub(crate) async fn keep(self, supervisor: &mut Supervisor) {
        let (first, mut known) = watch::channel(false);
        let (task, first) = (Arc::new(tokio::sync::Mutex::new(self)), Arc::new(first));
        supervisor.spawn("signer", move |stop| {
            let (task, first) = (Arc::clone(&task), Arc::clone(&first));
            async move {
                task.lock().await.run(stop, &first).await;
                Ok::<(), Infallible>(())
            }
        });
        let _ = timeout(AT_START, known.wait_for(|known| *known)).await;
    }

    async fn run(&mut self, stop: CancellationToken, first: &watch::Sender<bool>) {
        let mut wait = FIRST_WAIT;
        while !stop.is_cancelled() {
            let why = tokio::select! {
                () = stop.cancelled() => return,
                why = self.speak(first, &mut wait) => why,
            };
            if self.away.write().unwrap_or_else(PoisonError::into_inner).replace(why.clone()).as_ref() != Some(&why) {
                tracing::error!(why, "THE SIGNER DOES NOT ANSWER");
            }
            while let Ok(asked) = self.inbox.calls.try_recv() {
                asked.answered(Err(why.clone()));
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        }
    }

    /// One line, until it is over; says why it is.
    async fn speak(&mut self, first: &watch::Sender<bool>, wait: &mut Duration) -> String {
        let missing = |why: String| absent(&self.path, &why);
        let mut stream = match timeout(ANSWER, UnixStream::connect(&self.path)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return missing(error.to_string()),
            Err(_) => return missing("nobody takes the line".to_owned()),
        };
        let keys = match self.introduced(&mut stream).await {
            Ok(keys) => keys,
            Err(why) => return missing(why),
        };
        if let Err(why) = self.pins.judge(keys).await {
            return missing(why);
        }
        tracing::info!("the signer answers");
        *self.away.write().unwrap_or_else(PoisonError::into_inner) = None;
        *wait = FIRST_WAIT;
        first.send_replace(true);
        let why = converse(stream, &mut self.inbox).await;
        absent(&self.path, &why)
    }

    /// The public keys of whoever answers: that it answers is seen by that.
    async fn introduced(&self, stream: &mut UnixStream) -> Result<Publics, String> {
        let mut keys = Publics::new();
        let further = self.pins.further();
        let all = self.pins.purposes().into_iter().chain(further.iter().copied());
        for (id, purpose) in (1_u64..).zip(all) {
            let call = serde_json::to_vec(&Call::PublicKey { purpose: purpose.to_owned() });
            let call = call.map_err(|e| e.to_string())?;
            let exchange = async {
                line::write(stream, id, ANSWER, &call).await?;
                line::read(stream).await
            };
            let answer = timeout(ANSWER, exchange).await;
            let (_, reply) = answer.map_err(|_| silent())?.map_err(|e| e.to_string())?;
            match serde_json::from_slice(&reply).map_err(|e| e.to_string())? {
                Reply::Key(key) => {
                    let key = PublicKey::read(&key.0).ok_or_else(|| format!("its key for `{purpose}` is none"))?;
                    keys.insert(purpose.to_owned(), key);
                }
                Reply::Refused(Refusal::NoKey(_)) if further.contains(&purpose) => {
                    tracing::error!(
                        purpose,
                        "the signer has not the key that the server took from it; nothing is issued with it"
                    );
                }
                Reply::Refused(refusal) => return Err(said(refusal)),
                Reply::Signature(_) | Reply::Done | Reply::Shown(_) | Reply::Vouched(_) => {
                    return Err("it answered something else than it was asked".to_owned());
                }
            }
        }
        Ok(keys)
    }
}

fn silent() -> String {
    format!("it did not answer in {} s", ANSWER.as_secs())
}

fn said(refusal: Refusal) -> String {
    match refusal {
        Refusal::Broken(why) | Refusal::Unheard(why) => why,
        other => wane_connector::SignError::from(other).to_string(),
    }
}

/// What waits for a reply on one line.
#[derive(Default)]
struct Pending {
    by_id: HashMap<u64, (Asked, Instant)>,
    last: u64,
}

impl Pending {
    async fn send(&mut self, to: &mut OwnedWriteHalf, asked: Asked) -> Result<(), LineError> {
        self.last = self.last.wrapping_add(1).max(THE_LINE.saturating_add(1));
        let written = line::write(to, self.last, ANSWER, &asked.frame).await;
        self.by_id.insert(self.last, (asked, Instant::now() + ANSWER));
        written
    }
}

/// Carries calls and replies until the line is over; whoever still waits is told why.
async fn converse(stream: UnixStream, inbox: &mut Inbox) -> String {
    let (from, mut to) = stream.into_split();
    let (heard, mut replies) = mpsc::channel(64);
    let mut reading = JoinSet::new();
    reading.spawn(read_all(from, heard));
    let mut pending = Pending::default();
    let mut look = tokio::time::interval(LOOK);
    let why = loop {
        let room = pending.by_id.len() < MOST_CALLS;
        let sent = tokio::select! {
            Some(asked) = inbox.calls.recv(), if room => pending.send(&mut to, asked).await,
            Some(asked) = inbox.ends.recv(), if room => pending.send(&mut to, asked).await,
            reply = replies.recv() => match reply {
                Some(Ok((head, reply))) if head.id == THE_LINE => break refused(&reply),
                Some(Ok((head, reply))) => {
                    if let Some((asked, _)) = pending.by_id.remove(&head.id) {
                        asked.answered(Ok(reply));
                    }
                    continue;
                }
                Some(Err(error)) => Err(error),
                None => Err(LineError::Closed),
            },
            now = look.tick() => {
                if pending.by_id.values().any(|(_, until)| *until < now) {
                    break silent();
                }
                continue;
            }
        };
        if let Err(error) = sent {
            break error.to_string();
        }
    };
    for (_, (asked, _)) in pending.by_id.drain() {
        asked.answered(Err(why.clone()));
    }
    why
}

fn refused(reply: &[u8]) -> String {
    match serde_json::from_slice(reply) {
        Ok(Reply::Refused(refusal)) => said(refusal),
        Ok(_) | Err(_) => "it said something that was not asked".to_owned(),
    }
}

async fn read_all(mut from: OwnedReadHalf, heard: mpsc::Sender<Result<(Head, Vec<u8>), LineError>>) {
    loop {
        let read = line::read(&mut from).await;
        let over = read.is_err();
        if heard.send(read).await.is_err() || over {
            return;
        }
    }
}
