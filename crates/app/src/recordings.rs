//! Recordings of sessions: what the use-cases need of whatever keeps them, and which sessions have one.
//!
//! Owns: that a session which is to be recorded begins with its tape open, whose key it is under, and how a
//! recording came out. Refuses to know: files, disks, how a recording is made durable.

mod closing;
mod delete;
mod depot;
mod read;
mod search;
mod ship;

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use wane_connector::broker::Files;
use wane_domain::canonical::Digest;
use wane_domain::id::SessionId;
use wane_domain::lease::Lease;
use wane_domain::secret::Secret;
use wane_domain::terms::Need;
use wane_domain::time::{Span, Time};
use wane_keys::envelope::Place as SealedPlace;
use wane_recording::{Event, Header, SessionKey};
use wane_store::{Lies, Recording, Sealed, Write};

use crate::App;
use crate::error::AppError;

pub use closing::RecordOutcome;
pub(crate) use closing::said;
pub use depot::{Afar, At, Depot, DepotError};
pub use read::{Found, Place, Playing, Purpose, Searched, Sought, Verified};
pub use search::Within;
pub use ship::{Shipped, Waiting};

/// Where recordings are written, and lie.
#[async_trait]
pub trait Recordings: Send + Sync {
    /// Begins one; its beginning is on disk when this returns.
    async fn begin(&self, header: &Header, key: SessionKey) -> Result<Arc<dyn Tape>, String>;
    /// One, to be read from its beginning; nothing if there is none. It grows while its session lasts.
    fn read(&self, session: SessionId) -> Result<Option<Box<dyn Read + Send + Sync>>, String>;
    /// Of which sessions there is one.
    fn all(&self) -> Result<Vec<SessionId>, String>;
    /// Removes one, if it is there.
    fn remove(&self, session: SessionId) -> Result<(), String>;
}

/// A session being recorded.
#[async_trait]
pub trait Tape: Send + Sync {
    /// Takes an event in; what it is about may pass on when this returns.
    async fn event(&self, now: Time, event: &Event<'_>) -> Result<(), String>;
    /// Ends it; all of it is on disk when this returns.
    async fn finish(&self, now: Time, why: &str) -> Result<Taped, String>;
}

/// What a whole recording is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taped {
    /// What its chain says at the end.
    pub root: Digest,
    /// How many chunks it has.
    pub chunks: u64,
    /// How long it is.
    pub bytes: u64,
}

/// Which sessions are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those whose terms ask for it.
    Required,
}

/// What becomes of a session whose recording fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It is over.
    Close,
    /// It goes on, if its terms do not ask for a recording; that there is a gap is written down.
    GoOn,
}

/// What a deployment wants recorded.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Which sessions.
    pub which: Which,
    /// What if that fails.
    pub on_failure: OnFailure,
    /// How long recordings are kept after their session; none for ever.
    pub keep: Option<Span>,
    /// What of files that are carried.
    pub files: Files,
}

/// The archive and its rules.
pub(crate) struct Shelf {
    pub(crate) recordings: Option<Arc<dyn Recordings>>,
    pub(crate) rules: Rules,
    /// Where recordings go once they are over, if anywhere.
    afar: Option<Afar>,
    /// Whose turn it is to write down where a recording lies, or that it is deleted.
    turn: tokio::sync::Mutex<()>,
    later: ship::Later,
    /// Recordings that waited when they were counted last.
    waiting: std::sync::atomic::AtomicU64,
}

/// The recording of a session that begins.
pub struct Roll {
    /// What it is recorded on.
    pub tape: Arc<dyn Tape>,
    /// What if that fails.
    pub on_failure: OnFailure,
    /// What of files that are carried.
    pub files: Files,
}

impl std::fmt::Debug for Roll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roll").field("on_failure", &self.on_failure).finish_non_exhaustive()
    }
}

/// What a recording is begun with, once its session is written down.
pub(crate) struct Blank {
    header: Header,
    key: SessionKey,
    on_failure: OnFailure,
}

/// A tape that was never there: the session may go on without, and each event says why it is not kept.
struct NoTape(String);

