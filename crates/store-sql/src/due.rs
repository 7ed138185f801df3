//! What is due, and when the next thing will be: three small indexes, read together.

use sqlx::SqlitePool;
use wane_domain::time::Time;
use wane_store::{Due, DueWhat, StoreError};

use crate::row::unavailable;

/// What is due by `now`, earliest first.
pub(crate) async fn by(pool: &SqlitePool, now: Time, limit: u32) -> Result<Vec<Due>, StoreError> {
    let rows = sqlx::query_as::<_, (i64, String, String)>(
        "SELECT due_at, what, id FROM (
             SELECT * FROM (SELECT due_at, 'request' AS what, id FROM requests WHERE due_at <= $1 ORDER BY due_at LIMIT $2)
             UNION ALL
             SELECT * FROM (SELECT due_at, 'grant', id FROM grants WHERE due_at <= $1 ORDER BY due_at LIMIT $2)
             UNION ALL
             SELECT * FROM (SELECT due_at, 'lease', id FROM leases WHERE due_at <= $1 ORDER BY due_at LIMIT $2)
         ) ORDER BY due_at, id LIMIT $2",
    )
    .bind(now.micros())
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|(at, what, id)| Ok(Due { at: Time::from_micros(*at), what: read(what, id)? })).collect()
}

/// When the next thing is due after `now`.
pub(crate) async fn after(pool: &SqlitePool, now: Time) -> Result<Option<Time>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(
        "SELECT min(at) FROM (
             SELECT (SELECT due_at FROM requests WHERE due_at > $1 ORDER BY due_at LIMIT 1) AS at
             UNION ALL
             SELECT (SELECT due_at FROM grants WHERE due_at > $1 ORDER BY due_at LIMIT 1)
             UNION ALL
             SELECT (SELECT due_at FROM leases WHERE due_at > $1 ORDER BY due_at LIMIT 1)
         )",
    )
    .bind(now.micros())
    .fetch_one(pool)
    .await
    .map_err(unavailable)?;
    Ok(next.map(Time::from_micros))
}

fn read(what: &str, id: &str) -> Result<DueWhat, StoreError> {
    let corrupt = |e: wane_domain::id::IdError| StoreError::Corrupt(e.to_string());
    match what {
        "request" => id.parse().map(DueWhat::Request).map_err(corrupt),
        "grant" => id.parse().map(DueWhat::Grant).map_err(corrupt),
        _ => id.parse().map(DueWhat::Lease).map_err(corrupt),
    }
}
