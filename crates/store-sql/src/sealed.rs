//! Sealed secrets: bytes this crate cannot read.

use sqlx::SqlitePool;
use wane_store::{Sealed, StoreError};

use crate::row::unavailable;
use crate::step::Step;

/// Puts one in place, whatever was there.
pub(crate) fn put(value: &Sealed) -> Step {
    Step::new(
        "INSERT INTO sealed (key, sealed) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET sealed = excluded.sealed",
        vec![value.key.clone().into(), value.sealed.clone().into()],
    )
}

/// Removes one, if it is there.
pub(crate) fn remove(key: &str) -> Step {
    Step::new("DELETE FROM sealed WHERE key = $1", vec![key.to_owned().into()])
}

/// One by key.
pub(crate) async fn get(pool: &SqlitePool, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    sqlx::query_scalar("SELECT sealed FROM sealed WHERE key = $1")
        .bind(key)
        .fetch_optional(pool)
        .await
        .map_err(unavailable)
}
