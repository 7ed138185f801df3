//! Stores in a folder of their own, with a writer that runs.

use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use tokio::task::{AbortHandle, JoinSet};
use wane_store::StoreError;
use wane_store::conformance::Founded;
use wane_store_sql::{Founding, SqlStore};

/// Runs writers, each until its store is closed or the test is over.
#[derive(Default)]
pub(crate) struct Writers(JoinSet<()>);

impl Writers {
    pub(crate) async fn open(&mut self, path: &Path, founded: Founded) -> Result<(SqlStore, AbortHandle), StoreError> {
        let Founded { org, policy, event } = founded;
        let (store, writer) = SqlStore::open(path, Founding { org, policy, event }).await?;
        let handle = self.0.spawn(writer.run());
        Ok((store, handle))
    }

    /// Waits until every writer has ended.
    pub(crate) async fn ended(&mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

pub(crate) fn data_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wane.db");
    (folder, path)
}

/// A connection of somebody else's to the file.
pub(crate) async fn intruder(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.expect("it opens")
}
