//! Identity that has to be proved again while a session lasts: nothing passes once the proof is too old, and the
//! session is over if none comes.
//!
//! Goes by this process's own clock and the last word it has: whoever carries proofs may not answer.

use std::time::Duration;

use tokio::sync::watch;
use wane_app::Reproof;
use wane_domain::ambient::Ambient;
use wane_domain::time::{Span, Time};

/// Why a session is over.
pub(crate) const NOT_PROVED: &str = "identity was not proved again in time";
/// A person is told so long before; of short whiles a quarter of them.
const AHEAD: Span = Span::from_mins(1);
/// How often it is looked whether a pause is over, whatever woke nobody.
const LOOK: Duration = Duration::from_millis(100);

/// What is said to the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Soon,
    Paused,
}

/// How long the proof of one session carries it; for ever while it need not be proved again.
pub(crate) struct Proof(watch::Receiver<Option<Reproof>>);

impl Proof {
    pub(crate) fn new(told: watch::Receiver<Option<Reproof>>) -> Self {
        Self(told)
    }

    fn now_is_past(&self, now: Time, when: impl Fn(&Reproof) -> Time) -> bool {
        self.0.borrow().as_ref().is_some_and(|told| now >= when(told))
    }

    /// Why the session is over, if no proof came in time.
    pub(crate) fn ended(&self, now: Time) -> Option<String> {
        self.now_is_past(now, Reproof::cuts).then(|| NOT_PROVED.to_owned())
    }

    /// Waits a little for a proof, if nothing may pass. Returns whether it waited.
    pub(crate) async fn paused(&self, now: Time) -> bool {
        if !self.now_is_past(now, Reproof::pauses) {
            return false;
        }
        let mut told = self.0.clone();
        // What it was told before is what it was looked at with.
        told.mark_unchanged();
        let _ = tokio::time::timeout(LOOK, told.changed()).await;
        true
    }

    /// Tells the person what is asked of them, until it is over; says why.
    pub(crate) async fn race(&self, ambient: &Ambient, say: impl Fn(String)) -> String {
        let (mut told, mut said) = (self.0.clone(), Told::Nothing);
        loop {
            let known = *told.borrow_and_update();
            let Some(reproof) = known else {
                if told.changed().await.is_err() {
                    return std::future::pending().await;
                }
                continue;
            };
            let ahead = reproof.pauses().minus(AHEAD.min(Span::from_micros(reproof.every.micros() / 4)));
            let now = ambient.now();
            if now >= reproof.cuts() {
                return NOT_PROVED.to_owned();
            }
            let (then, next) = if now >= reproof.pauses() {
                (Told::Paused, reproof.cuts())
            } else if now >= ahead {
                (Told::Soon, reproof.pauses())
            } else {
                (Told::Nothing, ahead)
            };
            match (said, then) {
                (_, Told::Paused) if said != then => say(format!(
                    "this session is paused until you prove who you are: `wane prove`, or sign in again; it is cut in {}",
                    reproof.cuts().since(now)
                )),
                (Told::Nothing, Told::Soon) => say(format!(
                    "prove who you are within {} (`wane prove`, or sign in again), or this session is paused",
                    reproof.pauses().since(now)
                )),
                (Told::Paused, _) => say("identity is proved again; this session goes on".to_owned()),
                (Told::Nothing | Told::Soon, _) => {}
            }
            said = then;
            tokio::select! {
                // Whoever carries proofs is gone: none comes any more.
                changed = told.changed() => if changed.is_err() {
                    tokio::time::sleep(next.since(ambient.now()).to_std().max(LOOK)).await;
                },
                () = tokio::time::sleep(next.since(now).to_std()) => {}
            }
        }
    }
}
