//! Uses of grants whose roles give a number of them.

use sqlx::SqlitePool;
use wane_domain::id::GrantId;
use wane_store::{StoreError, Use};

use crate::row::{count, number, unavailable};
use crate::step::Step;

/// Books one; each number of a grant is booked once, or somebody else was first.
pub(crate) fn put(value: &Use) -> Result<Step, StoreError> {
    let values = vec![
        value.grant.to_string().into(),
        value.of.clone().into(),
        number(value.number)?.into(),
        value.session.to_string().into(),
        value.at.micros().into(),
    ];
    let sql = "INSERT INTO uses (grant_id, subject, number, session, at) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (grant_id, subject, number) DO NOTHING";
    Ok(Step::new(sql, values).one(&format!("use {} of {}", value.number, value.grant)))
}

/// How many were made of those that one thing under a grant gives.
pub(crate) async fn made(pool: &SqlitePool, grant: GrantId, of: &str) -> Result<u64, StoreError> {
    let last =
        sqlx::query_scalar::<_, Option<i64>>("SELECT max(number) FROM uses WHERE grant_id = $1 AND subject = $2")
            .bind(grant.to_string())
            .bind(of)
            .fetch_one(pool)
            .await
            .map_err(unavailable)?;
    last.map_or(Ok(0), count)
}
