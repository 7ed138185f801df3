//! Recordings of sessions that are over go to the object store, and leave the folder once they are there.
//!
//! Step by step, each of which may be done again: put and read back, written down, the file removed, written down.
//! What is to be done next is what the store of rows says of each; nothing else is remembered.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;
use serde_json::json;
use wane_audit::{Actor, Outcome};
use wane_domain::id::SessionId;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around_call, point};
use wane_store::{Lies, Recording, RecordingFilter, RecordingState, Slice, Whereabouts, Write};

use super::read::about;
use super::{Afar, Depot, DepotError};
use crate::App;
use crate::error::AppError;

/// Recordings that are put at the same time.
const AT_ONCE: usize = 4;
/// A recording that was cut off may have its last chunk on the way to its file still.
const SETTLES: Span = Span::from_secs(60);
/// The waits between two tries of one recording.
const FIRST: Span = Span::from_secs(10);
const LONGEST: Span = Span::from_secs(600);
const PAGE: u32 = 200;

/// What a pass came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shipped {
    /// Recordings that are in the object store now.
    pub put: usize,
    /// Files that were removed, because what was in them is in the object store.
    pub moved: usize,
    /// Objects of deleted recordings that were removed.
    pub removed: usize,
    /// Why the object store cannot be used at all.
    pub away: Option<String>,
    /// Recordings that could not be put, or removed, by themselves.
    pub failed: usize,
}

/// A step.
#[derive(Clone, Copy)]
enum Work {
    Put,
    Leave,
    Remove,
}

/// Recordings of sessions that are over, and lie there.
fn over(lies: Whereabouts) -> RecordingFilter {
    RecordingFilter { open: Some(false), deleted: Some(false), lies: Some(lies), ..RecordingFilter::default() }
}

/// Recordings that wait to be put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// Since when the oldest does.
    pub oldest: Option<Time>,
}

/// Recordings that failed by themselves, each with when it is tried again. Memory only: after a start all are
/// tried at once.
#[derive(Default)]
pub(crate) struct Later(Mutex<HashMap<SessionId, (Time, Span)>>);

impl Later {
    fn is_due(&self, session: SessionId, now: Time) -> bool {
        let later = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        later.get(&session).is_none_or(|(next, _)| *next <= now)
    }

    fn failed(&self, session: SessionId, now: Time) {
        let mut later = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = later
            .get(&session)
            .map_or(FIRST, |(_, wait)| Span::from_micros(wait.micros().saturating_mul(2)).min(LONGEST));
        later.insert(session, (now.plus(wait), wait));
    }

    fn done(&self, session: SessionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
    }
}

impl App {
    /// One pass: what was deleted is removed from the object store, what is over is put there, and what is there
    /// long enough leaves the folder. Nothing happens without an object store. One pass at a time.
    ///
    /// # Errors
    /// When the store of rows cannot be used; what the object store met is part of the answer.
    pub async fn ship_recordings(&self) -> Result<Shipped, AppError> {
        let mut shipped = Shipped::default();
        let Some(afar) = self.afar().cloned() else { return Ok(shipped) };
        let deleted = |lies| RecordingFilter { deleted: Some(true), lies: Some(lies), ..RecordingFilter::default() };
        for lies in [Whereabouts::Local, Whereabouts::Both, Whereabouts::Store] {
            self.each(Work::Remove, deleted(lies), &afar, &mut shipped).await?;
        }
        self.each(Work::Put, over(Whereabouts::Local), &afar, &mut shipped).await?;
        self.each(Work::Leave, over(Whereabouts::Both), &afar, &mut shipped).await?;
        Ok(shipped)
    }

