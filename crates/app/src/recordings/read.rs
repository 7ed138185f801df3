//! Reading a recording: watched while it goes on, played again, held against the trail, searched. Each reading
//! is judged, and written down before its first byte leaves.

use std::sync::Arc;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::canonical::Digest;
use wane_domain::id::{PersonId, ResourceId, SessionId};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_recording::{Damage, Ending, Event, Header, Piece, ReadError, Reader, check};
use wane_store::{Recording, RecordingFilter, RecordingState, Slice};

use super::At;
use super::depot::{Source, away};
use super::search::{Looked, Search, Within};
use super::{row, session_key};
use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// Recordings that one search reads at most.
const MOST_SEARCHED: usize = 200;
/// Bytes of what was said that one search looks through at most: some seconds.
const MOST_BYTES: usize = 256 * 1024 * 1024;
/// What is looked up to find them.
const MOST_LISTED: u32 = 1_000;

/// What a recording is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To see what happened.
    Replay,
    /// To see what happens.
    Watch,
}

impl Purpose {
    const fn action(self) -> Action {
        match self {
            Self::Replay => Action::Replay,
            Self::Watch => Action::Watch,
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Replay => "recording.replayed",
            Self::Watch => "recording.watched",
        }
    }
}

/// A recording being read.
pub struct Playing {
    app: Arc<App>,
    caller: PersonId,
    recording: Recording,
    purpose: Purpose,
    reader: Reader<Source>,
}

impl std::fmt::Debug for Playing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playing").field("session", &self.recording.session).finish_non_exhaustive()
    }
}

impl Playing {
    /// Whose session it is.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Goes on by one chunk, and hands each of its events over. Reads a disk.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn next(&mut self, each: impl FnMut(Time, Event<'_>)) -> Result<Piece, ReadError> {
        // Looked at first: what was written before the session was over is there then.
        let goes_on = self.purpose == Purpose::Watch && self.app.sessions.has(self.recording.session.lease());
        self.reader.follow(goes_on);
        self.reader.next(each)
    }

    /// Whether the one who reads it may still: to be asked now and then, with a caller who is signed in now.
    ///
    /// # Errors
    /// When they may not, or that cannot be said.
    pub async fn still(&self, caller: &Caller) -> Result<(), AppError> {
        let world = self.app.world().await?;
        let may = caller.person == self.caller
            && self.app.may_read(caller, &world, self.purpose.action(), &self.recording)?;
        if may { Ok(()) } else { Err(AppError::NotAllowed { what: self.purpose.action().name() }) }
    }
}

/// What holding a recording against the trail showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Which copy.
    pub at: At,
    /// Whether it is all of what was recorded.
    pub whole: bool,
    /// What the trail says its chain says at the end; none where the session has not ended, or nothing was left.
    pub expected: Option<Digest>,
    /// What it does say.
    pub root: Option<Digest>,
    /// Chunks that are as they were written.
    pub chunks: u64,
    /// Whether its last chunk is there.
    pub has_end: bool,
    /// What is not as it was written.
    pub damage: Vec<Damage>,
    /// Why it cannot be read at all.
    pub unreadable: Option<String>,
}

/// What recordings are searched for.
#[derive(Clone, Debug)]
pub struct Sought {
    /// This text.
    pub text: String,
    /// There.
    pub within: Within,
    /// In sessions of this person.
    pub holder: Option<PersonId>,
    /// On this resource.
    pub resource: Option<ResourceId>,
    /// Begun no earlier.
    pub from: Option<Time>,
    /// Begun before.
    pub until: Option<Time>,
}

/// A recording in which something was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which.
    pub recording: Recording,
    /// Where: the first few places.
    pub places: Vec<Place>,
}

/// A place in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// When.
    pub at: Time,
    /// In what: `command`, `file`, `output`, `input`, `event`.
    pub what: &'static str,
    /// On which channel, if on one.
    pub channel: Option<u32>,
    /// What stands around it.
    pub text: String,
}

/// What a search came to.
#[derive(Clone, Debug)]
pub struct Searched {
    /// Where it was found, newest first.
    pub found: Vec<Found>,
    /// How many recordings were read.
    pub read: usize,
    /// Of these, the sessions of those that could not be read whole: what is sought may stand there.
    pub unread: Vec<SessionId>,
    /// Whether there are more than were read.
    pub more: bool,
}

impl App {
    /// Whether policy lets somebody read a recording: to the deployment as a whole, on its resource, or because
    /// of whose session it was.
    fn may_read(
        &self,
        caller: &Caller,
        world: &World,
        action: Action,
        recording: &Recording,
    ) -> Result<bool, AppError> {
        Ok(self.allows_on(caller, world, action, recording.resource)?
            || self.allows_about(caller, world, action, recording.holder)?)
    }

    /// Whether somebody may know that there is a recording.
    fn may_know(&self, caller: &Caller, world: &World, recording: &Recording) -> Result<bool, AppError> {
        Ok(recording.holder == caller.person
            || self.allows_on(caller, world, Action::ReadAccess, recording.resource)?)
    }

