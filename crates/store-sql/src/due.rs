//! What is due, and when the next thing will be: three small indexes, read together.

use sqlx::SqlitePool;
use wane_domain::time::Time;
use wane_store::{Due, DueWhat, StoreError};

use crate::row::unavailable;

/// What is due by `now`, earliest first, then by id, after a place.
pub(crate) async fn by(pool: &SqlitePool, now: Time, after: Option<Due>, limit: u32) -> Result<Vec<Due>, StoreError> {
    let (at, id) = after.map_or((i64::MIN, String::new()), |due| (due.at.micros(), id(due.what)));
    let rows = sqlx::query_as::<_, (i64, String, String)>(
        "SELECT due_at, id, target FROM (
             SELECT * FROM (SELECT due_at, id, '' AS target FROM requests
                 WHERE due_at <= $1 AND (due_at, id) > ($2, $3) ORDER BY due_at, id LIMIT $4)
             UNION ALL
             SELECT * FROM (SELECT due_at, id, '' FROM grants
                 WHERE due_at <= $1 AND (due_at, id) > ($2, $3) ORDER BY due_at, id LIMIT $4)
             UNION ALL
             SELECT * FROM (SELECT due_at, id, resource FROM leases
                 WHERE due_at <= $1 AND (due_at, id) > ($2, $3) ORDER BY due_at, id LIMIT $4)
         ) ORDER BY due_at, id LIMIT $4",
    )
    .bind(now.micros())
    .bind(at)
    .bind(id)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|(at, id, target)| Ok(Due { at: Time::from_micros(*at), what: read(id, target)? })).collect()
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

fn id(what: DueWhat) -> String {
    match what {
        DueWhat::Request(id) => id.to_string(),
        DueWhat::Grant(id) => id.to_string(),
        DueWhat::Lease(id, _) => id.to_string(),
    }
}

/// The prefix of an id says what it is of.
fn read(id: &str, target: &str) -> Result<DueWhat, StoreError> {
    let corrupt = |e: wane_domain::id::IdError| StoreError::Corrupt(e.to_string());
    match id.split_once('_').map(|(prefix, _)| prefix) {
        Some("req") => id.parse().map(DueWhat::Request).map_err(corrupt),
        Some("grt") => id.parse().map(DueWhat::Grant).map_err(corrupt),
        _ => Ok(DueWhat::Lease(id.parse().map_err(corrupt)?, target.parse().map_err(corrupt)?)),
    }
}
