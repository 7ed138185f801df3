//! Serial numbers, taken from the file in blocks: gaps are fine, the same number twice is not.

use std::ops::Range;

use rusqlite::Connection;
use wane_store::StoreError;

use crate::row::count;
use crate::step::unavailable;

/// How many are taken at a time.
const BLOCK: i64 = 1_000;

/// Takes the next block; it may be used once the transaction is on disk.
pub(crate) fn take(conn: &Connection) -> Result<Range<u64>, StoreError> {
    let sql = "INSERT INTO counters (key, value) VALUES ('serial', 1 + $1) ON CONFLICT (key) DO UPDATE SET value = value + $1 RETURNING value";
    let end: i64 = conn.query_row(sql, [BLOCK], |row| row.get(0)).map_err(unavailable)?;
    Ok(count(end.saturating_sub(BLOCK))?..count(end)?)
}
