//! The object store of recordings: made from settings, seen by the use-cases as a depot, and carried to in the
//! background.
//!
//! A store that is away keeps nothing else from going on: sessions are recorded in the folder as ever, and wait there.

use std::convert::Infallible;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wane_app::{Afar, App, Depot, DepotError, Shipped};
use wane_archive::{Addressing, Bucket, BucketError, Folder, KeyPair, Keys, Reach};
use wane_config::{RecordingStore, SecretRef, StoreAddressing};
use wane_domain::id::{OrgId, SessionId};
use wane_runtime::{Backoff, Supervisor};
use wane_store::StoredObject;
use zeroize::Zeroizing;

use crate::deployment::span;

/// How often it is looked for recordings that are over.
const LOOK: Duration = Duration::from_secs(2);
/// The waits while the store is away.
const WAITS: Backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_secs(300) };
/// How many looks pass between two sweeps: some hours.
const SWEEP: u32 = 7_200;

/// A bucket, or why there is none: settings that cannot be used are said when they are, and the server goes on.
struct Far {
    bucket: Result<Bucket, String>,
    folder: Option<Folder>,
}

impl Far {
    fn bucket(&self) -> Result<&Bucket, DepotError> {
        self.bucket.as_ref().map_err(|why| DepotError::Away(why.clone()))
    }
}

fn met(error: &BucketError) -> DepotError {
    if error.is_about_all() { DepotError::Away(error.to_string()) } else { DepotError::This(error.to_string()) }
}

#[async_trait]
impl Depot for Far {
    fn name_of(&self, session: SessionId) -> Result<String, DepotError> {
        self.bucket().map(|bucket| bucket.name_of(session))
    }
    async fn put(&self, session: SessionId) -> Result<Option<StoredObject>, DepotError> {
        let bucket = self.bucket()?;
        let Some(folder) = &self.folder else {
            return Err(DepotError::This("the folder of recordings cannot be used; the log says why".to_owned()));
        };
        let Some(file) = folder.read(session).map_err(|e| DepotError::This(e.to_string()))? else { return Ok(None) };
        let name = bucket.name_of(session);
        let put = bucket.put(&name, file).await.map_err(|e| met(&e))?;
        Ok(Some(StoredObject { name, bytes: put.bytes, sha256: put.sha256 }))
    }
    async fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send + Sync>>, DepotError> {
        let object = self.bucket()?.open(name).await.map_err(|e| met(&e))?;
        Ok(object.map(|object| Box::new(object) as Box<dyn Read + Send + Sync>))
    }
    async fn remove(&self, name: &str) -> Result<(), DepotError> {
        self.bucket()?.remove(name).await.map_err(|e| met(&e))
    }
    async fn sweep(&self) -> Result<usize, DepotError> {
        self.bucket()?.sweep().await.map_err(|e| met(&e))
    }
}

/// The object store that is set, if one is. Nothing is sent yet.
pub(crate) fn afar(store: Option<&RecordingStore>, org: OrgId, folder: Option<&Folder>) -> Option<Afar> {
    let store = store?;
    let bucket = bucket(store, org)
        .inspect_err(|why| tracing::error!(%why, "recordings cannot go to the object store, and stay in the folder"));
    let depot = Arc::new(Far { bucket, folder: folder.cloned() });
    Some(Afar { depot, keep_local: span(store.keep_local) })
}

fn bucket(store: &RecordingStore, org: OrgId) -> Result<Bucket, String> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|e| format!("`recording.store.ca`: `{}` cannot be read: {e}", path.display()))
    };
    let reach = Reach {
        endpoint: store.endpoint.clone(),
        bucket: store.bucket.clone(),
        prefix: store.prefix.clone(),
        region: store.region.clone(),
        addressing: match store.addressing {
            StoreAddressing::Path => Addressing::Path,
            StoreAddressing::Host => Addressing::Host,
        },
        ca: store.ca.as_ref().map(read).transpose()?,
        org,
    };
    Bucket::at(&reach, keys(store.access_key_id.clone(), store.secret_access_key.clone())).map_err(|e| e.to_string())
}

fn keys(id: SecretRef, secret: SecretRef) -> Keys {
    let read = |from: &SecretRef| from.read(|name| std::env::var(name).ok()).map_err(|e| e.to_string());
    Arc::new(move || Ok(KeyPair { id: read(&id)?, secret: Zeroizing::new(read(&secret)?) }))
}

/// Carries recordings there for as long as the server runs.
pub(crate) fn carry(supervisor: &mut Supervisor, app: &Arc<App>) {
    let app = Arc::clone(app);
    supervisor.spawn("object store", move |stop| {
        let app = Arc::clone(&app);
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = carrying(&app) => {}
            }
            Ok::<(), Infallible>(())
        }
    });
}

async fn carrying(app: &App) {
    let (mut failures, mut looks, mut reached) = (0u32, 0u32, false);
    loop {
        let swept = if looks.is_multiple_of(SWEEP) { swept(app).await } else { None };
        let away = match swept {
            Some(why) => Some(why),
            None => passed(app).await,
        };
        let waiting = app.waiting_recordings().await.unwrap_or_default();
        match away {
            Some(why) => {
                failures = failures.saturating_add(1);
                let since = waiting.oldest.map(|at| at.to_string()).unwrap_or_default();
                tracing::warn!(%why, waiting = waiting.count, %since, "the object store cannot be used; recordings wait in the folder, and it is tried again");
                reached = false;
                looks = 0;
            }
            None => {
                if !reached {
                    tracing::info!(waiting = waiting.count, "the object store can be used");
                }
                (failures, reached) = (0, true);
                looks = looks.wrapping_add(1);
            }
        }
        tokio::time::sleep(if failures == 0 { LOOK } else { WAITS.after(failures) }).await;
    }
}

/// Why the store cannot be used, if it cannot.
async fn swept(app: &App) -> Option<String> {
    match app.sweep_depot().await {
        Ok(0) => None,
        Ok(count) => {
            tracing::info!(count, "uploads that were cut off were cleared away in the object store");
            None
        }
        Err(DepotError::Away(why) | DepotError::This(why)) => Some(why),
    }
}

async fn passed(app: &App) -> Option<String> {
    match app.ship_recordings().await {
        Ok(Shipped { put, moved, removed, away, failed }) => {
            if put + moved + removed + failed > 0 {
                tracing::info!(put, moved, removed, failed, "recordings and the object store");
            }
            away
        }
        Err(error) => {
            tracing::warn!(%error, "where recordings lie cannot be looked up; it is tried again");
            None
        }
    }
}