#[async_trait]
impl Tape for NoTape {
    async fn event(&self, _: Time, _: &Event<'_>) -> Result<(), String> {
        Err(self.0.clone())
    }
    async fn finish(&self, _: Time, _: &str) -> Result<Taped, String> {
        Err(self.0.clone())
    }
}

impl App {
    /// Hands over where recordings are kept and what is to be recorded; nothing if they cannot be kept now,
    /// so that no session begins that must have one. With an object store, recordings go there afterwards. Said once,
    /// before sessions begin.
    pub fn record_in(&self, recordings: Option<Arc<dyn Recordings>>, rules: Rules, afar: Option<Afar>) {
        let (turn, later) = (tokio::sync::Mutex::default(), ship::Later::default());
        if self.shelf.set(Shelf { recordings, rules, afar, turn, later, waiting: 0.into() }).is_err() {
            tracing::error!("where recordings are kept was said twice; the first stays");
        }
    }

    /// Whether sessions can be recorded.
    pub(crate) fn keeps_recordings(&self) -> bool {
        self.shelf.get().is_some_and(|shelf| shelf.recordings.is_some())
    }

    pub(crate) fn recordings(&self) -> Result<&Arc<dyn Recordings>, AppError> {
        let recordings = self.shelf.get().and_then(|shelf| shelf.recordings.as_ref());
        recordings
            .ok_or_else(|| AppError::Unrecorded("this server keeps no recordings now; its log says why".to_owned()))
    }

    /// What the recording of a session is begun with, if it is to have one, and what is to be written down
    /// with the session.
    pub(crate) fn blank(
        &self,
        lease: &Lease,
        recording: Need,
        login: &str,
        now: Time,
    ) -> Result<Option<(Blank, [Write; 2])>, AppError> {
        let required = recording == Need::Required;
        let rules = self.shelf.get().map(|shelf| shelf.rules);
        if !required && !rules.is_some_and(|rules| rules.which == Which::All) {
            return Ok(None);
        }
        let on_failure = match rules {
            Some(rules) if !required => rules.on_failure,
            Some(_) | None => OnFailure::Close,
        };
        let session = SessionId::of(lease.id);
        let secret = Secret::new(self.ambient.bytes::<32>().to_vec());
        let row = row(session);
        let sealed = self.issuing.seal(&place(&row), secret.expose()).map_err(|e| AppError::Seal(e.to_string()))?;
        let key = session_key(&secret)?;
        let header = Header {
            org: self.org,
            session,
            grant: lease.grant,
            holder: lease.holder,
            resource: lease.resource,
            role: lease.role,
            kind: lease.kind.clone(),
            began: now,
        };
        let recording = Recording {
            session,
            grant: lease.grant,
            holder: lease.holder,
            resource: lease.resource,
            role: lease.role,
            login: login.to_owned(),
            began: now,
            end: None,
            deleted: None,
            lies: Lies::Local,
        };
        let writes = [Write::Recording(recording), Write::Sealed(Sealed { key: row, sealed })];
        Ok(Some((Blank { header, key, on_failure }, writes)))
    }

    /// Begins a recording. If that cannot be, so cannot its session; unless it may do without.
    pub(crate) async fn roll(&self, blank: Blank) -> Result<Roll, String> {
        let Blank { header, key, on_failure } = blank;
        let files = self.shelf.get().map(|shelf| shelf.rules.files).unwrap_or_default();
        let begun = match self.recordings() {
            Ok(recordings) => recordings.begin(&header, key).await,
            Err(why) => Err(why.to_string()),
        };
        match (begun, on_failure) {
            (Ok(tape), _) => Ok(Roll { tape, on_failure, files }),
            (Err(why), OnFailure::GoOn) => Ok(Roll { tape: Arc::new(NoTape(why)), on_failure, files }),
            (Err(why), OnFailure::Close) => Err(why),
        }
    }
}

fn session_key(secret: &Secret) -> Result<SessionKey, AppError> {
    SessionKey::new(secret).ok_or_else(|| AppError::Fault("a session's key is not 32 bytes long".to_owned()))
}

/// Where the key of a session's recording lies.
pub(crate) fn row(session: SessionId) -> String {
    format!("recording/{session}")
}

fn place(row: &str) -> SealedPlace<'_> {
    SealedPlace { table: "sealed", row, column: "sealed" }
}
