//! Jobs of workloads. One that is over is kept until the token it was begun with says nothing any more.

use sqlx::SqlitePool;
use wane_domain::id::JobId;
use wane_domain::time::Time;
use wane_store::{Job, Put, StoreError, Versioned};

use crate::row::{Guarded, Row, as_is, encode, unavailable, versioned};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO jobs (id, generation, token, ended, forget, doc) VALUES ($1, $2 + 1, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE jobs SET generation = $2 + 1, token = $3, ended = $4, forget = $5, doc = $6 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Job>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![
        value.token.clone().into(),
        value.ended.as_ref().map(|ended| ended.at.micros()).into(),
        value.forget.micros().into(),
        encode(&id, value)?.into(),
    ];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}

/// Forgets those that are over and whose tokens say nothing any more.
pub(crate) fn forget(now: Time) -> Step {
    Step::new("DELETE FROM jobs WHERE ended IS NOT NULL AND forget <= $1", vec![now.micros().into()])
}

/// One by id.
pub(crate) async fn get(pool: &SqlitePool, id: JobId) -> Result<Option<Versioned<Job>>, StoreError> {
    one(pool, "SELECT id, generation, doc FROM jobs WHERE id = $1", &id.to_string()).await
}

/// The one that was begun with a token.
pub(crate) async fn of_token(pool: &SqlitePool, token: &str) -> Result<Option<Versioned<Job>>, StoreError> {
    one(pool, "SELECT id, generation, doc FROM jobs WHERE token = $1", token).await
}

async fn one(pool: &SqlitePool, sql: &'static str, by: &str) -> Result<Option<Versioned<Job>>, StoreError> {
    let row = sqlx::query_as::<_, Row>(sql).bind(by.to_owned()).fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|r| versioned(&r, as_is)).transpose()
}

/// Those that are not over, oldest first.
pub(crate) async fn open(pool: &SqlitePool) -> Result<Vec<Versioned<Job>>, StoreError> {
    let rows = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM jobs WHERE ended IS NULL ORDER BY id")
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|r| versioned(r, as_is)).collect()
}
