//! Sealed secrets: bytes this crate cannot read.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, SqlitePool};
use wane_store::{Sealed, StoreError};

use crate::row::unavailable;

/// Puts one in place, whatever was there.
pub(crate) async fn put(conn: &mut SqliteConnection, value: &Sealed) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "INSERT INTO sealed (key, sealed) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET sealed = excluded.sealed",
    );
    conn.execute(statement.bind(value.key.clone()).bind(value.sealed.clone())).await.map_err(unavailable)?;
    Ok(())
}

/// Removes one, if it is there.
pub(crate) async fn remove(conn: &mut SqliteConnection, key: &str) -> Result<(), StoreError> {
    conn.execute(sqlx::query("DELETE FROM sealed WHERE key = $1").bind(key.to_owned())).await.map_err(unavailable)?;
    Ok(())
}

/// One by key.
pub(crate) async fn get(pool: &SqlitePool, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    sqlx::query_scalar("SELECT sealed FROM sealed WHERE key = $1")
        .bind(key)
        .fetch_optional(pool)
        .await
        .map_err(unavailable)
}
