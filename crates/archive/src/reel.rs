//! What tape and scribe share of one session: what was given, what is on disk, and how far the two may be apart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wane_domain::id::SessionId;
use wane_domain::time::{Span, Time};
use wane_recording::{Event, Press, RecordError, Recorder, Sealer, Uncut};

use crate::queue::{Haste, Lent, Queue};
use crate::tape::{MOST_WINDOW, Sealed, TapeError, WINDOW};

/// How old may be what passed and is not on disk.
const AGE: Span = Span::from_micros(200_000);
/// A disk that takes longer with a turn gets less in the next.
const LONG: Span = Span::from_micros(100_000);
/// What an event counts for besides its data.
const HEAD: usize = 64;
/// How much more than in its last turn a session may bring in its next.
const GROWS: u64 = 4;

/// One session's tape, as both see it.
pub(crate) struct Reel {
    pub(crate) session: SessionId,
    state: Mutex<State>,
    /// The scribe's: what makes frames of the events. None once the last is made.
    sealer: Mutex<Option<Sealer>>,
    pub(crate) progress: Notify,
}

struct State {
    recorder: Recorder,
    /// What comes before the first frame, until it is cut with it.
    head: Vec<u8>,
    /// Bytes of events given, taken by the scribe, and on disk.
    given: u64,
    cut: u64,
    durable: u64,
    /// What this session may have on its way beyond [`WINDOW`].
    lent: Lent,
    /// When the oldest event was given that is not cut, and of those that are cut and not on disk.
    uncut_since: Option<Time>,
    unsynced_since: Option<Time>,
    /// Of the last turn, until the next event says how long it took: since when, and how much it was.
    settled: Option<(Time, u64)>,
    /// The session was held back since the last turn.
    held: bool,
    /// Where its next frame goes in its file.
    end: u64,
    /// It is in the scribe's queue.
    queued: bool,
    finishing: bool,
    /// Nobody holds the tape any more.
    left: bool,
    sealed: Option<Sealed>,
    failed: Option<TapeError>,
}

/// What the scribe takes away, and has to make frames of.
pub(crate) struct Taken {
    uncut: Uncut,
    head: Vec<u8>,
    upto: u64,
    last: bool,
    left: bool,
}

/// The frames, and where they go in the session's file.
pub(crate) struct Pressed {
    pub(crate) at: u64,
    /// How many bytes of them.
    pub(crate) length: u64,
    /// Whether there are frames before them, so that the chain can be taken up where they begin.
    pub(crate) follows: bool,
    uncut: Uncut,
    upto: u64,
    sealed: Option<Sealed>,
    /// Nothing comes after them.
    pub(crate) closes: bool,
}

impl Pressed {
    /// How many bytes of events are in them.
    pub(crate) fn size(&self) -> usize {
        self.uncut.size()
    }
}

