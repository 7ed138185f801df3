//! Recordings that are old enough go, and that they went stays.

use serde_json::json;
use wane_audit::{Actor, Outcome};
use wane_domain::id::SessionId;
use wane_domain::time::Span;
use wane_failpoint::point;
use wane_store::{Lies, RecordingFilter, Slice, Write};

use super::read::about;
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
        let Some(keep) = self.shelf.get().and_then(|shelf| shelf.rules.keep) else {
            return self.remove_what_lies_elsewhere().await;
        };
        let before = self.now().minus(keep);
        let filter = RecordingFilter { ended: Some(before), deleted: Some(false), ..RecordingFilter::default() };
        let mut slice = Slice::first(100);
        loop {
            let page = self.store.recordings(filter.clone(), slice.clone()).await?;
            for recording in page.items {
                self.delete_recording(recording.session, keep).await?;
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return self.remove_what_lies_elsewhere().await,
            }
        }
    }

    async fn delete_recording(&self, session: SessionId, keep: Span) -> Result<(), AppError> {
        // As it is now: it may have gone to the object store since it was listed.
        let Some(shelf) = self.shelf.get() else { return Ok(()) };
        let _turn = shelf.turn.lock().await;
        let found = self.store.recording(session).await?.filter(|recording| recording.deleted.is_none());
        let Some(mut recording) = found else { return Ok(()) };
        let mut change = self.change(Actor::System, self.now());
        recording.deleted = Some(change.at());
        let root = recording.end.as_ref().and_then(|end| end.root);
        let detail = json!({ "session": session, "root": root, "kept_secs": keep.secs(), "why": "retention" });
        change.note("recording.deleted", Outcome::Done, about(&recording), detail);
        change.write(Write::RemoveSealed(row(session))).write(Write::Recording(recording));
        change.commit(point!("app.recording.delete.commit")).await?;
        Ok(())
    }

    /// Removes the files of recordings that were deleted, also of those where that failed before; and of those that
    /// lie in an object store alone, which a crash may have brought back out of a journal.
    async fn remove_what_lies_elsewhere(&self) -> Result<(), AppError> {
        let Ok(recordings) = self.recordings() else { return Ok(()) };
        for session in recordings.all().map_err(AppError::Fault)? {
            let Some(recording) = self.store.recording(session).await? else { continue };
            if recording.deleted.is_some() || matches!(recording.lies, Lies::Store(_) | Lies::Gone) {
                recordings.remove(session).map_err(AppError::Fault)?;
            }
        }
        Ok(())
    }
}