    /// Clears away what puts that were cut off left in the object store; says also whether it can be used.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn sweep_depot(&self) -> Result<usize, DepotError> {
        match self.afar() {
            Some(afar) => afar.depot.sweep().await,
            None => Ok(0),
        }
    }

    /// Recordings that are over and not in the object store, although there is one.
    ///
    /// # Errors
    /// When the store of rows cannot be read.
    pub async fn waiting_recordings(&self) -> Result<Waiting, AppError> {
        let mut waiting = Waiting::default();
        let Some(shelf) = self.shelf.get().filter(|shelf| shelf.afar.is_some()) else { return Ok(waiting) };
        let mut slice = Slice::first(1_000);
        loop {
            let page = self.store.recordings(over(Whereabouts::Local), slice.clone()).await?;
            waiting.count += page.items.len() as u64;
            let ends = page.items.iter().filter_map(|recording| recording.end.as_ref().map(|end| end.at));
            waiting.oldest = ends.chain(waiting.oldest).min();
            match page.next {
                Some(next) => slice.after = Some(next),
                None => {
                    shelf.waiting.store(waiting.count, Ordering::Relaxed);
                    return Ok(waiting);
                }
            }
        }
    }

    /// How many those were when they were counted last.
    #[must_use]
    pub fn recordings_waiting(&self) -> u64 {
        self.shelf.get().map_or(0, |shelf| shelf.waiting.load(Ordering::Relaxed))
    }

    /// Whether any recording lies in an object store although none is set.
    ///
    /// # Errors
    /// When the store of rows cannot be read.
    pub async fn recordings_are_out_of_reach(&self) -> Result<bool, AppError> {
        if self.afar().is_some() {
            return Ok(false);
        }
        let filter =
            RecordingFilter { deleted: Some(false), lies: Some(Whereabouts::Store), ..RecordingFilter::default() };
        Ok(!self.store.recordings(filter, Slice::first(1)).await?.items.is_empty())
    }

    /// Does one step for all recordings for which it is due, a few at a time, until the object store is away.
    async fn each(
        &self,
        work: Work,
        filter: RecordingFilter,
        afar: &Afar,
        shipped: &mut Shipped,
    ) -> Result<(), AppError> {
        let mut slice = Slice::first(PAGE);
        let later = self.later();
        while shipped.away.is_none() {
            let page = self.store.recordings(filter.clone(), slice.clone()).await?;
            let now = self.now();
            let due = page.items.into_iter().filter(|recording| later.is_none_or(|l| l.is_due(recording.session, now)));
            let mut steps = futures::stream::iter(due)
                .map(|recording| async move { (recording.session, self.step(work, afar, &recording).await) })
                .buffer_unordered(AT_ONCE);
            while let Some((session, done)) = steps.next().await {
                match done {
                    Ok(step) => {
                        later.inspect(|later| later.done(session));
                        shipped.count(step);
                    }
                    Err(Failed::Store(error)) => return Err(error),
                    Err(Failed::Depot(DepotError::Away(why))) => {
                        shipped.away = Some(why);
                        break;
                    }
                    Err(Failed::Depot(DepotError::This(why))) => {
                        tracing::error!(%session, %why, "a recording cannot be moved to the object store; it is tried again");
                        later.inspect(|later| later.failed(session, now));
                        shipped.failed += 1;
                    }
                }
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => break,
            }
        }
        Ok(())
    }

    async fn step(&self, work: Work, afar: &Afar, recording: &Recording) -> Result<Step, Failed> {
        match work {
            Work::Put => self.put_recording(&*afar.depot, recording).await,
            Work::Leave => self.leave_folder(afar, recording).await,
            Work::Remove => self.remove_object(&*afar.depot, recording).await,
        }
    }

    fn later(&self) -> Option<&Later> {
        self.shelf.get().map(|shelf| &shelf.later)
    }

    async fn put_recording(&self, depot: &dyn Depot, recording: &Recording) -> Result<Step, Failed> {
        let Some(end) = &recording.end else { return Ok(Step::Nothing) };
        if end.state == RecordingState::Cut && self.now() < end.at.plus(SETTLES) {
            return Ok(Step::Nothing);
        }
        let Some(object) = depot.put(recording.session).await? else {
            return Err(Failed::Depot(DepotError::This("there is no file".to_owned())));
        };
        let detail = json!({
            "session": recording.session, "object": object.name, "bytes": object.bytes, "sha256": object.sha256,
        });
        let booked = self
            .turn_to(recording.session, |now| match now {
                // One that was deleted meanwhile is not there for anybody: its object goes with the next pass.
                Recording { deleted: None, lies: Lies::Local, .. } => Some(Lies::Both(object)),
                _ => None,
            })
            .await?;
        let Some(booked) = booked else { return Ok(Step::Nothing) };
        booked.commit(self, "recording.stored", detail).await?;
        Ok(Step::Put)
    }

    /// INVARIANT: a file goes only once it is written down that its recording was read back from the object store
    /// (held by `a_file_goes_only_after_its_object_is_written_down`).
    async fn leave_folder(&self, afar: &Afar, recording: &Recording) -> Result<Step, Failed> {
        let ended = recording.end.as_ref().map_or(recording.began, |end| end.at);
        if self.now() < ended.plus(afar.keep_local) {
            return Ok(Step::Nothing);
        }
        self.remove_file(recording.session)?;
        let booked = self
            .turn_to(recording.session, |now| match &now.lies {
                Lies::Both(object) => Some(Lies::Store(object.clone())),
                Lies::Local | Lies::Store(_) | Lies::Gone => None,
            })
            .await?;
        let Some(booked) = booked else { return Ok(Step::Nothing) };
        booked.commit(self, "recording.moved", json!({ "session": recording.session })).await?;
        Ok(Step::Moved)
    }

    /// Of a recording that was deleted: the file, and whatever lies under its name in the object store, also if that
    /// was never written down.
    async fn remove_object(&self, depot: &dyn Depot, recording: &Recording) -> Result<Step, Failed> {
        self.remove_file(recording.session)?;
        let name = match recording.lies.object() {
            Some(object) => object.name.clone(),
            None => depot.name_of(recording.session)?,
        };
        depot.remove(&name).await?;
        let gone = |now: &Recording| (now.lies != Lies::Gone).then_some(Lies::Gone);
        let Some(booked) = self.turn_to(recording.session, gone).await? else { return Ok(Step::Nothing) };
        booked.commit(self, "recording.removed", json!({ "session": recording.session, "object": name })).await?;
        Ok(Step::Removed)
    }

    fn remove_file(&self, session: SessionId) -> Result<(), Failed> {
        // A folder that cannot be had is said where it is opened.
        let Ok(recordings) = self.recordings() else { return Ok(()) };
        let removed = around_call(point!("app.recording.file.remove"), || recordings.remove(session));
        removed.map_err(|why| Failed::Depot(DepotError::This(why)))
    }

    /// A recording as it is now, to be written down as lying elsewhere; nothing if it does not any more. Nobody else
    /// writes it until that is done.
    async fn turn_to(
        &self,
        session: SessionId,
        lies: impl FnOnce(&Recording) -> Option<Lies>,
    ) -> Result<Option<Booked<'_>>, AppError> {
        let Some(shelf) = self.shelf.get() else { return Ok(None) };
        let turn = shelf.turn.lock().await;
        let Some(mut recording) = self.store.recording(session).await? else { return Ok(None) };
        let Some(lies) = lies(&recording) else { return Ok(None) };
        recording.lies = lies;
        Ok(Some(Booked { recording, _turn: turn }))
    }
}

/// A recording that is about to be written down.
struct Booked<'a> {
    recording: Recording,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl Booked<'_> {
    async fn commit(self, app: &App, event: &str, detail: serde_json::Value) -> Result<(), AppError> {
        let mut change = app.change(Actor::System, app.now());
        change.note(event, Outcome::Done, about(&self.recording), detail);
        change.write(Write::Recording(self.recording.clone()));
        change.commit(point!("app.recording.lies.commit")).await.map(|_| ())
    }
}

enum Step {
    Put,
    Moved,
    Removed,
    Nothing,
}

enum Failed {
    Store(AppError),
    Depot(DepotError),
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        Self::Store(error)
    }
}

impl From<DepotError> for Failed {
    fn from(error: DepotError) -> Self {
        Self::Depot(error)
    }
}

impl Shipped {
    const fn count(&mut self, step: Step) {
        match step {
            Step::Put => self.put += 1,
            Step::Moved => self.moved += 1,
            Step::Removed => self.removed += 1,
            Step::Nothing => {}
        }
    }
}