impl Reel {
    pub(crate) fn new(
        session: SessionId,
        recorder: Recorder,
        sealer: Sealer,
        head: Vec<u8>,
        queue: &Arc<Queue>,
    ) -> Arc<Self> {
        let state = State {
            recorder,
            head,
            // Counted, so that the head alone can be waited for.
            given: 1,
            cut: 0,
            durable: 0,
            lent: Lent::nothing(queue),
            uncut_since: None,
            unsynced_since: None,
            settled: None,
            held: false,
            end: 0,
            queued: false,
            finishing: false,
            left: false,
            sealed: None,
            failed: None,
        };
        Arc::new(Self { session, state: Mutex::new(state), sealer: Mutex::new(Some(sealer)), progress: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event in; nothing if it has to wait.
    ///
    /// INVARIANT: what was taken and is not on disk is at most one window, or one event, and the oldest
    /// of it was taken no longer ago than [`AGE`]; a window is [`WINDOW`], and never more than [`MOST_WINDOW`]
    /// (held by `what_passed_is_on_disk_but_for_one_window`, `a_stream_has_a_window_that_grows_and_has_a_bound`,
    /// `a_disk_that_hangs_lets_nothing_more_pass`).
    pub(crate) fn take(&self, now: Time, event: &Event<'_>, size: usize) -> Result<Option<Haste>, TapeError> {
        let mut state = self.state();
        state.check()?;
        if state.finishing {
            return Err(TapeError::Over);
        }
        state.learn(now);
        let count = (size + HEAD) as u64;
        let (window, on_the_way) = (state.window(), state.given.saturating_sub(state.durable));
        let fits = on_the_way <= 1 || on_the_way + count <= window;
        let oldest = state.unsynced_since.or(state.uncut_since);
        let stale = oldest.is_some_and(|since| now.since(since) > AGE);
        if !fits || stale {
            state.held = true;
            return Ok(None);
        }
        match state.recorder.event(now, event) {
            Ok(()) => {}
            // Room is made by the next cut, unless there is nothing to cut: then it never fits.
            Err(RecordError::Full) if on_the_way > 1 => return Ok(None),
            Err(error) => return Err(state.fail(TapeError::Failed(error.to_string().into()))),
        }
        state.given += count;
        state.uncut_since.get_or_insert(now);
        // Half a window is filled while the other is on its way.
        let half = (state.given - state.cut) * 2 >= window && window > WINDOW as u64;
        Ok(Some(if half { Haste::Now } else { Haste::Soon }))
    }

    /// Whether it has to be put into the scribe's queue.
    pub(crate) fn is_to_queue(&self) -> bool {
        !std::mem::replace(&mut self.state().queued, true)
    }

    /// How much was given so far.
    pub(crate) fn given(&self) -> u64 {
        self.state().given
    }

    pub(crate) fn reached(&self, goal: u64) -> Result<bool, TapeError> {
        let state = self.state();
        state.check()?;
        Ok(state.durable >= goal)
    }

    pub(crate) fn finish(&self) {
        self.state().finishing = true;
    }

    pub(crate) fn leave(&self) {
        self.state().left = true;
    }

    pub(crate) fn sealed(&self) -> Result<Option<Sealed>, TapeError> {
        let state = self.state();
        state.check()?;
        Ok(state.sealed)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed.is_some()
    }

    /// Whether more than an ordinary window waits to be taken.
    pub(crate) fn has_much(&self) -> bool {
        let state = self.state();
        state.given - state.cut > WINDOW as u64
    }

    /// What is next for the disk; nothing if there is nothing, or it failed.
    pub(crate) fn cut(&self) -> Option<Taken> {
        let mut state = self.state();
        state.queued = false;
        if state.failed.is_some() || state.is_done() {
            return None;
        }
        // The scribe has one turn of a tape at a time: nothing older waits for the disk.
        state.unsynced_since = state.uncut_since.take();
        state.cut = state.given;
        Some(Taken {
            uncut: state.recorder.take_away(),
            head: std::mem::take(&mut state.head),
            upto: state.given,
            last: state.finishing,
            left: state.left,
        })
    }

    /// Makes frames of it, behind what is in `out`. The session goes on meanwhile.
    pub(crate) fn press(&self, taken: Taken, press: &mut Press, out: &mut Vec<u8>) -> Option<Pressed> {
        match self.frames(taken, press, out) {
            Ok(pressed) => Some(pressed),
            Err(error) => {
                self.fail(TapeError::Failed(error.to_string().into()));
                None
            }
        }
    }

    fn frames(&self, taken: Taken, press: &mut Press, out: &mut Vec<u8>) -> Result<Pressed, RecordError> {
        let Taken { uncut, head, upto, last, left } = taken;
        let start = out.len();
        let mut place = self.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        let follows = place.as_ref().is_none_or(|sealer| sealer.chunks() > 0);
        out.extend_from_slice(&head);
        let seal = match (place.take(), last) {
            (Some(sealer), true) => Some(sealer.finish(press, &uncut, out)?),
            (Some(mut sealer), false) => {
                sealer.seal(press, &uncut, out)?;
                *place = Some(sealer);
                None
            }
            (None, _) => None,
        };
        let length = (out.len() - start) as u64;
        let mut state = self.state();
        let at = state.end;
        state.end += length;
        let sealed = seal.map(|(root, chunks)| Sealed { root, chunks, bytes: state.end });
        Ok(Pressed { at, length, follows, uncut, upto, closes: sealed.is_some() || left, sealed })
    }

    /// It is on disk.
    pub(crate) fn settled(&self, pressed: Pressed) {
        let mut state = self.state();
        state.settled = state.unsynced_since.take().map(|since| (since, pressed.upto - state.durable));
        state.durable = pressed.upto;
        state.sealed = pressed.sealed;
        state.recorder.give_back(pressed.uncut);
        if !std::mem::take(&mut state.held) && state.given == state.durable {
            // Nothing came meanwhile: it is no stream, and what others have use for is given back.
            state.lent.become_near(0);
            state.settled = None;
            state.recorder.rest();
        }
        drop(state);
        self.progress.notify_waiters();
    }

    /// It is not, and will not be. The first reason stays.
    pub(crate) fn fail(&self, why: TapeError) -> TapeError {
        let why = self.state().fail(why);
        self.progress.notify_waiters();
        why
    }
}

impl State {
    fn check(&self) -> Result<(), TapeError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, why: TapeError) -> TapeError {
        self.lent.become_near(0);
        self.failed.get_or_insert(why).clone()
    }

    fn window(&self) -> u64 {
        (WINDOW + self.lent.bytes()) as u64
    }

    /// After a turn: a stream that the disk keeps up with may bring several times as much in the next, one that it
    /// does not keep up with half as much.
    fn learn(&mut self, now: Time) {
        let Some((since, much)) = self.settled.take() else { return };
        let window = if now.since(since) > LONG { self.window() / 2 } else { much.saturating_mul(GROWS) };
        let window = usize::try_from(window).unwrap_or(MOST_WINDOW).clamp(WINDOW, MOST_WINDOW);
        self.lent.become_near(window - WINDOW);
    }

    /// Whether there is nothing for the disk.
    fn is_done(&self) -> bool {
        let cut = self.head.is_empty() && self.uncut_since.is_none();
        self.sealed.is_some() || (cut && !self.finishing && !self.left)
    }
}

#[cfg(test)]
pub(crate) mod tests;
