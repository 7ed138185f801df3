//! What stood at resources, day by day.

use sqlx::SqlitePool;
use wane_domain::id::ResourceId;
use wane_domain::time::Time;
use wane_store::{InventoryTaken, StoreError};

use crate::row::unavailable;
use crate::step::Step;

type Row = (String, i64, i64, i64, i64, i64);

/// Writes down what stands there now, in place of what was written earlier that day. Of what belonged to nobody
/// the most that was seen at once stays.
pub(crate) fn put(value: &InventoryTaken) -> Step {
    let sql = "INSERT INTO inventories (resource, day, at, made, standing, orphans) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (resource, day) DO UPDATE SET at = excluded.at, made = excluded.made,
                   standing = excluded.standing, orphans = max(inventories.orphans, excluded.orphans)
               WHERE excluded.at >= inventories.at";
    let values = vec![
        value.resource.to_string().into(),
        value.day.micros().into(),
        value.at.micros().into(),
        i64::from(value.made).into(),
        i64::from(value.standing).into(),
        i64::from(value.orphans).into(),
    ];
    Step::new(sql, values)
}

/// Forgets those of days before a moment.
pub(crate) fn forget(before: Time) -> Step {
    Step::new("DELETE FROM inventories WHERE day < $1", vec![before.micros().into()])
}

/// Those of the days from a moment on, and of each resource how it stood before that, newest day first; at most so many.
pub(crate) async fn since(pool: &SqlitePool, from: Time, most: u32) -> Result<Vec<InventoryTaken>, StoreError> {
    let sql = "SELECT resource, day, at, made, standing, orphans FROM inventories one
               WHERE day >= $1 OR day = (SELECT max(day) FROM inventories WHERE resource = one.resource AND day < $1)
               ORDER BY day DESC, resource LIMIT $2";
    let rows = sqlx::query_as::<_, Row>(sql).bind(from.micros()).bind(most).fetch_all(pool).await;
    rows.map_err(unavailable)?.into_iter().map(read).collect()
}

/// The newest of a resource.
pub(crate) async fn last(pool: &SqlitePool, resource: ResourceId) -> Result<Option<InventoryTaken>, StoreError> {
    let sql = "SELECT resource, day, at, made, standing, orphans FROM inventories
               WHERE resource = $1 ORDER BY day DESC LIMIT 1";
    let row = sqlx::query_as::<_, Row>(sql).bind(resource.to_string()).fetch_optional(pool).await;
    row.map_err(unavailable)?.map(read).transpose()
}

fn read((resource, day, at, made, standing, orphans): Row) -> Result<InventoryTaken, StoreError> {
    let number = |n: i64| u32::try_from(n).map_err(|_| StoreError::Corrupt(format!("a count of {n}")));
    Ok(InventoryTaken {
        resource: resource.parse().map_err(|_| StoreError::Corrupt(format!("`{resource}` is no resource")))?,
        day: Time::from_micros(day),
        at: Time::from_micros(at),
        made: number(made)?,
        standing: number(standing)?,
        orphans: number(orphans)?,
    })
}
