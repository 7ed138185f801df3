//! Serial numbers, taken from the file in blocks: gaps are fine, the same number twice is not.

use std::ops::Range;

use sqlx::sqlite::SqliteConnection;
use wane_store::StoreError;

use crate::row::{count, unavailable};

/// How many are taken at a time.
const BLOCK: i64 = 1_000;

/// Takes the next block; it may be used once the transaction is on disk.
pub(crate) async fn take(conn: &mut SqliteConnection) -> Result<Range<u64>, StoreError> {
    let end: i64 = sqlx::query_scalar(
        "INSERT INTO counters (key, value) VALUES ('serial', 1 + $1) ON CONFLICT (key) DO UPDATE SET value = value + $1 RETURNING value",
    )
    .bind(BLOCK)
    .fetch_one(conn)
    .await
    .map_err(unavailable)?;
    Ok(count(end.saturating_sub(BLOCK))?..count(end)?)
}
