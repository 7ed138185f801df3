//! Where recordings lie once their sessions are over, if that is not the folder: what the use-cases need of an
//! object store.

use std::fmt::Display;
use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use wane_domain::id::SessionId;
use wane_domain::time::Span;
use wane_store::{Lies, Recording, StoredObject};

use crate::App;
use crate::error::AppError;

/// A recording, to be read from its beginning. May block.
pub(super) type Source = Box<dyn Read + Send + Sync>;

/// An object store.
#[async_trait]
pub trait Depot: Send + Sync {
    /// What the object of a session's recording is called; always the same.
    fn name_of(&self, session: SessionId) -> Result<String, DepotError>;
    /// Puts the file of a session there and reads it back; nothing if there is no file. May be done again whatever
    /// became of an earlier try, and puts nothing over anything.
    async fn put(&self, session: SessionId) -> Result<Option<StoredObject>, DepotError>;
    /// An object, to be read where blocking is allowed; nothing if it is not there.
    async fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send + Sync>>, DepotError>;
    /// Removes an object and looks whether it is gone; one that is not there is gone.
    async fn remove(&self, name: &str) -> Result<(), DepotError>;
    /// Clears away what tries that were cut off left there, while none is under way; says how much that was.
    async fn sweep(&self) -> Result<usize, DepotError>;
}

/// Why an object store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DepotError {
    /// It cannot be used at all now.
    #[error("{0}")]
    Away(String),
    /// It can, but this one could not be done.
    #[error("{0}")]
    This(String),
}

/// An object store, and how long recordings stay in the folder beside it.
#[derive(Clone)]
pub struct Afar {
    /// The store.
    pub depot: Arc<dyn Depot>,
    /// How long after its session a recording stays in the folder as well.
    pub keep_local: Span,
}

impl std::fmt::Debug for Afar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Afar").field("keep_local", &self.keep_local).finish_non_exhaustive()
    }
}

/// Which of the places in which a recording lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The file.
    Folder,
    /// The object.
    Store,
}

impl At {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Folder => "local",
            Self::Store => "store",
        }
    }
}

impl App {
    pub(super) fn afar(&self) -> Option<&Afar> {
        self.shelf.get().and_then(|shelf| shelf.afar.as_ref())
    }

    /// A recording from the nearest place where it is; nothing if it is nowhere.
    pub(super) async fn source(&self, recording: &Recording) -> Result<Option<(At, Source)>, AppError> {
        if let Some(file) = self.file_of(recording)? {
            return Ok(Some((At::Folder, file)));
        }
        Ok(self.object_of(recording).await?.map(|object| (At::Store, object)))
    }

    /// The file of a recording, if that is where it lies.
    pub(super) fn file_of(&self, recording: &Recording) -> Result<Option<Source>, AppError> {
        match &recording.lies {
            Lies::Local => self.recordings()?.read(recording.session).map_err(AppError::Unrecorded),
            // What is wrong with the folder is no matter while there is an object.
            Lies::Both(_) => Ok(self.recordings().ok().and_then(|r| r.read(recording.session).ok().flatten())),
            Lies::Store(_) | Lies::Gone => Ok(None),
        }
    }

    /// The object of a recording, if that is where it lies.
    pub(super) async fn object_of(&self, recording: &Recording) -> Result<Option<Source>, AppError> {
        let Some(object) = recording.lies.object() else { return Ok(None) };
        let Some(afar) = self.afar() else {
            return Err(away(recording.session, "it lies in an object store, and no `[recording.store]` is set"));
        };
        afar.depot.open(&object.name).await.map_err(|error| away(recording.session, error))
    }
}

/// What keeps a recording from being read is for those who run the server.
pub(super) fn away(session: SessionId, why: impl Display) -> AppError {
    tracing::warn!(%session, %why, "a recording cannot be read out of the object store");
    AppError::Afar
}
