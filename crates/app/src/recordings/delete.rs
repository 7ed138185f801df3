//! Recordings that are old enough go, and that they went stays.

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::time::Span;
use wane_failpoint::point;
use wane_store::{Recording, RecordingFilter, Slice, Write};

use super::row;
use crate::App;
use crate::error::AppError;

impl App {
    /// Deletes recordings of sessions that ended longer ago than they are kept.
    ///
    /// INVARIANT: a recording goes only once it is written down that it does, and its key goes in the same
    /// commit: what is left on any disk or backup cannot be read (held by `an_old_recording_goes_and_that_stays`).
    ///
    /// # Errors
    /// When the store cannot be used, or a file cannot be removed.
    pub async fn delete_old_recordings(&self) -> Result<(), AppError> {
        let Some(keep) = self.shelf.get().and_then(|shelf| shelf.rules.keep) else { return Ok(()) };
        let before = self.now().minus(keep);
        let filter = RecordingFilter { ended: Some(before), deleted: Some(false), ..RecordingFilter::default() };
        let mut slice = Slice::first(100);
        loop {
            let page = self.store.recordings(filter.clone(), slice.clone()).await?;
            for recording in page.items {
                self.delete_recording(recording, keep).await?;
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return self.remove_what_is_deleted().await,
            }
        }
    }

    async fn delete_recording(&self, mut recording: Recording, keep: Span) -> Result<(), AppError> {
        let session = recording.session;
        let mut change = self.change(Actor::System, self.now());
        recording.deleted = Some(change.at());
        let about = Subjects {
            person: Some(recording.holder),
            resource: Some(recording.resource),
            grant: Some(recording.grant),
            lease: Some(session.lease()),
            ..Subjects::default()
        };
        let root = recording.end.as_ref().and_then(|end| end.root);
        let detail = json!({ "session": session, "root": root, "kept_secs": keep.secs(), "why": "retention" });
        change.note("recording.deleted", Outcome::Done, about, detail);
        change.write(Write::RemoveSealed(row(session))).write(Write::Recording(recording));
        change.commit(point!("app.recording.delete.commit")).await?;
        Ok(())
    }

    /// Removes the files of recordings that were deleted, also of those where that failed before.
    async fn remove_what_is_deleted(&self) -> Result<(), AppError> {
        let Ok(recordings) = self.recordings() else { return Ok(()) };
        for session in recordings.all().map_err(AppError::Fault)? {
            let deleted = self.store.recording(session).await?.is_some_and(|recording| recording.deleted.is_some());
            if deleted {
                recordings.remove(session).map_err(AppError::Fault)?;
            }
        }
        Ok(())
    }
}
