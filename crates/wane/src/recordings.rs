//! Recordings of sessions, in a folder.
//!
//! A server whose recordings cannot be kept serves all the same, and ends what must end: but no session
//! begins that is to be recorded, and the log says why.

use std::convert::Infallible;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wane_app::{App, OnFailure, Recordings, Rules, Tape, Taped, Which};
use wane_archive::Archive;
use wane_config::{RecordingFailure, RecordingFiles, RecordingSessions, Settings};
use wane_connector::broker::Files;
use wane_domain::id::SessionId;
use wane_domain::time::Time;
use wane_recording::{Event, Header, SessionKey};
use wane_runtime::Supervisor;

use crate::deployment::span;
use crate::depot;

/// How often it is looked for recordings that are old enough to go, or were left without an end.
const LOOK: Duration = Duration::from_secs(600);

/// The archive as the use-cases see it.
struct Kept(Arc<Archive>);

#[async_trait]
impl Recordings for Kept {
    async fn begin(&self, header: &Header, key: SessionKey) -> Result<Arc<dyn Tape>, String> {
        let tape = self.0.begin(header, key).await.map_err(|e| e.to_string())?;
        Ok(Arc::new(Reel(tape)))
    }
    fn read(&self, session: SessionId) -> Result<Option<Box<dyn Read + Send + Sync>>, String> {
        let file = self.0.folder().read(session).map_err(|e| e.to_string())?;
        Ok(file.map(|file| Box::new(file) as Box<dyn Read + Send + Sync>))
    }
    fn all(&self) -> Result<Vec<SessionId>, String> {
        self.0.folder().sessions().map_err(|e| e.to_string())
    }
    fn remove(&self, session: SessionId) -> Result<(), String> {
        self.0.folder().remove(session).map_err(|e| e.to_string())
    }
}

struct Reel(wane_archive::Tape);

#[async_trait]
impl Tape for Reel {
    async fn event(&self, now: Time, event: &Event<'_>) -> Result<(), String> {
        self.0.event(now, event).await.map_err(|e| e.to_string())
    }
    async fn finish(&self, now: Time, why: &str) -> Result<Taped, String> {
        let sealed = self.0.finish(now, why).await.map_err(|e| e.to_string())?;
        Ok(Taped { root: sealed.root, chunks: sealed.chunks, bytes: sealed.bytes })
    }
}

/// Opens the archive, has it written, and hands it over. What comes back is to be closed once no session is
/// left.
pub(crate) fn keep(supervisor: &mut Supervisor, app: &Arc<App>, settings: &Settings) -> Option<Arc<Archive>> {
    let recording = &settings.recording;
    // Without a gateway there is nothing to record, but there may be something to read.
    let gateway = settings.gateway.ssh.is_some() || settings.gateway.http.is_some();
    if !gateway && !recording.folder.exists() && recording.store.is_none() {
        return None;
    }
    let rules = Rules {
        which: match recording.sessions {
            RecordingSessions::All => Which::All,
            RecordingSessions::Required => Which::Required,
        },
        on_failure: match recording.on_failure {
            RecordingFailure::Close => OnFailure::Close,
            RecordingFailure::GoOn => OnFailure::GoOn,
        },
        keep: recording.keep.map(span),
        files: match recording.files {
            RecordingFiles::Contents => Files::Contents,
            RecordingFiles::Names => Files::Names,
        },
    };
    let (archive, scribe) = match Archive::open(&recording.folder) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%error, "recordings cannot be kept: no session begins that is to be recorded");
            app.record_in(None, rules, depot::afar(recording.store.as_ref(), app.org(), None));
            return None;
        }
    };
    let archive = Arc::new(archive);
    let afar = depot::afar(recording.store.as_ref(), app.org(), Some(archive.folder()));
    let goes = afar.is_some();
    app.record_in(Some(Arc::new(Kept(Arc::clone(&archive)))), rules, afar);
    if goes {
        depot::carry(supervisor, app);
    }
    // It waits for disks, on a thread of its own.
    let writing = tokio::task::spawn_blocking(move || scribe.run());
    supervisor.keep("recordings", async move {
        if let Err(error) = writing.await {
            tracing::error!(%error, "what writes recordings died");
        }
    });
    let app = Arc::clone(app);
    supervisor.spawn("retention", move |stop| {
        let app = Arc::clone(&app);
        async move {
            if app.recordings_are_out_of_reach().await.unwrap_or_default() {
                tracing::warn!("there are recordings that lie in an object store, and no `[recording.store]` is set: nobody can read them");
            }
            loop {
                if let Err(error) = app.settle_lost_recordings().await {
                    tracing::warn!(%error, "recordings that were cut off could not all be given their end; it is tried again");
                }
                if let Err(error) = app.delete_old_recordings().await {
                    tracing::warn!(%error, "recordings that are old enough could not all be deleted; it is tried again");
                }
                tokio::select! {
                    () = stop.cancelled() => return Ok::<(), Infallible>(()),
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    });
    Some(archive)
}
