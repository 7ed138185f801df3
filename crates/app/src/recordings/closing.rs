//! How a recording came out, written down with the close of its session; and recordings of sessions that a
//! crash cut off.

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::SessionId;
use wane_failpoint::point;
use wane_recording::{Ending, Seen, check};
use wane_store::{Recording, RecordingEnd, RecordingFilter, RecordingState, Slice, Write};

use super::Taped;
use crate::change::{Change, about_lease};
use crate::error::AppError;
use crate::{App, decide};

/// How the recording of a session came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordOutcome {
    /// Whole.
    Whole(Taped),
    /// Not, and why.
    Failed(String),
}

/// Why a recording of a session that nobody carries any more has no end.
const LOST: &str = "the process that recorded it stopped before the session was over";

impl App {
    /// What a recording that is not whole holds all the same, and why it is not whole.
    async fn inspect(&self, session: SessionId, why: &str) -> RecordingEnd {
        // Whatever is wrong with the disk must not keep a session from being written down as closed.
        let found = self.recordings().map_err(|e| e.to_string()).and_then(|recordings| recordings.read(session));
        let found = found.unwrap_or_else(|why| {
            tracing::error!(%session, %why, "what there is of a recording that is not whole cannot be read");
            None
        });
        let seen = match found {
            Some(file) => tokio::task::spawn_blocking(move || check(file)).await.ok().and_then(Result::ok),
            None => None,
        };
        let (at, why, facts) = (self.now(), Some(why.to_owned()), Value::Null);
        match seen {
            Some(Seen { chunks, root, ending, .. }) => {
                let bytes = match ending {
                    Ending::Cut { at } => at,
                    Ending::Whole => 0,
                };
                RecordingEnd { at, state: RecordingState::Cut, chunks, bytes, root: Some(root), why, facts }
            }
            None => RecordingEnd { at, state: RecordingState::Lost, chunks: 0, bytes: 0, root: None, why, facts },
        }
    }

    /// The recording of a session that has no end yet, and the end it is to have; nothing if there is none.
    pub(crate) async fn recording_end(
        &self,
        session: SessionId,
        recorded: Option<&RecordOutcome>,
        facts: Option<&Value>,
    ) -> Result<Option<Recording>, AppError> {
        let Some(mut recording) = self.store.recording(session).await?.filter(|r| r.end.is_none()) else {
            return Ok(None);
        };
        // A server that starts ends what is left before it has looked what there is of its recording: that is
        // settled once it has (held by `killed_at_every_step_of_a_session_nothing_of_it_is_left_open`).
        if recorded.is_none() && self.shelf.get().is_none() {
            return Ok(None);
        }
        let mut end = match recorded {
            Some(RecordOutcome::Whole(taped)) => RecordingEnd {
                at: self.now(),
                state: RecordingState::Whole,
                chunks: taped.chunks,
                bytes: taped.bytes,
                root: Some(taped.root),
                why: None,
                facts: Value::Null,
            },
            Some(RecordOutcome::Failed(why)) => self.inspect(session, why).await,
            None => self.inspect(session, LOST).await,
        };
        end.facts = facts.cloned().unwrap_or_default();
        recording.end = Some(end);
        Ok(Some(recording))
    }

    /// Gives every recording its end whose session nobody carries: those that a crash cut off.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn settle_lost_recordings(&self) -> Result<(), AppError> {
        let filter = RecordingFilter { open: Some(true), ..RecordingFilter::default() };
        let mut slice = Slice::first(100);
        loop {
            let page = self.store.recordings(filter.clone(), slice.clone()).await?;
            for recording in page.items.iter().filter(|r| !self.sessions.has(r.session.lease())) {
                let session = recording.session;
                decide!(async {
                    let Some(ended) = self.recording_end(session, None, None).await? else { return Ok(()) };
                    let about = match self.store.lease(session.lease()).await? {
                        Some(lease) => about_lease(&lease.value, None),
                        None => Subjects::default(),
                    };
                    let mut change = self.change(Actor::System, self.now());
                    change.recording(about, ended);
                    change.commit(point!("app.recording.settle.commit")).await.map(|_| ())
                })?;
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

impl Change<'_> {
    /// Adds the end of a recording. That something of a session is not in it is a finding.
    pub(crate) fn recording(&mut self, about: Subjects, recording: Recording) {
        if let Some(end) = recording.end.as_ref().filter(|end| end.state != RecordingState::Whole) {
            let mut detail = said(end);
            if let Some(detail) = detail.as_object_mut() {
                detail.insert("session".to_owned(), json!(recording.session));
            }
            self.note("recording.gap", Outcome::Failed, about, detail);
        }
        self.write(Write::Recording(recording));
    }
}

/// What the trail says of a recording.
pub(crate) fn said(end: &RecordingEnd) -> Value {
    json!({ "state": end.state, "chunks": end.chunks, "bytes": end.bytes, "root": end.root, "why": end.why })
}
