//! The recording of one session, as its line uses it.

use std::sync::OnceLock;

use tokio::sync::Notify;
use wane_app::{OnFailure, RecordOutcome, Roll};
use wane_connector::broker::Files;
use wane_domain::time::Time;
use wane_recording::Event;

/// What the person is told; why is for the log and the trail.
const FAILED: &str = "its recording failed";

/// What a session is recorded on, and whether that still goes well.
pub(crate) struct Record {
    roll: Roll,
    /// Set once: from then on nothing more is recorded.
    failed: OnceLock<String>,
    fails: Notify,
}

impl Record {
    pub(crate) fn new(roll: Roll) -> Self {
        Self { roll, failed: OnceLock::new(), fails: Notify::new() }
    }

    /// Records what is about to pass; waits while the disk does not keep up.
    ///
    /// INVARIANT: nothing passes that is not recorded first, unless the terms let the session go on without
    /// (held by `nothing_passes_once_its_recording_failed`).
    pub(crate) async fn event(&self, now: Time, event: &Event<'_>) {
        if self.failed.get().is_some() {
            return;
        }
        if let Err(why) = self.roll.tape.event(now, event).await {
            tracing::error!(%why, "a session is not recorded any more");
            let _ = self.failed.set(why);
            self.fails.notify_one();
        }
    }

    /// What of files that are carried.
    pub(crate) fn files(&self) -> Files {
        self.roll.files
    }

    /// Why the session is over, if it is for that.
    pub(crate) fn ended(&self) -> Option<String> {
        match self.roll.on_failure {
            OnFailure::Close => self.failed.get().map(|_| FAILED.to_owned()),
            OnFailure::GoOn => None,
        }
    }

    /// Waits until the session is over for that; says why.
    pub(crate) async fn fails(&self) -> String {
        loop {
            if let Some(why) = self.ended() {
                return why;
            }
            self.fails.notified().await;
        }
    }

    /// Ends it: nothing passes any more.
    pub(crate) async fn finish(&self, now: Time, why: &str) -> RecordOutcome {
        if let Some(why) = self.failed.get() {
            return RecordOutcome::Failed(why.clone());
        }
        match self.roll.tape.finish(now, why).await {
            Ok(taped) => RecordOutcome::Whole(taped),
            Err(why) => RecordOutcome::Failed(why),
        }
    }
}