    /// Opens a recording to be read.
    ///
    /// INVARIANT: nothing of a recording leaves before it is written down who reads it, and nothing without the
    /// right to (held by `nobody_replays_without_the_right_and_the_attempt_is_written_down`).
    ///
    /// # Errors
    /// When there is none, it was deleted, or the caller may not.
    pub async fn read_recording(
        self: &Arc<Self>,
        caller: &Caller,
        session: SessionId,
        purpose: Purpose,
    ) -> Result<Playing, AppError> {
        let missing = || AppError::missing("recording of session", session);
        let world = self.world().await?;
        let recording = self.store.recording(session).await?.ok_or_else(missing)?;
        let (action, actor) = (purpose.action(), Actor::Person(caller.person));
        if !self.may_read(caller, &world, action, &recording)? {
            let mut change = self.change(actor, self.now());
            let detail = json!({ "session": session, "action": action.name() });
            change.note("recording.refused", Outcome::Denied, about(&recording), detail);
            change.commit(point!("app.recording.refused.commit")).await?;
            let known = self.may_know(caller, &world, &recording)?;
            return Err(if known { AppError::NotAllowed { what: action.name() } } else { missing() });
        }
        if recording.deleted.is_some() {
            return Err(AppError::Taken("that recording was deleted when its time was up".to_owned()));
        }
        if purpose == Purpose::Watch && !self.sessions.has(session.lease()) {
            return Err(AppError::Taken("that session is over; replay it".to_owned()));
        }
        let reader = self.reader(&recording).await?.ok_or_else(missing)?.1;
        let mut change = self.change(actor, self.now());
        change.note(purpose.done(), Outcome::Done, about(&recording), json!({ "session": session }));
        change.commit(point!("app.recording.read.commit")).await?;
        Ok(Playing { app: Arc::clone(self), caller: caller.person, recording, purpose, reader })
    }

    async fn reader(&self, recording: &Recording) -> Result<Option<(At, Reader<Source>)>, AppError> {
        let row = row(recording.session);
        let Some(sealed) = self.store.sealed(&row).await? else { return Ok(None) };
        let secret = self.issuing.open(&super::place(&row), &sealed).map_err(|e| AppError::Seal(e.to_string()))?;
        let key = session_key(&secret)?;
        let Some((at, source)) = self.source(recording).await? else { return Ok(None) };
        let opened = tokio::task::spawn_blocking(move || Reader::open(source, key)).await;
        match opened.map_err(|e| AppError::Fault(e.to_string()))? {
            Ok(reader) => Ok(Some((at, reader))),
            Err(ReadError::Io(error)) if at == At::Store => Err(away(recording.session, error)),
            Err(error) => Err(AppError::Taken(format!("that recording cannot be read: {error}"))),
        }
    }

    /// Holds a recording against what the trail says of it. Nothing of what is in it is read.
    ///
    /// # Errors
    /// When there is none that the caller may know of.
    pub async fn verify_recording(&self, caller: &Caller, session: SessionId) -> Result<Verified, AppError> {
        let missing = || AppError::missing("recording of session", session);
        let world = self.world().await?;
        let recording = self.store.recording(session).await?.ok_or_else(missing)?;
        let may =
            self.may_know(caller, &world, &recording)? || self.may_read(caller, &world, Action::Replay, &recording)?;
        if !may {
            return Err(missing());
        }
        if recording.deleted.is_some() {
            return Err(AppError::Taken("that recording was deleted when its time was up".to_owned()));
        }
        let expected = recording.end.as_ref().and_then(|end| end.root);
        let verified = self.held_against_the_trail(&recording).await?;
        let mut change = self.change(Actor::Person(caller.person), self.now());
        let places: Vec<_> = verified.damage.iter().take(16).map(|d| json!({ "from": d.from, "to": d.to })).collect();
        let detail = json!({
            "session": session, "where": verified.at.name(), "whole": verified.whole, "root": verified.root, "expected": expected,
            "damage": places, "unreadable": verified.unreadable,
        });
        let outcome = if verified.whole { Outcome::Done } else { Outcome::Failed };
        change.note("recording.verified", outcome, about(&recording), detail);
        change.commit(point!("app.recording.verified.commit")).await?;
        Ok(verified)
    }

    /// Every copy there is; what is told is of the first that is not what it should be.
    async fn held_against_the_trail(&self, recording: &Recording) -> Result<Verified, AppError> {
        let file = self.file_of(recording)?;
        let object = recording.lies.object();
        let mut verified = None;
        if object.is_none() || file.is_some() {
            verified = Some(verify(recording, At::Folder, file, "there is no file".to_owned()).await?);
        }
        match (verified, object) {
            (Some(file), Some(_)) if !file.whole => Ok(file),
            (Some(file), None) => Ok(file),
            (Some(_) | None, Some(object)) => {
                let missing = format!("there is no object `{}` in the object store", object.name);
                verify(recording, At::Store, self.object_of(recording).await?, missing).await
            }
            (None, None) => Err(AppError::Fault("a recording was looked for nowhere".to_owned())),
        }
    }

    /// Searches the recordings that the caller may replay, newest first, up to a bound.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn search_recordings(self: &Arc<Self>, caller: &Caller, sought: Sought) -> Result<Searched, AppError> {
        let world = self.world().await?;
        let Sought { text, within, holder, resource, from, until } = sought;
        let filter =
            RecordingFilter { holder, resource, from, until, deleted: Some(false), ..RecordingFilter::default() };
        let page = self.store.recordings(filter, Slice::first(MOST_LISTED)).await?;
        let mut searched = Searched { found: Vec::new(), read: 0, unread: Vec::new(), more: page.next.is_some() };
        let mut left = MOST_BYTES;
        for recording in page.items {
            if !self.may_read(caller, &world, Action::Replay, &recording)? {
                continue;
            }
            if searched.read >= MOST_SEARCHED || left == 0 {
                searched.more = true;
                break;
            }
            searched.read += 1;
            let (at, reader) = match self.reader(&recording).await {
                Ok(Some(found)) => found,
                // Nothing found must not be said of what was not looked through.
                Err(AppError::Afar) => return Err(AppError::Afar),
                Ok(None) | Err(_) => {
                    searched.unread.push(recording.session);
                    continue;
                }
            };
            let text = text.clone();
            let looked = tokio::task::spawn_blocking(move || Search::new(&text, within, left).through(reader)).await;
            let Looked { places, left: rest, damaged, cut, failed } =
                looked.map_err(|e| AppError::Fault(e.to_string()))?;
            let unread = failed.is_some() || damaged || (cut && was_whole(&recording));
            if let (Some(error), At::Store) = (failed, at) {
                return Err(away(recording.session, error));
            }
            if unread {
                searched.unread.push(recording.session);
            }
            left = rest;
            if !places.is_empty() {
                searched.found.push(Found { recording, places });
            }
        }
        if !searched.found.is_empty() {
            let mut change = self.change(Actor::Person(caller.person), self.now());
            for found in &searched.found {
                let session = found.recording.session;
                let detail = json!({ "session": session, "places": found.places.len() });
                change.note("recording.searched", Outcome::Done, about(&found.recording), detail);
            }
            change.commit(point!("app.recording.searched.commit")).await?;
        }
        Ok(searched)
    }

    /// Recordings, newest first, and nothing of what is in them: all for those who may read access, else the
    /// caller's own.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_recordings(
        &self,
        caller: &Caller,
        filter: RecordingFilter,
        slice: Slice,
    ) -> Result<wane_store::Page<Recording>, AppError> {
        let world = self.world().await?;
        let filter = if self.allows(caller, &world, Action::ReadAccess)? {
            filter
        } else {
            match filter.holder {
                Some(holder) if holder != caller.person => return Err(AppError::NotAllowed { what: "read_access" }),
                Some(_) | None => RecordingFilter { holder: Some(caller.person), ..filter },
            }
        };
        Ok(self.store.recordings(filter, slice).await?)
    }

    /// How long a stream may go on before it is looked at again whether its reader may read on.
    #[must_use]
    pub const fn looked_at_again() -> Span {
        Span::from_secs(5)
    }
}

/// One copy of a recording, held against the trail.
async fn verify(recording: &Recording, at: At, source: Option<Source>, missing: String) -> Result<Verified, AppError> {
    let end = recording.end.as_ref();
    let (expected, chunks) = (end.and_then(|end| end.root), end.map_or(0, |end| end.chunks));
    let unreadable = |why| Verified {
        at,
        whole: false,
        expected,
        root: None,
        chunks: 0,
        has_end: false,
        damage: Vec::new(),
        unreadable: Some(why),
    };
    let Some(source) = source else { return Ok(unreadable(missing)) };
    let checked = tokio::task::spawn_blocking(move || check(source)).await;
    let seen = match checked.map_err(|e| AppError::Fault(e.to_string()))? {
        Ok(seen) => seen,
        // A store that does not answer is no finding about what is in it.
        Err(ReadError::Io(error)) if at == At::Store => return Err(away(recording.session, error)),
        Err(error) => return Ok(unreadable(error.to_string())),
    };
    let other = (seen.header.session != recording.session)
        .then(|| format!("it is the recording of another session, `{}`", seen.header.session));
    Ok(Verified {
        at,
        whole: seen.damage.is_empty()
            && other.is_none()
            && (end.is_none() || (seen.chunks == chunks && Some(seen.root) == expected)),
        expected,
        root: Some(seen.root),
        chunks: seen.chunks,
        has_end: seen.ending == Ending::Whole,
        damage: seen.damage,
        unreadable: other,
    })
}

/// Whether a recording had all of it when its session ended.
fn was_whole(recording: &Recording) -> bool {
    recording.end.as_ref().is_some_and(|end| end.state == RecordingState::Whole)
}

pub(super) fn about(recording: &Recording) -> Subjects {
    Subjects {
        person: Some(recording.holder),
        resource: Some(recording.resource),
        grant: Some(recording.grant),
        lease: Some(recording.session.lease()),
        ..Subjects::default()
    }
}
